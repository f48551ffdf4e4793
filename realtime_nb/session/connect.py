"""Opening a session: ``async with rt.connect(…) as session``."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
from asyncio import AbstractEventLoop
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from inspect import signature
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from realtime_nb import tools as tool_set
from realtime_nb.archive.recorder import Recorder
from realtime_nb.devices.simulated import Speaker
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.client import TYPING, Typing
from realtime_nb.protocol.config import SESSION_OPTIONS, session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.edge import at_edge
from realtime_nb.session.endpoints import Endpoint, RunningServer, local, resolve
from realtime_nb.session.greeting import Greeting, greeting_response
from realtime_nb.session.reconnecting import Reconnect
from realtime_nb.session.returning import Dial
from realtime_nb.session.served_recording import ServedRecording, recorded_endpoint, recorded_server
from realtime_nb.session.session import Session
from realtime_nb.session.transport import Transport, open_websocket

if TYPE_CHECKING:
    from realtime_nb.local.registry import LLMChoice, STTChoice, TTSChoice, VADChoice

__all__ = ["connect"]


@at_call
class connect:
    """Opens a session with a Realtime server.

    Use it as ``async with rt.connect(…) as session:`` or, when you will call
    :meth:`Session.close` yourself, as ``session = await rt.connect(…)``.

    Args:
        endpoint: ``"local"`` (starts the local server, needs nothing), ``"openai"``, a ``ws://`` or
            ``wss://`` URL, ``rt.azure(…)``, an ``rt.Endpoint`` or a running ``rt.serve()``. A
            recording is served as if its server were there: its events come in their order and at
            their times, held back until you asked for them as the recorded client did
            (``session.recorded_transport``).
        model: the model's id; the endpoint's default if None.
        api_key: for ``"openai"`` instead of ``OPENAI_API_KEY``, for a URL as bearer token.
        tools: functions, ``rt.tool`` objects or definitions. Calls of functions are run and
            answered; those of bare definitions are yours to answer.
        record: folder that the recording goes into; None records nothing.
        pace: session seconds per wall second, for ``"local"`` and a running ``rt.serve()`` only
            (one with a lead is given the same: ``rt.serve(lead_ms=…, speed=…)``): conversations
            with files can run faster than life. So can recordings; with ``math.inf`` each event
            comes as soon as its turn does, while the agent's voice is still played at the pace of
            life.
        lead_ms: for ``"local"`` only: how far its answers are sent ahead of their playing time;
            None: as fast as they are made, as by OpenAI.
        speed: the former name of ``pace``, in place of which it still counts. The speed of a voice
            is a setting of the session: ``session.update(speed=…)``.
        speaker: what plays the agent's voice; None: a simulated one that plays by the clock.
        transport: an open transport, or a function that opens one, instead of connecting to
            ``endpoint``.
        reconnect: what happens when the connection is lost: True: it is regained, and the
            conversation goes on; an ``rt.Reconnect`` says how; False: the session ends. A session
            on an open ``transport``, or on a recording, ends.
        typing: what a typed message does while the agent speaks: it ``"interrupts"``, or it
            ``"waits"`` and is answered then.
        greeting: what the agent says first: a text, word for word, or a dict with
            ``instructions``; None: it waits for the user.
        main_loop: where functions of ``rt.tool(main_thread=True)`` run; None: on this loop.
        vad, stt, llm, tts: what the server of ``"local"`` hears, understands, thinks and speaks
            with: names or engines, as for :func:`realtime_nb.serve`.
        options: session settings: ``instructions``, ``voice``, ``turn_detection``,
            ``transcription``, ``input_format``… (``SESSION_OPTIONS``). Where the server detects
            turns by their silence, and ``turn_detection`` tells no other, 500 ms of it end one
            (``rt.ServerVAD``); a recording that is served keeps its own.

    Attributes:
        transport: the connection, once it is open. That of a recording tells what your client did
            otherwise than the recorded one: ``unexpected`` and ``unsent``.

    Raises:
        ConfigurationError: at once, for an unknown or impossible option.
        ConnectionFailedError: when it is entered: unreachable, refused, wrong key.
        RecordingError: when it is entered: the folder can't be written to.
    """

    def __init__(
        self,
        endpoint: str | Endpoint | RunningServer | ServedRecording = "local",
        *,
        model: str | None = None,
        api_key: str | None = None,
        tools: tool_set.ToolSource = (),
        record: str | Path | None = None,
        pace: float = 1.0,
        lead_ms: float | None = None,
        speed: float | None = None,
        speaker: Callable[[Session], Speaker] | None = None,
        transport: Transport | Dial | None = None,
        reconnect: bool | Reconnect = True,
        typing: Typing = "interrupts",
        greeting: Greeting | None = None,
        main_loop: AbstractEventLoop | None = None,
        vad: VADChoice | None = None,
        stt: STTChoice | None = None,
        llm: LLMChoice | None = None,
        tts: TTSChoice | None = None,
        **options: Any,
    ) -> None:
        refuse_unknown(options, SESSION_OPTIONS, _arguments())
        self._recording = None if isinstance(endpoint, str | Endpoint | RunningServer) else endpoint
        name, pace = ("pace", pace) if speed is None else ("speed", speed)
        if not 0 < pace < math.inf and not (pace == math.inf and self._recording is not None):
            raise ConfigurationError(f"{name} is {pace}; give a number greater than 0.")
        paced = self._recording is not None or endpoint == "local" or transport is not None
        if pace != 1.0 and not (paced or isinstance(endpoint, RunningServer)):
            raise ConfigurationError(
                f"{name} works on the local server only ('local', or a running rt.serve()), whose "
                f"clock can be scaled; others hear and speak in real time. Leave {name} out."
            )
        if lead_ms is not None:
            _check_lead(lead_ms, starts_server=endpoint == "local" and transport is None)
        self._lead_ms = lead_ms
        if isinstance(endpoint, str | Endpoint | RunningServer):
            self._endpoint = resolve(endpoint, model, api_key)
        else:
            self._endpoint = _served(endpoint, model, api_key)
        self._engines = {"vad": vad, "stt": stt, "llm": llm, "tts": tts}
        _check_engines(self._engines, endpoint == "local" and transport is None)
        self._model = model
        self._tools = tool_set.collect(tools)
        if record is not None and not isinstance(record, str | os.PathLike):
            raise ConfigurationError(f"record is {record!r}; give a folder, or None for none.")
        self._record = record
        self._pace = pace
        self._speaker = speaker
        self._given = transport
        self.transport: Transport | None = None if callable(transport) else transport
        self._reconnect = _policy(reconnect)
        self._main_loop = main_loop
        if typing not in TYPING:
            allowed = " or ".join(f'"{name}"' for name in TYPING)
            raise ConfigurationError(f"typing is {typing!r}; give {allowed}.")
        self._typing: Typing = typing
        self._greeting = None if greeting is None else greeting_response(greeting)
        self._options = options
        session_config(**options)
        self._session: Session | None = None

    def __repr__(self) -> str:
        name = "local" if self._endpoint is None else self._endpoint.shown_url
        return f"<connect {name}: not open by itself; use `async with` or `await`>"

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
        return (yield from self._open().__await__())

    async def _open(self) -> Session:
        pace = self._pace if self._pace < math.inf else 1.0
        folder_is_new = self._record is not None and not os.path.exists(self._record)
        async with AsyncExitStack() as opened:
            dial, endpoint = await self._way(opened)
            transport = await dial()
            self.transport = transport
            opened.push_async_callback(transport.close)
            recorder = None
            if self._record is not None:
                recorder = Recorder(self._record, _header(endpoint, pace), endpoint.secrets)
                opened.callback(recorder.close, complete=False)  # unless the session did
            owned = AsyncExitStack()
            session = Session(
                transport,
                endpoint,
                tools=self._tools,
                recorder=recorder,
                pace=pace,
                speaker=self._speaker,
                main_loop=self._main_loop,
                owned=owned,
                typing=self._typing,
                reconnect=self._reconnect,
                dial=dial if self._comes_back else None,
            )
            owned.push_async_exit(opened.pop_all())
        try:
            await session.start(self._options)
            if self._greeting is not None:
                await session.create_response(**self._greeting)
        except BaseException:
            await session.close(complete=False)
            if session.recording is not None and not session.conversation.events_applied:
                _remove(session.recording, with_folder=folder_is_new)
            raise
        return session

    @property
    def _comes_back(self) -> bool:
        """Whether the same server can be reached again."""
        return self._recording is None and (self._given is None or callable(self._given))

    async def _way(self, opened: AsyncExitStack) -> tuple[Dial, Endpoint]:
        """Returns what opens a transport, and what is at its other end."""
        endpoint, given, recording = self._endpoint, self._given, self._recording
        if callable(given):
            return given, endpoint or Endpoint("ws://memory", kind="local")
        if given is not None:
            return _at_once(at_edge(given, endpoint) if endpoint else given), endpoint or Endpoint(
                "ws://memory", kind="local"
            )
        if recording is not None:
            assert endpoint is not None
            return _at_once(recorded_server(recording, self._pace)), endpoint
        if endpoint is None:
            from realtime_nb.local.server import serve

            server = await opened.enter_async_context(
                serve(lead_ms=self._lead_ms, speed=self._pace, **self._engines)  # type: ignore[arg-type]
            )
            endpoint = local(server.url, server.token, self._model)
        return partial(_dialled, endpoint), endpoint


async def _dialled(endpoint: Endpoint) -> Transport:
    return at_edge(await open_websocket(endpoint), endpoint)


def _at_once(transport: Transport) -> Dial:
    """Returns a dial that gives an open transport."""

    async def dial() -> Transport:
        return transport

    return dial


def _check_lead(lead_ms: float, *, starts_server: bool) -> None:
    from realtime_nb.local.speaking import SpeechPace

    if not starts_server:
        raise ConfigurationError(
            f"lead_ms is {lead_ms!r}, and this session starts no local server; others send audio "
            "as they like. Leave lead_ms out, or give it to the server: rt.serve(lead_ms=…) or "
            "`realtime-nb serve --lead-ms`."
        )
    SpeechPace(lead_ms)


def _policy(reconnect: object) -> Reconnect | None:
    if isinstance(reconnect, Reconnect):
        return reconnect
    if isinstance(reconnect, bool):
        return Reconnect() if reconnect else None
    raise ConfigurationError(
        f"reconnect is {reconnect!r}; give True, False or an rt.Reconnect(first_s=…, budget_s=…)."
    )


def _check_engines(engines: Mapping[str, object], starts_server: bool) -> None:
    """Refuses engines that there are not, before anything is made, and those of nobody."""
    given = [name for name, engine in engines.items() if engine is not None]
    if not given:
        return
    if not starts_server:
        raise ConfigurationError(
            f"{given[0]} is an engine of the local server, which connect('local') starts; another "
            f"server has its own. Leave {given[0]} out."
        )
    from realtime_nb.local.registry import check_engines

    check_engines(**engines)


def _arguments() -> list[str]:
    """Returns the names of what `connect` takes beside settings of the session."""
    return [name for name in signature(connect).parameters if name not in ("options", "speed")]


def _served(recording: ServedRecording, model: str | None, api_key: str | None) -> Endpoint:
    if not hasattr(recording, "raw_events"):
        raise ConfigurationError(
            f"{recording!r} is no endpoint. Give 'local', 'openai', a URL, an rt.Endpoint, a "
            "running rt.serve() or a recording that was loaded with rt.load."
        )
    if model is not None or api_key is not None:
        raise ConfigurationError("A recording has its own model and needs no key; leave them out.")
    return recorded_endpoint(recording)


def _remove(recording: Path, *, with_folder: bool) -> None:
    """Takes a recording away that holds nothing, with the folder that was made for it."""
    shutil.rmtree(recording, ignore_errors=True)
    if with_folder:
        with contextlib.suppress(OSError):  # another session may be recorded there by now
            recording.parent.rmdir()


def _header(endpoint: Endpoint, pace: float) -> JsonObject:
    """Returns what a recording says of its session."""
    served = {} if endpoint.of is None else {"of": endpoint.of}
    return {
        "endpoint": {"kind": endpoint.kind, "url": endpoint.shown_url, **served},
        "model": endpoint.model,
        "dialect": endpoint.dialect,
        "speed": pace,
    }
