"""What keys and tokens look like, and a text without them.

A message of ours may quote a key that was given in the wrong place, an answer of somebody else's
may repeat one: neither may show it.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable

__all__ = [
    "REMOVED",
    "SECRET_CHARS",
    "SUSPICIOUS",
    "note_keys",
    "without_keys",
    "without_shapes",
]

REMOVED = "[removed]"
"""What stands where a secret was."""

SECRET_CHARS = 6
"""A text of fewer characters is no key, and taking it out would only spoil what it is part of."""

_MOST_KEYS = 256
"""Keys that are remembered so as not to be told; what was used earlier is forgotten."""

_NOTED: deque[str] = deque(maxlen=_MOST_KEYS)
_TOLD_CHARS = 8
"""A key of fewer characters is a word of some message."""

SUSPICIOUS = re.compile(
    rb"auth|key|secret|token|passw|passphrase|pwd|cookie|headers|credential|jwt|signature|bearer"
    rb"|://|sig=|code=|[sr]k[-_]|ek_|sess-|gh[opsu]_|github_pat_|hf_|xox[abeprs]-|AKIA|AIza|eyJ",
    re.I,
)
"""What any text has in which there is a secret that :func:`without_shapes` takes out."""

_SHAPES = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"[sr]k[-_][\w*-]{6,}"  # OpenAI, Anthropic, Stripe; a server masks the middle with stars
    r"|gsk_\w{8,}|ek_\w{6,}|sess-\w{8,}|hf_\w{12,}|gh[opsu]_\w{12,}|github_pat_\w{12,}"
    r"|xox[abeprs]-[\w-]{8,}|AKIA[A-Z0-9]{12,}|AIza[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # a JSON web token
    r")"
)
_BEARER = re.compile(
    r"(?i:\b(bearer)(?:\s|%20|\+)+)((?=[^\s\"'\\,;]*[^A-Za-z\s\"'\\,;.])[^\s\"'\\,;]{6,}"
    r"|[A-Za-z]{16,})"
)
_BASIC = re.compile(r"(?i:\b(authorization)(\W{1,6}basic\s+))[\w+/=-]{4,}")
_NAMED = re.compile(
    r"(?i)([\"']?)\b((?:[\w-]{0,40}?)(?:api[_-]?key|secret(?:[_-]key)?|access[_-]?key|private[_-]?key"
    r"|ephemeral[_-]key|(?:access|refresh|auth|id|session|api|bearer)[_-]token|token|password|passwd"
    r"|passphrase|authorization|credentials?|cookie|subscription[_-]?key|x-amz-signature))(\\*\1\s*[:=]\s*)"
    r"(?:(\\*\"|')((?:(?!\4)[^\n]){1,4000}?)\4|([^\s\"'\\,;&{}()\[\]<>]{4,}))"
)
_USER_IN_URL = re.compile(r"(\b[a-z][a-z0-9+.-]{1,20}://)[^\s/?#@\"']+@", re.I)
_QUERY_VALUE = re.compile(r"([?&](?:key|sig|code|auth|jwt|pwd)=)[^&\s\"'#\\]+", re.I)
_RANDOM = re.compile(r"(?<![\w/\\-])(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{32,}(?![\w-])")
"""What a key looks like that has no form of its own, as Azure's have none."""

_IN_ENVIRONMENT = re.compile(r"(?:^|_)(?:KEY|TOKEN|SECRET|PASSWORD)$", re.I)


def note_keys(keys: Iterable[str]) -> None:
    """Takes note of keys that are in use, so that no message of ours tells them."""
    for key in keys:
        if len(key) >= _TOLD_CHARS and key not in _NOTED:
            _NOTED.append(key)


def without_keys(message: str) -> str:
    """Returns a message of ours without keys: those in use or in the environment, and whatever
    looks like one."""
    environment = [value for name, value in os.environ.items() if _IN_ENVIRONMENT.search(name)]
    known = {one for one in (*_NOTED, *environment) if len(one) >= _TOLD_CHARS}
    for key in sorted(known, key=len, reverse=True):
        message = message.replace(key, REMOVED)
    return _RANDOM.sub(REMOVED, without_shapes(message))


def without_shapes(text: str) -> str:
    """Returns a text without what looks like a secret: keys of known forms, what follows ``Bearer``
    or the name of a secret, and the user of an address."""
    if not SUSPICIOUS.search(text.encode("utf-8", "replace")):
        return text
    text = _SHAPES.sub(REMOVED, text)
    text = _BEARER.sub(rf"\1 {REMOVED}", text)
    text = _BASIC.sub(rf"\1\2{REMOVED}", text)
    if "://" in text:
        text = _USER_IN_URL.sub(rf"\1{REMOVED}@", text)
        text = _QUERY_VALUE.sub(rf"\1{REMOVED}", text)
    return _NAMED.sub(_without_value, text)


def _without_value(found: re.Match[str]) -> str:
    """Returns a name and what joins it to its value; in running text a word stays a word."""
    quote, name, joint, value_quote, quoted, plain = found.groups()
    if quoted is not None:
        return f"{quote}{name}{joint}{value_quote}{REMOVED}{value_quote}"
    if "=" not in joint and plain.isalpha() and len(plain) < 16:
        return found[0]
    return f"{quote}{name}{joint}{REMOVED}"
