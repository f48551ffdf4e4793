"""When the user spoke, whoever says so: turn detection, or the offline detector without it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.user_turns import find_user_turns

__all__ = ["Spoken", "user_speech"]


@dataclass(frozen=True, slots=True)
class Spoken:
    """A stretch of the user's speech, without padding and silence window.

    Attributes:
        start_s, end_s: when it was captured; NaN where that is not known.
        source: who says so, ``server`` or, of one of them at least, ``offline_vad``.
        text: what was said, as far as it was transcribed.
    """

    start_s: float
    end_s: float
    source: str
    text: str = ""


def user_speech(rec: Recorded) -> list[Spoken]:
    """Returns the user's speech in order of time.

    It is what turn detection reported; of turns without it (push-to-talk), and with
    ``semantic_vad``, whose reports have no fixed windows to take off, it is from the turn's first
    voice to its last, as the offline detector hears them. Where nothing was ever detected (also in
    a bare audio file), so is what belongs to no turn.
    """
    found = [*_reported(rec), *_of_turns(rec)]
    if not rec.conversation.speech:
        spans = [(one.start_s, one.end_s) for one in found]
        found += [
            Spoken(start_s, end_s, rec.voices.source)
            for start_s, end_s in rec.voices.user
            if not any(start_s < until_s and from_s < end_s for from_s, until_s in spans)
        ]
    known = [one for one in found if not math.isnan(one.start_s + one.end_s)]
    return sorted(known, key=lambda one: (one.start_s, one.end_s))


def _reported(rec: Recorded) -> Iterator[Spoken]:
    items = rec.conversation.items
    for heard in records(rec.speech):
        text = items[heard["item_id"]].text if heard["item_id"] in items else ""
        sources = {heard["onset_source"], heard["offset_source"]}
        source = "server" if sources == {"server"} else rec.voices.source
        yield Spoken(heard["onset_s"], heard["offset_s"], source, text)


def _of_turns(rec: Recorded) -> Iterator[Spoken]:
    """Yields those of which turn detection said nothing."""
    spoken = [turn for turn in find_user_turns(rec.conversation) if turn.source == "speech"]
    if all(turn.speech for turn in spoken):
        return  # the table of turns would listen to all of the audio
    for turn in records(rec.turns):
        if turn["source"] == "speech" and math.isnan(turn["audio_start_ms"]):
            start_s = rec.input_clock.onset(turn["onset_ms"])
            end_s = rec.input_clock.wall(turn["offset_ms"])
            yield Spoken(
                start_s, end_s, turn["onset_source"] or rec.voices.source, turn["user_text"]
            )
