"""A Realtime server on this machine: ``async with rt.serve() as server: server.url, server.token``.

It listens on 127.0.0.1 only and wants its token. Requests that carry an ``Origin`` come from a web
page and are refused, as are those whose ``Host`` is not this machine, so that no page can reach it
through the visitor's browser. Its models are inside installed packages; nothing is downloaded.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import os
import secrets
import socket
import time
from collections import deque
from collections.abc import Collection, Generator, Sequence
from typing import Any, Literal, Self, cast
from urllib.parse import parse_qs

import msgspec
import websockets.asyncio.server as ws
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.typing import Subprotocol

from realtime_nb.errors import ConfigurationError, RealtimeError, at_call
from realtime_nb.errors.option_names import takes_names
from realtime_nb.errors.secret_shapes import note_keys
from realtime_nb.local import admission, client_socket
from realtime_nb.local.client_socket import CLOSE_S, ClientSocket
from realtime_nb.local.connection import Connection, close_socket, cut, new_id
from realtime_nb.local.engines import Engines, patience
from realtime_nb.local.frames import MAX_MESSAGE_BYTES
from realtime_nb.local.registry import LLMChoice, STTChoice, TTSChoice, VADChoice, engines_of
from realtime_nb.local.rest import PATH, Rest
from realtime_nb.local.sharing import Sharing
from realtime_nb.local.speaking import SpeechPace
from realtime_nb.local.tls import Certificate, TlsChoice, certificate_for
from realtime_nb.protocol.dialect import BETA_OFF, is_beta_handshake
from realtime_nb.protocol.problems import Problem, unsupported
from realtime_nb.protocol.stages import wants_stages

__all__ = ["LocalServer", "serve"]

logger = logging.getLogger(__name__)

# Handshakes that fail and clients that vanish are no news for whoever runs the notebook.
_wire_logger = logging.getLogger(f"{__name__}.wire")
_wire_logger.setLevel(logging.CRITICAL)

_MAX_WAITING_FRAMES = 4
_MAX_HANDSHAKES = 256
_TLS_HANDSHAKE_S = 5.0
_ACCEPTED_PER_ROUND = 4
_WAITING_CONNECTIONS = 128  # in the system's own queue
_THREADS_S = 1.0  # what is left of the time for closing, once the sessions are over
_INTENTS = ("realtime", "transcription")
_BETA_OFF_SAYS = (
    "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
)


@at_call
@takes_names
def serve(
    port: int = 0,
    token: str | None = None,
    *,
    vad: VADChoice | None = None,
    stt: STTChoice | None = None,
    llm: LLMChoice | None = None,
    tts: TTSChoice | None = None,
    session_minutes: float = 60.0,
    max_connections: int | None = None,
    lead_ms: float | None = None,
    speed: float = 1.0,
    dialect: Literal["ga", "auto"] = "ga",
    strict_ga: bool = False,
    allow_origins: Sequence[str] = (),
    tls: TlsChoice = False,
) -> LocalServer:
    """Returns a local Realtime server, to be entered with ``async with``.

    Args:
        port: 0 picks a free one; see :attr:`LocalServer.url`.
        token: what clients give as API key; None makes a fresh one.
        vad: hears whether somebody speaks: a name (``silero``, the default; ``earshot``,
            ``webrtc``, ``energy``), or what makes an engine, for each session has its own.
        stt: speech to text: a name (``moonshine``, the default; ``whisper``) or an engine, such as
            ``rt.HttpSTT(…)``.
        llm: what thinks of the answers: a name (``rules``, the default, a rule-based stand-in
            which says that it is one; ``smollm2``; ``rules+smollm2``, where the rules do what they
            can) or a model.
        tts: the voice: a name (``hibari``, the default; ``espeak``) or an engine, such as
            ``rt.HttpTTS(…)``. Installed packages may bring more names of all four
            (``docs/engines.md``). What is made by name ends with the server; what is given is
            yours, and is not closed.
        session_minutes: after that a session is closed with 1001, as the hosted service does.
        max_connections: more are refused; None: what this machine carries, as measured at the
            start (:attr:`LocalServer.capacity`).
        lead_ms: how far answers are sent ahead of their playing time; None: as fast as they are
            made, as by the hosted service, so that most are done long before they were heard.
        speed: above 1, clients play faster than life (for tests and batch replays), and a lead is
            kept at that pace.
        dialect: of clients that don't ask for the beta by header or sub-protocol. ``ga`` refuses
            beta events as OpenAI does; ``auto`` answers the first one in beta from then on, and
            the log says so.
        strict_ga: clients of the beta are refused as OpenAI does (``beta_api_shape_disabled``,
            close code 4000), instead of served with a warning in the log.
        allow_origins: web pages that may connect, by their origin: ``["http://localhost:3000"]``.
            Give a page an ephemeral key (``POST /v1/realtime/client_secrets``), not the token.
        tls: True: the URL begins with ``wss://``, for clients that take no other; by a certificate
            that is made here, or by yours: ``(certificate, key)``, two paths of PEM files. Clients
            have to trust it: :attr:`LocalServer.certificate`.

    Raises:
        ConfigurationError: on entering, when the port is taken or a value can't be used.
        MissingExtraError: the engines are not installed, or what makes certificates.
    """
    if not 0 <= port <= 65_535:
        raise ConfigurationError(f"port is {port}; give a number from 0 (any free one) to 65535.")
    for name, value in (("speed", speed), ("session_minutes", session_minutes)):
        if not 0 < value < math.inf:
            raise ConfigurationError(f"{name} is {value}; give a number greater than 0.")
    pace = SpeechPace(lead_ms, speed)
    if isinstance(allow_origins, str) or not all(map(_is_origin, allow_origins)):
        raise ConfigurationError(
            f"allow_origins is {allow_origins!r}; give a list of origins as browsers write them: "
            "scheme and host, and the port unless it is the usual one, such as "
            "'http://localhost:3000'."
        )
    if dialect not in ("ga", "auto"):
        raise ConfigurationError(f"dialect is {dialect!r}; give 'ga' or 'auto'.")
    if max_connections is not None and max_connections < 1:
        raise ConfigurationError(f"max_connections is {max_connections}; give 1 or more.")
    if not isinstance(strict_ga, bool):
        raise ConfigurationError(f"strict_ga is {strict_ga!r}; give True or False.")
    if strict_ga and dialect == "auto":
        raise ConfigurationError("strict_ga refuses the beta that dialect='auto' serves; give one.")
    engines = engines_of(vad, stt, llm, tts)
    return LocalServer(
        engines,
        port=port,
        token=token or secrets.token_urlsafe(18),
        pace=pace,
        session_s=session_minutes * 60,
        max_connections=max_connections,
        dialect=dialect,
        strict_ga=strict_ga,
        allow_origins=frozenset(allow_origins),
        certificate=certificate_for(tls),
    )


@at_call
class LocalServer:
    """See :func:`serve`. ``url`` and ``token`` are known once it is entered.

    Attributes:
        capacity: how many conversations at once this machine carries, as measured at the start;
            None where the number of connections is given.
        certificate: what clients are to trust (``certificate.path``), None without TLS.
    """

    def __init__(
        self,
        engines: Engines,
        *,
        port: int,
        token: str,
        pace: SpeechPace,
        session_s: float,
        max_connections: int | None,
        dialect: Literal["ga", "auto"] = "ga",
        strict_ga: bool = False,
        allow_origins: Collection[str] = (),
        certificate: Certificate | None = None,
    ) -> None:
        self.engines = engines
        self.certificate = certificate
        self._tls = None if certificate is None else certificate.context()
        self.port = port
        self.token = token
        note_keys([token])
        self._pace = pace
        self._session_s = session_s
        self._max_connections = max_connections
        self._dialect: Literal["ga", "auto"] = dialect
        self._strict_ga = strict_ga
        self.capacity: int | None = None
        self._rest = Rest(lambda: self.token, allow_origins, time.time, engines)
        self._sharing = Sharing()
        self._knocking: deque[ClientSocket] = deque()
        self._connections: set[Connection] = set()
        self._server: ws.Server | None = None
        self._entered = False

    def __repr__(self) -> str:
        state = self.url if self._server is not None else "not running"
        names = ", ".join(f"{kind}={name}" for kind, name in self.engines.names.items())
        return f"<LocalServer {state}, {len(self._connections)} connections; {names}>"

    @property
    def url(self) -> str:
        """``ws://127.0.0.1:PORT/v1/realtime``, with TLS ``wss://…``."""
        scheme = "ws" if self._tls is None else "wss"
        return f"{scheme}://127.0.0.1:{self.port}{PATH}"

    @property
    def running(self) -> bool:
        """Whether clients can connect."""
        return self._server is not None

    @property
    def connections(self) -> int:
        """How many sessions are open."""
        return len(self._connections)

    def __await__(self) -> Generator[Any, Any, Self]:
        """Starts it; :meth:`close` ends it. ``async with`` does both."""
        return self.__aenter__().__await__()

    async def close(self) -> None:
        """Ends it, with all its connections; once is enough."""
        await self.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise ConfigurationError(self._why_not_again())
        self._entered = True
        try:
            await self._warm_up()
            self._server = await self._listen()
        except BaseException:
            await self._stop_threads(asyncio.get_running_loop().time() + CLOSE_S)
            raise
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    def _why_not_again(self) -> str:
        if self._server is None:
            return (
                "This server was entered before: it is starting, or has ended for good. "
                "Make another one with rt.serve()."
            )
        return (
            f"This server runs already, at {self.url}. Connect to it, or make another one with "
            "rt.serve()."
        )

    async def _listen(self) -> ws.Server:
        try:
            listening = _bound(self.port)
            server = await ws.serve(
                self._handle,
                sock=listening,
                backlog=_ACCEPTED_PER_ROUND,
                process_request=self._check_request,
                select_subprotocol=_chosen_subprotocol,
                max_size=MAX_MESSAGE_BYTES,
                max_queue=_MAX_WAITING_FRAMES,
                ping_interval=client_socket.PING_S,
                close_timeout=CLOSE_S,
                compression=None,
                server_header=None,
                logger=_wire_logger,
                create_connection=cast("type[ws.ServerConnection]", self._new_socket),
                ssl=self._tls,
                ssl_handshake_timeout=None if self._tls is None else _TLS_HANDSHAKE_S,
            )
            listening.listen(_WAITING_CONNECTIONS)  # asyncio has one number for both
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise ConfigurationError(
                f"Port {self.port} can't be used ({error.strerror}). "
                "Choose another one, or 0 for any free port."
            ) from None
        return server

    def _new_socket(self, *args: Any, **kwargs: Any) -> ClientSocket:
        """Returns the socket of whoever knocks; who has been at the door for longest makes room."""
        while self._knocking and self._knocking[0].protocol.state is not State.CONNECTING:
            self._knocking.popleft()
        if len(self._knocking) >= _MAX_HANDSHAKES:
            cut(self._knocking.popleft())
        client = ClientSocket(*args, sharing=self._sharing, plain=self._rest, **kwargs)
        self._knocking.append(client)
        return client

    async def __aexit__(self, *raised: object) -> None:
        server, self._server = self._server, None
        loop = asyncio.get_running_loop()
        until_s = loop.time() + CLOSE_S + _THREADS_S
        if server is not None:
            await _stop_accepting(server)
            for connection in self._connections:
                connection.finish(1001, "")
            for client in [*server.handlers]:
                if client.protocol.state is State.CONNECTING:
                    cut(client)  # it may say nothing for long, and has nothing to lose
                cast("ClientSocket", client).drop_input()
            server.close()  # 1001 for every client
            try:
                async with asyncio.timeout(CLOSE_S):
                    await server.wait_closed()
            except TimeoutError:
                # A client that doesn't read keeps its CLOSE, and everybody else, waiting.
                for client in [*server.handlers]:
                    cut(client)
                await server.wait_closed()
        await self._stop_threads(until_s)

    async def _stop_threads(self, until_s: float) -> None:
        """Ends the engines' threads, but waits no longer than until then for one that hangs."""
        pools = (self.engines.hearing, self.engines.judging, self.engines.voicing)
        for pool in pools:
            pool.shutdown(wait=False, cancel_futures=True)
        for engine in self.engines.made:
            if callable(close := getattr(engine, "close", None)):
                close()
        loop = asyncio.get_running_loop()
        while any(pool.busy for pool in pools):
            if loop.time() > until_s:
                logger.warning("An engine is still at work and keeps its thread until it is done.")
                return
            await asyncio.sleep(0.005)

    async def _warm_up(self) -> None:
        """Loads the models before anybody can connect, so that no first turn is slow."""
        loop = asyncio.get_running_loop()
        engines = self.engines
        await asyncio.gather(
            *(
                loop.run_in_executor(executor, _warmed_up, what, engine)
                for executor, what, engine in (
                    (engines.hearing, "stt", engines.stt),
                    (engines.judging, "llm", engines.llm),
                    (engines.judging, "turn model", engines.turn_model),
                    (engines.voicing, "tts", engines.tts),
                )
                if hasattr(engine, "warm_up")
            )
        )
        if self._max_connections is None:
            self.capacity = await self._measured_capacity()

    async def _measured_capacity(self) -> int | None:
        """Returns how many conversations are carried; None where an engine doesn't let itself be
        measured, which its first session will learn as well."""
        loop = asyncio.get_running_loop()
        try:
            async with patience("voice or the speech recognition", self.engines.timeout_s):
                return await loop.run_in_executor(
                    self.engines.voicing, admission.measured_capacity, self.engines
                )
        except Exception as error:
            words = str(error) if isinstance(error, RealtimeError) else repr(error)
            logger.warning("What this machine carries could not be measured. %s", words)
            return None

    # --- who may come in ---

    def _check_request(self, connection: ws.ServerConnection, request: Request) -> Response | None:
        """Refuses web pages, wrong paths and wrong tokens before the upgrade: they cost nothing."""
        denied = self._rest.check_upgrade(request.path, _headers(request))
        if denied is None:
            return None
        fields = [*denied.headers, ("Content-Length", str(len(denied.body)))]
        status = denied.status
        return Response(status.value, status.phrase, Headers(fields), denied.body)

    def _problem(self, model: str | None, intent: str) -> Problem | None:
        if model is None and intent != "transcription":
            message = (
                "You must provide a model parameter, for example "
                f"{self.url}?model=local. Any name will do."
            )
            return Problem("missing_model", message)
        count = len(self._connections)
        if self._max_connections is not None and count >= self._max_connections:
            message = f"{self._max_connections} sessions are open. Close one and try again."
            return Problem("session_limit_reached", message)
        if self.capacity is not None and count >= self.capacity:
            message = (
                f"This machine carries {self.capacity} conversations at once, as measured when the "
                "server started. Close one and try again, or give serve() max_connections."
            )
            return Problem("rate_limit_exceeded", message)
        engines = self.engines
        waiting_s = max(
            pool.waiting_s for pool in (engines.hearing, engines.judging, engines.voicing)
        )
        if waiting_s > admission.MAX_WAIT_S:
            message = (
                f"Answers wait {waiting_s:.1f} s for this machine's engines by now. Close a "
                "session, or try again in some seconds."
            )
            return Problem("rate_limit_exceeded", message)
        return None

    async def _handle(self, accepted: ws.ServerConnection) -> None:
        client = cast("ClientSocket", accepted)
        request = client.request
        assert request is not None
        query = parse_qs(request.path.partition("?")[2])
        secret = self._rest.secret_of(_headers(request))
        model = query.get("model", [None if secret is None else secret.model])[0]
        intent = query.get("intent", [""])[0] or (secret.session_type if secret else "")
        subprotocols = _subprotocols(request)
        beta = is_beta_handshake(dict(request.headers.raw_items()), subprotocols)
        refused = beta and self._strict_ga
        problem = Problem(BETA_OFF, _BETA_OFF_SAYS) if refused else self._problem(model, intent)
        transcribes = intent == "transcription"
        if problem is None and intent not in ("", *_INTENTS):
            problem = Problem("invalid_value", unsupported(intent, _INTENTS), "intent")
        if secret is not None and transcribes != (secret.session_type == "transcription"):
            problem = _of_another_kind(secret.session_type, intent)
        if problem is not None:
            await _turn_away(client, problem)
            return
        connection = Connection(
            client,
            self.engines,
            self._pace,
            model=model or "local",
            session_s=self._session_s,
            dialect="beta" if beta else self._dialect,
            session_type="transcription" if transcribes else "realtime",
            sharing=self._sharing,
            begins_as=None if secret is None else secret.patch,
            tells_stages=wants_stages(_headers(request)),
        )
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)


def _warmed_up(what: str, engine: Any) -> None:
    try:
        engine.warm_up()
    except RealtimeError:
        raise
    except Exception as error:
        name = getattr(engine, "name", type(engine).__name__)
        raise ConfigurationError(
            f"The {what} {name!r} could not be started: {type(error).__name__}: {error}. "
            "Choose another one, or see to what it needs."
        ) from error


def _bound(port: int) -> socket.socket:
    """Returns a socket at that port of this machine.

    It names its protocol: asyncio sends small events at once (TCP_NODELAY) only where that is told,
    else they would wait for up to 40 ms.
    """
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers have one port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
    except BaseException:
        bound.close()
        raise
    return bound


async def _stop_accepting(server: ws.Server) -> None:
    """Returns when nobody new comes, and who came is known to the server.

    asyncio loses the socket of a client that it accepts in the round in which a server is closed
    (it asserts that the server still listens), so that round must be over.
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        with contextlib.suppress(
            NotImplementedError
        ):  # Windows: nothing is accepted in rounds there
            loop.remove_reader(listening.fileno())
    for _ in range(3):  # its task is made, then its transport, then its connection
        await asyncio.sleep(0)


def _is_origin(text: object) -> bool:
    if not isinstance(text, str):
        return False
    scheme, colon, rest = text.partition("://")
    return (
        bool(scheme and colon and rest) and not set(rest) & set("/?#@ *") and text == text.lower()
    )


def _headers(request: Request) -> dict[str, list[str]]:
    headers = request.headers
    return {name.lower(): headers.get_all(name) for name in headers}


def _subprotocols(request: Request) -> list[str]:
    offered = request.headers.get_all("Sec-WebSocket-Protocol")
    return [name.strip() for line in offered for name in line.split(",")]


def _chosen_subprotocol(
    connection: ws.ServerConnection, offered: Sequence[Subprotocol]
) -> Subprotocol | None:
    """Returns the only one that is ever selected; the others carry a key or ask for the beta."""
    return Subprotocol("realtime") if "realtime" in offered else None


def _of_another_kind(opens: str, intent: str) -> Problem:
    message = (
        f"This key opens {opens} sessions, and the URL asks for intent={intent}. Leave intent out, "
        f"or make a key whose session has type '{intent}'."
    )
    return Problem("invalid_value", message, "intent")


async def _turn_away(client: ClientSocket, problem: Problem) -> None:
    """Says what is wrong and closes, with the codes that the hosted server uses."""
    codes: dict[str | None, int] = {"session_limit_reached": 1013, "rate_limit_exceeded": 1013}
    error = {
        "type": problem.type,
        "code": problem.code,
        "message": problem.message,
        "param": problem.param,
        "event_id": None,
    }
    event = {"type": "error", "event_id": new_id("event"), "error": error}
    reason = f"{problem.type}.{problem.code}"
    with contextlib.suppress(ConnectionClosed):
        await client.send(msgspec.json.encode(event), text=True)
    await close_socket(client, codes.get(problem.code, 4000), reason)
