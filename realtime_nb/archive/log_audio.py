"""The audio that the events of a log hold, and whether it is all there."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterable

from realtime_nb.audio.pcm import Resampler
from realtime_nb.audio.wire import WireDecoder
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import PCM, session_format
from realtime_nb.protocol.dialect import Side, audio_field
from realtime_nb.protocol.events import AudioRef, JsonObject

__all__ = ["LoggedAudio", "is_sliced"]

_WAV: dict[Side, str] = {"input": "input.wav", "output": "received.wav"}

_SHORTEST_CHARS, _SLICE_CHARS = 8, 104
"""Nobody sends audio in pieces of less than some ms; a log of their beginnings does."""


class LoggedAudio:
    """Moves audio out of the events of a log.

    Args:
        events: all of them, of either dialect.
        from_client: whether the log has no word of the server on the formats.

    Attributes:
        pcm: what was found, by the name of the WAV file in which a recording keeps it.
        sides: how many events had, or should have had, audio.
        stripped: of which side audio was left out of some event, or cut to its beginning.
        elsewhere: whether events refer to WAV files.
        refused: formats that can't be read, in sentences.
    """

    def __init__(self, events: Iterable[JsonObject], from_client: bool) -> None:
        self.pcm = {name: bytearray() for name in _WAV.values()}
        self.sides: Counter[Side] = Counter()
        self.stripped = _sliced_sides(events)
        self._sliced = frozenset(self.stripped)
        self.elsewhere = False
        self.refused: set[str] = set()
        self._from_client = from_client
        self._formats: dict[Side, tuple[str, int]] = {}
        self._decoders: dict[Side, WireDecoder] = {}
        self._resamplers: dict[Side, Resampler] = {}

    def follow(self, event: JsonObject) -> None:
        """Takes the formats of a session in GA form: the server's, or what a client asked for if
        the log has no word of the server."""
        asked = event.get("type") == "session.update"
        if asked and not self._from_client:
            return
        for side in _WAV:
            held = session_format(event.get("session"), side)
            if not isinstance(held, dict):
                continue
            name, rate = str(held.get("type", PCM.type)), held.get("rate")
            if name != PCM.type or not isinstance(rate, int):
                rate = PCM.sample_rate
            wanted = (name, rate)
            if self._formats.get(side) != wanted:
                self._formats[side] = wanted
                self._decoders.pop(side, None)
                self._resamplers.pop(side, None)

    def take(self, event: JsonObject, recorded: bool) -> JsonObject:
        """Returns the event with a reference in place of its audio; as it is if it was recorded
        so."""
        place = audio_field(event["type"])
        if place is None:
            return event
        key, side = place
        self.sides[side] += 1
        if recorded:
            self.elsewhere = True
            return event
        name = _WAV[side]
        start = len(self.pcm[name]) // 2
        wire = b"" if side in self._sliced else _payload(event.get(key))
        if wire:
            self.pcm[name] += self._decode(side, wire)
        else:
            self.stripped.add(side)
        samples = len(self.pcm[name]) // 2 - start
        return {**event, key: {"file": name, "start": start, "samples": samples}}

    def read(self, reference: AudioRef) -> bytes:
        """Returns the PCM16 that a reference speaks of, as much of it as there is."""
        pcm = self.pcm.get(reference.file, bytearray())
        return bytes(pcm[2 * reference.start : 2 * (reference.start + reference.samples)])

    def forget(self, side: Side) -> None:
        """Leaves out the audio of a side of which it is not known where it lies."""
        self.pcm[_WAV[side]].clear()

    def finish(self) -> None:
        """Takes what filters still hold."""
        for side, resampler in self._resamplers.items():
            self.pcm[_WAV[side]] += resampler.process_pcm(b"", last=True)

    def _decode(self, side: Side, wire: bytes) -> bytes:
        name, rate = self._formats.get(side, (PCM.type, PCM.sample_rate))
        try:
            if side not in self._decoders:
                self._decoders[side] = WireDecoder(name)
                self._resamplers[side] = Resampler(rate, PCM.sample_rate)
            return self._resamplers[side].process_pcm(self._decoders[side].decode(wire))
        except ConfigurationError as error:
            self.refused.add(f"The {side} audio can't be read: {error}")
            self.stripped.add(side)
            return b""


def _sliced_sides(events: Iterable[JsonObject]) -> set[Side]:
    lengths: dict[Side, Counter[int]] = {}
    for event in events:
        place = audio_field(event["type"])
        payload = None if place is None else event.get(place[0])
        if place is not None and isinstance(payload, str):
            lengths.setdefault(place[1], Counter())[len(payload)] += 1
    return {side for side, counts in lengths.items() if is_sliced(counts)}


def _payload(value: object) -> bytes:
    """Returns the bytes of base64 text; none of whatever a log put in its place."""
    if not isinstance(value, str):
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return b""


def is_sliced(lengths: Counter[int]) -> bool:
    """Tells by how many characters the payloads of one side have whether only their beginnings were
    logged.

    They are when even the longest is shorter than any real one; or when most have one length that
    is a round number of characters and no round number of milliseconds.
    """
    longest = max(lengths, default=0)
    if not longest > _SHORTEST_CHARS:
        return False
    if longest <= _SLICE_CHARS:
        return True
    round_number = longest % 50 == 0 or longest & (longest - 1) == 0
    whole_ms = longest * 3 / 4 % 80 == 0  # ten of G.711; PCM16 has six times as many bytes
    often = lengths[longest] >= 3 and lengths[longest] * 2 >= sum(lengths.values())
    return often and round_number and not whole_ms
