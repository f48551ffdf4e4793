"""Ephemeral keys: what a page or a phone is given instead of the server's token.

One opens sessions, any number of them, until it expires; a session that is open goes on. It can
make no other keys. The session that it was made with is what those sessions begin as.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from realtime_nb.protocol.problems import Problem, Refused
from realtime_nb.protocol.sessions import new_session, updated_session
from realtime_nb.protocol.wire import JsonObject

__all__ = ["PREFIX", "ClientSecret", "ClientSecrets"]

PREFIX = "ek_"
USUAL_S, LEAST_S, MOST_S = 600, 10, 7_200
MOST_SECRETS = 1_000
"""That are valid at once."""


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """One key.

    Attributes:
        value: what its holder gives as API key.
        expires_at: unix seconds.
        session_type: of the sessions that it opens.
        model: that they name, unless the URL names another.
        patch: the settings that they begin with.
    """

    value: str
    expires_at: int
    session_type: Literal["realtime", "transcription"]
    model: str
    patch: JsonObject


class ClientSecrets:
    """The keys that are valid.

    Args:
        clock: unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._secrets: dict[str, ClientSecret] = {}

    def make(self, body: JsonObject) -> JsonObject:
        """Returns the answer to ``POST /v1/realtime/client_secrets``.

        Raises:
            Refused: what is asked for can't be.
        """
        for name in body.keys() - {"session", "expires_after"}:
            raise Refused(Problem("unknown_parameter", f"Unknown parameter: '{name}'.", name))
        asked = body.get("session")
        if asked is None:
            asked = {"type": "realtime"}
        if not isinstance(asked, dict):
            raise _wrong_type("session", "an object")
        seconds = _seconds(body.get("expires_after"))
        session_type = asked.get("type")
        kind: Literal["realtime", "transcription"] = (
            "transcription" if session_type == "transcription" else "realtime"
        )
        model = asked.get("model")
        patch = {key: value for key, value in asked.items() if key != "model"}
        if model is not None and not isinstance(model, str):
            raise _wrong_type("session.model", "a string")
        model = model or "local"  # as it is told, so that the key opens what it is said to open
        shown = new_session(kind, model, f"sess_{secrets.token_hex(10)}", 0)
        shown = updated_session(shown, patch, has_spoken=False)
        now_s = self._clock()
        self._secrets = {k: one for k, one in self._secrets.items() if one.expires_at > now_s}
        if len(self._secrets) >= MOST_SECRETS:
            message = f"{MOST_SECRETS} client secrets are valid. Wait until one expires."
            raise Refused(Problem("rate_limit_exceeded", message))
        value = PREFIX + secrets.token_hex(16)
        expires_at = int(now_s) + seconds
        self._secrets[value] = ClientSecret(value, expires_at, kind, model, patch)
        return {"value": value, "expires_at": expires_at, "session": shown}

    def opening(self, key: str) -> ClientSecret | None:
        """Returns the secret that a key is, while it is valid."""
        given = key.encode("utf-8", "surrogateescape")
        known = (
            one for one in self._secrets.values() if hmac.compare_digest(one.value.encode(), given)
        )
        secret = next(known, None)
        return secret if secret is not None and secret.expires_at > self._clock() else None


def _seconds(expires_after: object) -> int:
    if expires_after is None:
        return USUAL_S
    if not isinstance(expires_after, dict):
        raise _wrong_type("expires_after", "an object")
    for name in expires_after.keys() - {"anchor", "seconds"}:
        path = f"expires_after.{name}"
        raise Refused(Problem("unknown_parameter", f"Unknown parameter: '{path}'.", path))
    anchor = expires_after.get("anchor", "created_at")
    if anchor != "created_at":
        message = f"Invalid value: '{anchor}'. Supported values are: 'created_at'."
        raise Refused(Problem("invalid_value", message, "expires_after.anchor"))
    seconds = expires_after.get("seconds", USUAL_S)
    path = "expires_after.seconds"
    if isinstance(seconds, bool) or not isinstance(seconds, int):
        raise _wrong_type(path, "an integer")
    for code, side, wrong, bound in (
        ("below_min", "below minimum", seconds < LEAST_S, f">= {LEAST_S}"),
        ("above_max", "above maximum", seconds > MOST_S, f"<= {MOST_S}"),
    ):
        if wrong:
            message = (
                f"Invalid '{path}': integer {side} value. "
                f"Expected a value {bound}, but got {seconds} instead."
            )
            raise Refused(Problem(f"integer_{code}_value", message, path))
    return seconds


def _wrong_type(param: str, wanted: str) -> Refused:
    return Refused(
        Problem("invalid_type", f"Invalid type for '{param}': expected {wanted}.", param)
    )
