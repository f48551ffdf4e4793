"""Keeps keys, tokens and headers out of what is written down."""

from __future__ import annotations

import re

from realtime_nb.protocol.events import JsonObject

__all__ = ["REMOVED", "may_hold_secrets", "without_secrets"]

REMOVED = "[removed]"
"""What stands where a secret was."""

_KEYS = {"authorization", "api_key", "client_secret", "token"}
_IN_JSON = re.compile(rb'"(?:authorization|api[_-]key|client[_-]secret|token|headers[^"]*)":', re.I)


def may_hold_secrets(encoded: bytes) -> bool:
    """Tells whether compact JSON has a key that `without_secrets` would look at; quick."""
    return _IN_JSON.search(encoded) is not None


def without_secrets(content: JsonObject) -> JsonObject:
    """Returns a copy in which the values of ``authorization``, ``api_key``, ``client_secret`` and
    ``token`` are ``"[removed]"``, and so is each value inside ``headers``, at any depth.

    Upper case and hyphens make no difference. In a JSON schema, where the keys under
    ``properties`` are the names of parameters, a parameter's description stays.
    """
    return {key: _cleaned(key, value, described=False) for key, value in content.items()}


def _cleaned(key: str, value: object, described: bool) -> object:
    name = key.lower().replace("-", "_")
    if value is not None and not (described and isinstance(value, dict)):
        if name in _KEYS:
            return REMOVED
        if name.split(".")[0] == "headers":
            return dict.fromkeys(value, REMOVED) if isinstance(value, dict) else REMOVED
    return _inside(value, described=name == "properties")


def _inside(value: object, described: bool) -> object:
    if isinstance(value, list):
        return [_inside(part, described=False) for part in value]
    if isinstance(value, dict):
        return {key: _cleaned(key, part, described) for key, part in value.items()}
    return value
