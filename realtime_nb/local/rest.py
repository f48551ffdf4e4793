"""What the local server answers over plain HTTP: models, ephemeral keys, speech and its text."""

from __future__ import annotations

import hmac
import http
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from realtime_nb.local.audio_rest import MAX_AUDIO_BYTES, SPEECH, TRANSCRIPTIONS, AudioRest
from realtime_nb.local.client_secrets import PREFIX, ClientSecret, ClientSecrets
from realtime_nb.local.engines import Engines
from realtime_nb.local.plain_http import (
    MAX_BODY_BYTES,
    PlainRequest,
    PlainResponse,
    as_json,
    refusal,
)
from realtime_nb.protocol.problems import Refused

__all__ = ["PATH", "Rest"]

PATH = "/v1/realtime"
_SECRETS = f"{PATH}/client_secrets"
_MODELS = "/v1/models"
_KEY_PREFIX = "openai-insecure-api-key."
_AUDIO = (SPEECH, TRANSCRIPTIONS)
_METHODS = {PATH: "GET", _SECRETS: "POST", _MODELS: "GET", SPEECH: "POST", TRANSCRIPTIONS: "POST"}

_INSTEAD = {
    f"{PATH}/sessions": f"It belongs to the beta; POST to {_SECRETS}.",
    f"{PATH}/transcription_sessions": f"It belongs to the beta; POST to {_SECRETS}.",
    f"{PATH}/calls": "This server speaks WebSocket, no WebRTC or SIP.",
}


class Rest:
    """Who may come in, and what is answered to requests that open no WebSocket.

    Args:
        token: returns the server's own key.
        allowed_origins: of web pages that may connect.
        clock: unix seconds.
        engines: of the server.
    """

    def __init__(
        self,
        token: Callable[[], str],
        allowed_origins: Collection[str],
        clock: Callable[[], float],
        engines: Engines,
    ) -> None:
        self._token = token
        self._engines = engines
        self._audio = AudioRest(engines)
        self._origins = allowed_origins
        self._secrets = ClientSecrets(clock)

    def secret_of(self, headers: Mapping[str, list[str]]) -> ClientSecret | None:
        """Returns the ephemeral key that opens a session, where it is one."""
        return self._secrets.opening(_api_key(headers))

    def check_upgrade(self, target: str, headers: Mapping[str, list[str]]) -> PlainResponse | None:
        """Returns what is answered to a GET instead of opening a WebSocket, None where it may."""
        request = PlainRequest("GET", target, headers)
        path = _path_of(target)
        denied = self._denied_place(request)
        if denied is None and path == PATH:
            denied = self._denied_key(headers, ephemeral=True) or _opens_nothing(request)
            if denied is None:
                return None
        return self._for_page(request, denied or self._routed(request, path))

    def admitted(self, head: PlainRequest) -> int | PlainResponse:
        """Returns how long the body of a request of another method than GET may be; a file is not
        taken at all from who may not send it."""
        if head.method != "POST" or _path_of(head.target) != TRANSCRIPTIONS:
            return MAX_BODY_BYTES
        return self._denied(head) or MAX_AUDIO_BYTES

    def work(self, request: PlainRequest) -> Coroutine[Any, Any, PlainResponse] | None:
        """Returns what has to be done for the answer; None where :meth:`answer` gives it."""
        path = _path_of(request.target)
        if request.method != "POST" or path not in _AUDIO or self._denied(request):
            return None
        return self._worked(path, request)

    async def _worked(self, path: str, request: PlainRequest) -> PlainResponse:
        return self._for_page(request, await self._audio.answer(path, request))

    def _denied(self, request: PlainRequest) -> PlainResponse | None:
        denied = self._denied_place(request) or self._denied_key(request.headers, ephemeral=False)
        return denied and self._for_page(request, denied)

    def answer(self, request: PlainRequest) -> PlainResponse:
        """Returns the answer to a request of another method than GET."""
        denied = self._denied_place(request)
        return self._for_page(request, denied or self._routed(request, _path_of(request.target)))

    # --- who ---

    def _denied_place(self, request: PlainRequest) -> PlainResponse | None:
        origins = request.headers.get("origin", [])
        if origins and not (len(origins) == 1 and origins[0] in self._origins):
            message = (
                "This server does not talk to web pages. Name your page's origin when you start it:"
                " serve --allow-origin, or rt.serve(allow_origins=[…])."
            )
            return refusal(http.HTTPStatus.FORBIDDEN, message, "origin_not_allowed")
        if not _is_this_machine(request.headers.get("host", [])):
            return refusal(http.HTTPStatus.FORBIDDEN, "Wrong host.", "wrong_host")
        return None

    def _denied_key(
        self, headers: Mapping[str, list[str]], *, ephemeral: bool
    ) -> PlainResponse | None:
        key = _api_key(headers)
        if hmac.compare_digest(_bytes(key), _bytes(self._token())):
            return None
        if key.startswith(PREFIX):
            if ephemeral and self._secrets.opening(key) is not None:
                return None
            message = (
                "This ephemeral key has expired, or is not of this server. Make a new one."
                if ephemeral
                else "An ephemeral key opens sessions and does nothing else; give the token."
            )
            return refusal(http.HTTPStatus.UNAUTHORIZED, message, "invalid_api_key")
        what = "Incorrect API key provided." if key else "Missing bearer authentication."
        where = "`server.token` in Python; `realtime-nb serve` prints it when it starts"
        message = f"{what} Use this local server's token: {where}."
        code = "invalid_api_key" if key else None
        return refusal(http.HTTPStatus.UNAUTHORIZED, message, code)

    def _for_page(self, request: PlainRequest, response: PlainResponse) -> PlainResponse:
        """Returns the answer with what a page of an allowed origin needs to read it."""
        origin = next(iter(request.headers.get("origin", [])), None)
        if origin not in self._origins or origin is None:
            return response
        fields = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        return replace(response, headers=[*response.headers, *fields])

    # --- what ---

    def _routed(self, request: PlainRequest, path: str) -> PlainResponse:
        allowed = _METHODS.get(path)
        if allowed is None:
            message = _INSTEAD.get(path, f"The Realtime endpoint is {PATH}.")
            return refusal(http.HTTPStatus.NOT_FOUND, message, "not_found")
        if request.method == "OPTIONS" and request.headers.get("origin"):
            fields = [
                ("Access-Control-Allow-Methods", f"{allowed}, OPTIONS"),
                ("Access-Control-Allow-Headers", "Authorization, Content-Type, OpenAI-Beta"),
                ("Access-Control-Max-Age", "600"),
            ]
            return PlainResponse(http.HTTPStatus.NO_CONTENT, headers=fields)
        if request.method != allowed:
            hint = ", as a WebSocket" if path == PATH else ""
            message = f"{request.method} is not allowed here; {path} takes {allowed}{hint}."
            denied = refusal(http.HTTPStatus.METHOD_NOT_ALLOWED, message, "method_not_allowed")
            return replace(denied, headers=[*denied.headers, ("Allow", allowed)])
        denied_key = self._denied_key(request.headers, ephemeral=False)
        if denied_key is not None:
            return denied_key
        return self._models() if path == _MODELS else self._make_secret(request.body)

    def _models(self) -> PlainResponse:
        """Lists what sessions may name, though any name will do, and the engines behind it."""
        names = dict.fromkeys(["local", *self._engines.names.values()])
        data = [
            {"id": name, "object": "model", "created": 0, "owned_by": "realtime-nb"}
            for name in names
        ]
        return as_json({"object": "list", "data": data})

    def _make_secret(self, body: bytes) -> PlainResponse:
        bad = http.HTTPStatus.BAD_REQUEST
        try:
            asked = msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            return refusal(bad, f"The body is no JSON: {error}.", "invalid_json")
        if not isinstance(asked, dict):
            return refusal(bad, "The body must be a JSON object.", "invalid_type")
        try:
            return as_json(self._secrets.make(asked))
        except Refused as refused:
            problem = refused.problem
            limited = problem.code == "rate_limit_exceeded"
            status = http.HTTPStatus.TOO_MANY_REQUESTS if limited else bad
            return refusal(status, problem.message, problem.code, problem.param)


def _opens_nothing(request: PlainRequest) -> PlainResponse | None:
    """Returns why a GET opens no session: it asks for no WebSocket, or for somebody's call."""
    upgrades = ",".join(request.headers.get("upgrade", [])).lower()
    if "websocket" not in upgrades:
        message = f"{PATH} is a WebSocket; connect with a client for those."
        denied = refusal(http.HTTPStatus.UPGRADE_REQUIRED, message, "upgrade_required")
        return replace(denied, headers=[*denied.headers, ("Upgrade", "websocket")])
    if "call_id" in parse_qs(request.target.partition("?")[2]):
        message = (
            "There is no such call: this server speaks WebSocket, no WebRTC or SIP. Leave call_id "
            "out and name a model."
        )
        return refusal(http.HTTPStatus.NOT_FOUND, message, "not_found", "call_id")
    return None


def _path_of(target: str) -> str:
    return target.partition("?")[0].rstrip("/")


def _api_key(headers: Mapping[str, list[str]]) -> str:
    """Returns the key from the bearer header, Azure's ``api-key`` header or a browser's
    sub-protocol."""
    for line in headers.get("authorization", []):
        scheme, _, bearer = line.partition(" ")
        if scheme.lower() == "bearer" and bearer.strip():
            return bearer.strip()
    offered = [
        name.strip()
        for line in headers.get("sec-websocket-protocol", [])
        for name in line.split(",")
    ]
    keys = [
        *headers.get("api-key", []),
        *(name.removeprefix(_KEY_PREFIX) for name in offered if name.startswith(_KEY_PREFIX)),
    ]
    return next(filter(None, keys), "")


def _is_this_machine(hosts: Sequence[str]) -> bool:
    if len(hosts) != 1:
        return False
    try:
        return urlsplit(f"//{hosts[0]}").hostname in ("127.0.0.1", "localhost", "::1")
    except ValueError:
        return False


def _bytes(key: str) -> bytes:
    # Headers may hold bytes that are no UTF-8; they arrive as lone surrogates.
    return key.encode("utf-8", "surrogateescape")
