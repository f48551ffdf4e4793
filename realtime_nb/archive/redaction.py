"""Keeps keys, tokens and headers out of what is written down.

A secret is told by the name of the field that holds it, by its own shape, or because somebody knows
it: the key that a session was opened with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from realtime_nb.errors.secret_shapes import (
    REMOVED,
    SECRET_CHARS,
    SUSPICIOUS,
    without_shapes,
)
from realtime_nb.protocol.events import JsonObject

__all__ = ["may_hold_secrets", "without_known", "without_secrets"]

_DEEPEST = 200
"""What is nested deeper is left out: nobody meant it, and it may hold anything."""

# Names are compared in small letters, without what joins their words.
_JOINTS = re.compile(r"[\s_.-]+")
_NAMES = {
    *("authorization", "auth", "apikey", "token", "secret", "password", "passwd", "passphrase"),
    *("pwd", "credential", "credentials", "cookie", "setcookie", "jwt", "bearer", "signature"),
}
_ENDINGS = (
    *("authorization", "apikey", "password", "passwd", "passphrase", "secret", "secretvalue"),
    *("secretkey", "accesskey", "privatekey", "ephemeralkey", "subscriptionkey", "accountkey"),
    *("signingkey", "encryptionkey", "credential", "credentials", "accesskeyid", "cookie"),
    *("accesstoken", "refreshtoken", "idtoken", "authtoken", "bearertoken", "sessiontoken"),
    *("ephemeraltoken", "apitoken", "securitytoken", "hftoken", "githubtoken", "usertoken"),
)
_URL_NAME = re.compile(r"(?:url|uri|href|endpoint)$")
_QUERY = re.compile(r"[?#].*$", re.DOTALL)


def may_hold_secrets(encoded: bytes) -> bool:
    """Tells whether compact JSON has anything that `without_secrets` would look at; quick."""
    return SUSPICIOUS.search(encoded) is not None


def without_secrets(content: Mapping[str, Any]) -> JsonObject:
    """Returns a copy in which ``"[removed]"`` stands for every secret, at any depth.

    Those are the values of fields with such a name (``authorization``, ``api_key``,
    ``client_secret``, ``access_token``, ``password``, …; upper case and what joins the words make
    no difference), each value inside ``headers``, the query of an address in a field that is named
    as one, and in every text what :func:`without_shapes` knows. In a JSON schema, where the keys
    under ``properties`` are the names of parameters, a parameter's description stays.
    """
    return _cleaned_fields(content, described=False, depth=0)


def without_known(value: Any, secrets: Iterable[str]) -> Any:
    """Returns JSON, or a text, without these secrets, which somebody may have repeated; what holds
    none is returned as it is."""
    known = sorted({one for one in secrets if len(one) >= SECRET_CHARS}, key=len, reverse=True)
    return _replaced(value, known, 0) if known else value


def _replaced(value: Any, secrets: list[str], depth: int) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            if secret in value:
                value = value.replace(secret, REMOVED)
        return value
    if isinstance(value, dict | list) and depth > _DEEPEST:
        return REMOVED
    if isinstance(value, dict):
        return {
            _replaced(key, secrets, depth + 1): _replaced(part, secrets, depth + 1)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [_replaced(part, secrets, depth + 1) for part in value]
    return value


def _cleaned_fields(fields: Mapping[str, Any], described: bool, depth: int) -> JsonObject:
    if depth > _DEEPEST:
        raise RecursionError
    if "logprob" in fields:  # whose "token" is a piece of a word
        return {key: _inside(key, part, described, depth) for key, part in fields.items()}
    return {key: _cleaned(key, part, described, depth) for key, part in fields.items()}


def _cleaned(key: str, value: object, described: bool, depth: int) -> object:
    if value is not None and not (described and isinstance(value, dict)):
        name = _JOINTS.sub("", key).lower()
        if name in _NAMES or name.endswith(_ENDINGS):
            return REMOVED
        if re.split(r"[._]", key.lower())[0] == "headers":
            return dict.fromkeys(value, REMOVED) if isinstance(value, dict) else REMOVED
    return _inside(key, value, described, depth)


def _inside(key: str, value: object, described: bool, depth: int) -> object:
    if isinstance(value, str):
        if "://" in value and _URL_NAME.search(key.lower()):
            value = _QUERY.sub(lambda query: query[0][0] + REMOVED, value)
        return without_shapes(value)
    if isinstance(value, list):
        if depth > _DEEPEST:
            raise RecursionError
        return [_inside(key, part, False, depth + 1) for part in value]
    if isinstance(value, dict):
        return _cleaned_fields(value, key == "properties" and not described, depth + 1)
    return value
