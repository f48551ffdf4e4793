"""Takes known keys out of texts that come piece by piece."""

from __future__ import annotations

from collections.abc import Iterable

from realtime_nb.archive.redaction import without_known
from realtime_nb.errors.secret_shapes import REMOVED, SECRET_CHARS
from realtime_nb.protocol.events import JsonObject

__all__ = ["SpelledSecrets"]

_GIVEN_AWAY = 3
"""So many characters of a key may be told before it is suspected: words end as keys begin, and a
text that waited for each of them would stutter."""

_MAX_TEXTS = 64


class SpelledSecrets:
    """Texts of a server that come as deltas, without the keys that they spell.

    What may be the beginning of a key is kept back until the next delta tells. What is kept back
    when the last one has come is in the event that ends the text, if it was no key.

    Args:
        secrets: the keys, in every form in which somebody may repeat them.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [one for one in secrets if len(one) >= SECRET_CHARS]
        self._texts: dict[tuple[object, ...], tuple[str, str]] = {}

    def cleaned(self, event: JsonObject) -> JsonObject:
        """Returns an event of the server without keys: those that it holds, and those that it
        spells together with the deltas before it."""
        cleaned: JsonObject = without_known(event, self._secrets)
        name, delta = str(event.get("type")), event.get("delta")
        spells = name.endswith(".delta") and not name.endswith("audio.delta")
        if not (self._secrets and spells and isinstance(delta, str)):
            return cleaned
        text = (name, *(str(event.get(key)) for key in ("item_id", "call_id", "content_index")))
        told, kept = self._texts.pop(text, ("", ""))
        shown, told, kept = self._next(told, kept + delta)
        self._texts[text] = told, kept
        if len(self._texts) > _MAX_TEXTS:
            self._texts.pop(next(iter(self._texts)))
        return {**cleaned, "delta": shown}

    def _next(self, told: str, more: str) -> tuple[str, str, str]:
        """Returns what to show of more text, the end of what was told by then, and what is kept
        back."""
        whole, at, shown = told + more, len(told), ""
        begin = 0
        while found := self._first(whole, begin):
            start, end = found
            shown += whole[at:start] + REMOVED
            begin = at = end
        kept_from = max(at, self._suspected(whole, begin))
        return shown + whole[at:kept_from], whole[begin:kept_from][-_GIVEN_AWAY:], whole[kept_from:]

    def _first(self, text: str, begin: int) -> tuple[int, int] | None:
        """Returns where the first key in a text begins and ends, the longest of those there."""
        places = ((text.find(one, begin), -len(one)) for one in self._secrets)
        start, length = min((place for place in places if place[0] >= 0), default=(-1, 0))
        return None if start < 0 else (start, start - length)

    def _suspected(self, text: str, begin: int) -> int:
        """Returns from where on a text may be a key that is not whole yet; its end if nowhere."""
        longest = max(map(len, self._secrets))
        for start in range(max(begin, len(text) - longest + 1), len(text) - _GIVEN_AWAY):
            if any(one.startswith(text[start:]) for one in self._secrets):
                return start
        return len(text)
