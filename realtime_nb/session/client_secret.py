"""Ephemeral keys: what a page or a phone may hold instead of the key of the account."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from realtime_nb.errors import ConfigurationError, ConnectionFailedError, at_call
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.config import SESSION_OPTIONS, session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.endpoints import Endpoint, RunningServer, resolve
from realtime_nb.tools import ToolSource, collect, definitions

__all__ = ["EphemeralKey", "client_secret"]

_SHORTEST_S, _LONGEST_S = 10, 7_200
_PATIENCE_S = 15.0
_MOST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class EphemeralKey:
    """An ephemeral key and what it opens.

    Attributes:
        value: the key (``ek_…``); it does not show in a repr.
        expires_at: until when sessions can be opened with it; those that are open go on.
        endpoint: the server, to be connected to with this key: ``rt.connect(secret.endpoint)``.
        session: the settings that sessions opened with it begin with.
    """

    value: str
    expires_at: datetime
    endpoint: Endpoint
    session: JsonObject = field(default_factory=dict)

    def __repr__(self) -> str:  # words that a line of a page may break between
        until = f"{self.expires_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"<EphemeralKey until {until} {self.endpoint.shown_url}>"


@at_call
async def client_secret(
    endpoint: str | Endpoint | RunningServer = "openai",
    *,
    expires_s: int = 600,
    tools: ToolSource | None = None,
    **options: Any,
) -> EphemeralKey:
    """Returns an ephemeral key for a server, made with the key of the account.

    Args:
        endpoint: ``"openai"``, an ``rt.Endpoint`` with the account's key, or a running
            ``rt.serve()``.
        expires_s: for how long it opens sessions, 10 to 7,200 s.
        tools: what the model is told of functions, as for ``rt.connect``; they are called where the
            key is used, and run by whoever uses it.
        options: settings that these begin with, as ``rt.connect`` takes them.

    Raises:
        ConfigurationError: an unknown option, or a time that is too short or too long.
        ToolError: one of the tools can't be described.
        ConnectionFailedError: the server gives none.
    """
    if isinstance(expires_s, bool) or not isinstance(expires_s, int):
        raise ConfigurationError(f"expires_s is {expires_s!r}; give whole seconds.")
    if not _SHORTEST_S <= expires_s <= _LONGEST_S:
        raise ConfigurationError(
            f"expires_s is {expires_s}; give {_SHORTEST_S} to {_LONGEST_S:,} seconds."
        )
    server = resolve(endpoint)
    if server is None:
        raise ConfigurationError(
            '"local" is a server that is still to be started; give one that runs: '
            "rt.client_secret(await rt.serve())."
        )
    refuse_unknown(options, SESSION_OPTIONS, ("endpoint", "expires_s", "tools"))
    told_tools = None if tools is None else definitions(collect(tools))
    session = session_config(told_tools, **options)
    if server.model is not None:
        session["model"] = server.model
    asked = {
        "session": session,
        "expires_after": {"anchor": "created_at", "seconds": expires_s},
    }
    answer = await asyncio.to_thread(_posted, server, asked)
    try:
        value, expires_at = str(answer["value"]), datetime.fromtimestamp(answer["expires_at"], UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        raise ConnectionFailedError(
            f"{_address(server)} answered without a key. Does it give ephemeral ones?"
        ) from None
    headers = {k: v for k, v in server.headers.items() if k.lower() not in _KEY_HEADERS}
    opened = replace(server, headers={**headers, "Authorization": f"Bearer {value}"})
    told = answer.get("session")
    return EphemeralKey(value, expires_at, opened, told if isinstance(told, dict) else {})


_KEY_HEADERS = ("authorization", "api-key")


class _Stay(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: a redirect could take the key to another host."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _address(server: Endpoint) -> str:
    parts = urlsplit(server.shown_url)
    scheme = "https" if parts.scheme == "wss" else "http"
    return urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}/client_secrets", "", ""))


def _posted(server: Endpoint, asked: JsonObject) -> JsonObject:
    where = _address(server)
    headers = {**server.headers, "Content-Type": "application/json"}
    request = urllib.request.Request(where, json.dumps(asked).encode(), headers)
    proxies = [urllib.request.ProxyHandler({})] if server.is_loopback else []
    tls = [] if server.tls is None else [urllib.request.HTTPSHandler(context=server.tls)]
    opener = urllib.request.build_opener(_Stay, *proxies, *tls)
    code = None
    try:
        with opener.open(request, timeout=_PATIENCE_S) as response:
            content = response.read(_MOST_BYTES)
        answer = json.loads(content)
        if isinstance(answer, dict):
            return answer
        said = "it did not answer with a JSON object"
    except urllib.error.HTTPError as error:
        code = str(error.code)
        said = f"HTTP {error.code}{_words_in(error.read(_MOST_BYTES))}"
    except (OSError, ValueError) as error:
        said = str(getattr(error, "reason", error)) or type(error).__name__
    words = server.without_secrets(said).rstrip(".")
    raise ConnectionFailedError(
        f"{where} gave no ephemeral key: {words}. Check the URL and the key.", code
    )


def _words_in(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return f": {error['message']}"[:300]
    except (ValueError, KeyError, TypeError):
        text = body.decode("utf-8", "replace").strip()
        return f": {text[:200]}" if text else ""
