"""What is sent, as it is remembered and shown: without keys, whoever put them there."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from realtime_nb.archive.redaction import may_hold_secrets, without_known, without_secrets
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.wire import WireEvent

__all__ = ["Cleaning"]


class Cleaning:
    """Takes keys out of events of one session, which the wire carries as they are.

    Args:
        secrets: the keys that it was opened with.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = list(secrets)

    def remembered(self, event: JsonObject) -> JsonObject:
        """Returns an event as it is folded in: without our own keys, as what servers send is."""
        cleaned: JsonObject = without_known(event, self._secrets)
        return cleaned

    def shown(self, crossed: WireEvent) -> WireEvent:
        """Returns an event as views get it: without what a recording would leave out, too."""
        if crossed.pcm is not None:  # nothing but audio, made here or cleaned as it came
            return crossed
        raw = self.remembered(crossed.raw)
        try:
            if may_hold_secrets(msgspec.json.encode(raw)):
                raw = without_secrets(raw)
        except (RecursionError, TypeError, ValueError) as error:  # no server would get it, either
            raw = {"type": str(raw.get("type")), "problem": f"can't be shown: {error}"}
        return crossed if raw is crossed.raw else msgspec.structs.replace(crossed, raw=raw)
