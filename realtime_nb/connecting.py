"""Opening a session: ``async with rt.connect(…) as session``."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from realtime_nb import tools as tool_set
from realtime_nb.devices import Speaker
from realtime_nb.endpoints import Endpoint, local, resolve
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.config import SESSION_OPTIONS, refuse_unknown, session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.recorder import Recorder
from realtime_nb.session import Session
from realtime_nb.transport import Transport, open_websocket

__all__ = ["ToolSource", "connect"]

ToolSource = Iterable[Callable[..., object] | tool_set.Tool | Mapping[str, Any]]


class connect:
    """Opens a session with a Realtime server.

    Use it as ``async with rt.connect(…) as session:`` or, when you will call
    :meth:`Session.close` yourself, as ``session = await rt.connect(…)``.

    Args:
        endpoint: ``"local"`` (starts the local server, needs nothing), ``"openai"``, a ``ws://`` or
            ``wss://`` URL, ``rt.azure(…)`` or an ``rt.Endpoint``.
        model: the model's id; the endpoint's default if None.
        api_key: for ``"openai"`` instead of ``OPENAI_API_KEY``, for a URL as bearer token.
        tools: functions, ``rt.tool`` objects or definitions. Calls of functions are run and
            answered; those of bare definitions are yours to answer.
        record: folder that the recording goes into; None records nothing.
        speed: session seconds per wall second, for ``"local"`` only: conversations with files
            can run faster than life.
        speaker: what plays the agent's voice; None: a simulated one that plays by the clock.
        transport: an open transport, instead of connecting to ``endpoint``.
        options: session settings: ``instructions``, ``voice``, ``turn_detection``,
            ``transcription``, ``input_format``… (``SESSION_OPTIONS``).

    Raises:
        ConfigurationError: at once, for an unknown or impossible option.
        ConnectionFailedError: when it is entered: unreachable, refused, wrong key.
        RecordingError: when it is entered: the folder can't be written to.
    """

    def __init__(
        self,
        endpoint: str | Endpoint = "local",
        *,
        model: str | None = None,
        api_key: str | None = None,
        tools: ToolSource = (),
        record: str | Path | None = None,
        speed: float = 1.0,
        speaker: Callable[[Session], Speaker] | None = None,
        transport: Transport | None = None,
        **options: Any,
    ) -> None:
        refuse_unknown(options, SESSION_OPTIONS)
        if not 0 < speed < math.inf:
            raise ConfigurationError(f"speed is {speed}; give a number greater than 0.")
        if speed != 1.0 and endpoint != "local" and transport is None:
            raise ConfigurationError("speed works on the local server only; others run in life's.")
        self._endpoint = resolve(endpoint, model, api_key)
        self._model = model
        self._tools = tool_set.collect(tools)
        self._record = record
        self._speed = speed
        self._speaker = speaker
        self._transport = transport
        self._options = options
        session_config(**options)
        self._session: Session | None = None

    async def __aenter__(self) -> Session:
        self._session = await self._open()
        return self._session

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close(complete=error is None)

    def __await__(self) -> Generator[Any, None, Session]:
        return self._open().__await__()

    async def _open(self) -> Session:
        async with AsyncExitStack() as opened:
            transport, endpoint = await self._transport_and_endpoint(opened)
            opened.push_async_callback(transport.close)
            recorder = None
            if self._record is not None:
                recorder = Recorder(self._record, _header(endpoint, self._speed))
                opened.callback(recorder.close, complete=False)  # unless the session did
            owned = AsyncExitStack()
            session = Session(
                transport,
                endpoint,
                tools=self._tools,
                recorder=recorder,
                speed=self._speed,
                speaker=self._speaker,
                owned=owned,
            )
            owned.push_async_exit(opened.pop_all())
        try:
            await session.start(self._options)
        except BaseException:
            await session.close(complete=False)
            raise
        return session

    async def _transport_and_endpoint(self, opened: AsyncExitStack) -> tuple[Transport, Endpoint]:
        endpoint = self._endpoint
        if self._transport is not None:
            return self._transport, endpoint or Endpoint("ws://memory", kind="local")
        if endpoint is None:
            from realtime_nb.local.server import serve

            server = await opened.enter_async_context(serve(speed=self._speed))
            endpoint = local(server.url, server.token, self._model)
        return await open_websocket(endpoint), endpoint


def _header(endpoint: Endpoint, speed: float) -> JsonObject:
    """What a recording says of its session."""
    return {
        "endpoint": {"kind": endpoint.kind, "url": endpoint.shown_url},
        "model": endpoint.model,
        "dialect": endpoint.dialect,
        "speed": speed,
    }
