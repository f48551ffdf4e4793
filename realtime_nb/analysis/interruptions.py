"""Who interrupted the agent, what that came to, and who tried in vain."""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from realtime_nb.analysis.columns.frames import frame
from realtime_nb.analysis.connection_gaps import across, gap_spans, is_broken_off, lost_at_s
from realtime_nb.analysis.echo import echo_score
from realtime_nb.analysis.table_cells import between_ms, or_nan, rest_ms
from realtime_nb.analysis.turn_moments import Boundaries, boundaries_of
from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.analysis.voices import TimeSpan, common_spans, spans_length
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.protocol.conversation import Conversation, Item, Speech
from realtime_nb.protocol.records import UNHEARD_MS

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.analysis.recorded import Recorded

__all__ = [
    "BACKCHANNELS",
    "PHANTOM_PHRASES",
    "interruptions",
    "playback_spans",
]

PHANTOM_PHRASES = frozenset(
    {
        "thanks for watching",
        "thank you for watching",
        "thank you so much for watching",
        "please subscribe",
        "please like and subscribe",
        "like and subscribe",
        "see you in the next video",
        "subtitles by the amara org community",
        "subtitles by amara org",
        "transcribed by otter ai",
    }
)
"""What speech recognition makes of noise; nobody says it to an agent."""

_DOUBTFUL_PHRASES = frozenset({"thank you", "thanks", "you", "bye", "bye bye", "so", "the"})
"""The same, if there was hardly any voice in the audio; else somebody did say it."""

BACKCHANNELS = frozenset(
    {
        *(
            "ah",
            "aha",
            "alright",
            "all right",
            "got it",
            "hm",
            "hmm",
            "huh",
            "i see",
            "interesting",
        ),
        *("mhm", "mm", "mm hm", "mm hmm", "mmhmm", "oh", "ok", "okay", "right", "sure", "uh"),
        *("uh huh", "uhhuh", "um", "wow", "yeah", "yep", "yes", "yup", "cool", "great"),
    }
)
"""What a listener says who does not want the floor; repetitions count, too."""

_NOISE_MARK = re.compile(r"[\[(<*♪][^\])>*♪]*[\])>*♪]")
_NOT_A_WORD = re.compile(r"[^\w']+|_+")

Cause = Literal["user", "empty", "phantom_phrase", "short", "echo", "backchannel", "program"]

_MISSED_MS = 300.0
_DETECTED_WITHIN_S = 0.5
_HARDLY_VOICED_MS = 300.0
_REPORT_SLACK_S = 0.1
"""By so much may a report of playback differ from the moment that it reports."""


def interruptions(
    rec: Recorded, *, min_ms: float = 250.0, echo_threshold: float = 0.35
) -> pd.DataFrame:
    """Returns one row per interruption of the agent and per barge-in that was missed or heard late,
    in order of time.

    An interruption is an agent's message that was being played and was stopped before its end: its
    playback was flushed, it was truncated, or its response cancelled by turn detection. Where
    playback was not reported, each response that turn detection cancelled is one, with or without
    a message. A missed barge-in is speech over the agent's playback, of at least 300 ms by the
    offline detector and not its echo, of which the server reported nothing; a late one is such
    speech that it reported after more than 500 ms. What a lost connection cut off, or kept from the
    server, is neither.

    A log without times tells who interrupted by the order of its events.

    Args:
        rec: the session.
        min_ms: user speech shorter than that did not mean to interrupt.
        echo_threshold: from which ``echo_score`` on it was the agent's own voice.
    """
    scene = _Scene(rec, min_ms, echo_threshold)
    rows = [*scene.interruptions(), *scene.missed()]
    rows.sort(key=lambda row: _sort_key(row["onset_s"], row.get("stopped_s")))
    return frame("interruptions", rows)


def _sort_key(*moments: object) -> float:
    known = (one for one in moments if isinstance(one, float) and not math.isnan(one))
    return next(known, math.inf)


def playback_spans(conversation: Conversation, end_s: float) -> list[tuple[TimeSpan, Item]]:
    """Returns when each message was played, from its first sample to its last, in order of time."""
    found = [
        ((item.played_s, end_s if item.stopped_s is None else item.stopped_s), item)
        for item in conversation.items.values()
        if item.played_s is not None
    ]
    return sorted(found, key=lambda entry: entry[0])


@dataclass(frozen=True, slots=True)
class _UserSpeech:
    """What the user said over the agent, as far as it is known."""

    speech: Speech | None
    boundaries: Boundaries
    onset_s: float
    detected_s: float


class _Scene:
    """A session with everything that the rows are made from."""

    def __init__(self, rec: Recorded, min_ms: float, echo_threshold: float) -> None:
        self.rec = rec
        self.min_ms = min_ms
        self.echo_threshold = echo_threshold
        self.conversation = rec.conversation
        self.voices = rec.voices
        self.turns = find_user_turns(self.conversation)
        self.numbers = {item.id: turn.number for turn in self.turns for item in turn.items}
        self.numbers |= {each.id: turn.number for turn in self.turns for each in turn.responses}
        self.gaps = gap_spans(self.conversation)
        self.timed = "times" not in self.conversation.gaps
        self.speech = sorted(
            (heard for heard in self.conversation.speech if heard.started_s is not None),
            key=lambda heard: heard.started_s or 0.0,
        )
        self.started_s = [heard.started_s or 0.0 for heard in self.speech]
        self.playback = playback_spans(self.conversation, rec.duration_s)
        clock = rec.input_clock
        spans = (
            (clock.onset(start_ms), clock.wall(end_ms), start_ms, end_ms)
            for start_ms, end_ms in self.voices.user_ms
        )
        # The appends of some may be lost; when these were said is unknown.
        self.user = [span for span in spans if not math.isnan(span[0] + span[1])]

    # --- interruptions ---

    def interruptions(self) -> Iterator[dict[str, object]]:
        known = self.conversation.playback_known
        spoken = [item for item in self.conversation.items.values() if item.role == "assistant"]
        for item in spoken:
            if self._was_cut(item, known):
                yield self._interruption(item, known)
        if known:
            return
        begun = {item.response_id for item in spoken}
        for response in self.conversation.responses.values():
            if response.interrupted and response.id not in begun:
                yield self._interruption(Item("", response_id=response.id), known)

    def _was_cut(self, item: Item, playback_known: bool) -> bool:
        if playback_known and item.played_s is None:
            return False  # nobody heard any of it
        if is_broken_off(self.conversation, item) and not self._was_heard_since(item):
            return False  # a lost connection is no interruption
        if item.playback_dropped or item.remembered_ms < item.audio_ms - UNHEARD_MS:
            return True
        response = self.conversation.responses.get(item.response_id or "")
        if response is None or not response.interrupted:
            return False
        return not playback_known or self._heard_over(item) is not None

    def _was_heard_since(self, item: Item) -> bool:
        """Tells whether the user spoke over what was left of an answer after its connection was
        lost."""
        heard = self._heard_over(item)
        lost_s = lost_at_s(self.conversation, item.response_id)
        return heard is not None and or_nan(heard.started_s) > lost_s

    def _span_s(self, item: Item) -> TimeSpan:
        """Returns when it was played; without reports of that, when it may have been."""
        if item.played_s is not None:
            return item.played_s, self.rec.duration_s if item.stopped_s is None else item.stopped_s
        begin_s = item.first_audio_s if item.first_audio_s is not None else math.inf
        return begin_s, begin_s + item.audio_ms / 1000

    def _heard_over(self, item: Item) -> Speech | None:
        """Returns the last speech that the server reported while the item was played."""
        if not self.timed:
            return self._heard_next(item)
        begin_s, end_s = self._span_s(item)
        index = bisect_right(self.started_s, end_s + _REPORT_SLACK_S) - 1
        return self.speech[index] if index >= 0 and self.started_s[index] >= begin_s else None

    def _heard_next(self, item: Item) -> Speech | None:
        """Returns the speech of the turn after the item's, which is what stopped it if speech
        did."""
        number = self.numbers.get(item.id) or self.numbers.get(item.response_id or "")
        if number is None or number == len(self.turns):
            return None
        return self.turns[number].speech

    def _user_speech(self, item: Item) -> _UserSpeech:
        heard = self._heard_over(item)
        if heard is not None:
            found = boundaries_of(heard, self.voices)
            onset_s = self.rec.input_clock.onset(found.onset_ms)
            return _UserSpeech(heard, found, onset_s, or_nan(heard.started_s))
        begin_s, end_s = self._span_s(item)
        index = bisect_left(self.user, end_s, key=lambda span: span[0]) - 1
        if index < 0 or self.user[index][0] < begin_s:
            return _UserSpeech(None, Boundaries(), math.nan, math.nan)
        onset_s, _, start_ms, stop_ms = self.user[index]
        source = self.voices.source
        return _UserSpeech(None, Boundaries(start_ms, source, stop_ms, source), onset_s, math.nan)

    def _interruption(self, item: Item, playback_known: bool) -> dict[str, object]:
        user = self._user_speech(item)
        user_item = (
            None if user.speech is None else self.conversation.items.get(user.speech.item_id)
        )
        stopped_s = or_nan(item.stopped_s)
        score = self._echo_score(user.boundaries, user.onset_s, stopped_s)
        cause = self._cause(item, user, user_item, score)
        played_ms = or_nan(item.played_ms)
        return {
            "kind": "interruption",
            "turn": self._turn_of(item),
            "item_id": item.id or None,
            "user_item": None if user.speech is None else user.speech.item_id,
            "onset_s": user.onset_s,
            "detected_s": user.detected_s,
            "stopped_s": stopped_s,
            "response_ms": between_ms(user.onset_s, stopped_s),
            "detection_ms": between_ms(user.onset_s, user.detected_s),
            "flush_ms": between_ms(user.detected_s, stopped_s),
            "played_ms": played_ms,
            "received_ms": item.audio_ms,
            "unheard_ms": rest_ms(item.audio_ms, played_ms),
            "remembered_ms": item.remembered_ms,
            "over_remembered_ms": rest_ms(item.remembered_ms, played_ms),
            "cause": cause,
            "false": cause not in ("user", "program"),
            "echo_score": score,
            "user_text": None if user_item is None else user_item.text,
            "source": user.boundaries.onset_source,
            "note": _note(user, user_item, playback_known),
        }

    def _turn_of(self, item: Item) -> float:
        number = self.numbers.get(item.id) or self.numbers.get(item.response_id or "")
        return or_nan(number)

    # --- causes ---

    def _cause(self, item: Item, user: _UserSpeech, user_item: Item | None, score: float) -> Cause:
        if user.speech is None and user.boundaries.onset_source is None:
            response = self.conversation.responses.get(item.response_id or "")
            by_voice = response is not None and response.interrupted
            return "user" if by_voice else "program"
        # Before the words: recognition makes some of the agent's own voice, too.
        if score >= self.echo_threshold:
            return "echo"
        if user_item is not None and user_item.transcript == "completed":
            cause = _cause_by_words(_plain_words(user_item.text), self._voiced_ms(user))
            if cause is not None:
                return cause
        return "short" if self._length_ms(user) < self.min_ms else "user"

    def _length_ms(self, user: _UserSpeech) -> float:
        return user.boundaries.offset_ms - user.boundaries.onset_ms

    def _voiced_ms(self, user: _UserSpeech) -> float:
        """Returns how much voice the offline detector hears in it; NaN where there is no audio."""
        if not len(self.rec.sound("input")) or math.isnan(self._length_ms(user)):
            return math.nan
        window = [(user.boundaries.onset_ms, user.boundaries.offset_ms)]
        return spans_length(common_spans(self.voices.user_ms, window))

    def _echo_score(self, found: Boundaries, onset_s: float, until_s: float) -> float:
        """Returns the score of the user's audio from its onset to a little after the agent fell
        silent."""
        if math.isnan(found.onset_ms) or not len(self.rec.sound("output")):
            return math.nan
        end_ms = found.onset_ms + (until_s + 2 * _REPORT_SLACK_S - onset_s) * 1000
        if not math.isnan(found.offset_ms):
            end_ms = min(end_ms, found.offset_ms)
        if not end_ms > found.onset_ms:
            return math.nan
        per_ms = SAMPLE_RATE / 1000
        heard = self.rec.sound("input")[round(found.onset_ms * per_ms) : round(end_ms * per_ms)]
        return echo_score(heard, self.rec.sound("output"), onset_s)

    # --- missed barge-ins ---

    def missed(self) -> Iterator[dict[str, object]]:
        if self.conversation.turn_detection is None and not self.speech:
            return  # nobody listens
        for start_s, end_s, start_ms, end_ms in self.user:
            for (begin_s, stop_s), item in self._played_between(start_s, end_s):
                over = (max(start_s, begin_s), min(end_s, stop_s))
                over_ms = round((over[1] - over[0]) * 1000, 3)
                if over_ms < _MISSED_MS or self._was_reported(over[0]):
                    continue
                if across(*over, self.gaps):
                    continue  # no server had it
                offset_ms = start_ms + (over[0] - start_s) * 1000
                source = self.voices.source
                found = Boundaries(offset_ms, source, end_ms, source)
                score = self._echo_score(found, over[0], stop_s)
                if not score >= self.echo_threshold:
                    late = self._reported_late(over[0], (offset_ms, end_ms))
                    yield self._missed(item, over[0], score, late)
                break

    def _played_between(self, start_s: float, end_s: float) -> Sequence[tuple[TimeSpan, Item]]:
        last = bisect_left(self.playback, end_s, key=lambda entry: entry[0][0])
        first = last
        while first > 0 and self.playback[first - 1][0][1] > start_s:
            first -= 1
        return self.playback[first:last]

    def _was_reported(self, onset_s: float) -> bool:
        """Tells whether the server heard it at the latest 500 ms after its onset, or already
        before."""
        index = bisect_right(self.started_s, onset_s + _DETECTED_WITHIN_S) - 1
        if index < 0:
            return False
        stopped_s = self.speech[index].stopped_s
        return stopped_s is None or stopped_s >= onset_s

    def _reported_late(self, onset_s: float, span_ms: TimeSpan) -> Speech | None:
        """Returns what the server reported later of the same stretch of audio; None where nothing
        came."""
        begin_ms, end_ms = span_ms
        for heard in self.speech[bisect_right(self.started_s, onset_s + _DETECTED_WITHIN_S) :]:
            until_ms = math.inf if heard.audio_end_ms is None else heard.audio_end_ms
            if heard.audio_start_ms < end_ms and until_ms > begin_ms:
                return heard
        return None

    def _missed(
        self, item: Item, onset_s: float, score: float, late: Speech | None
    ) -> dict[str, object]:
        detected_s = math.nan if late is None else or_nan(late.started_s)
        user_item = None if late is None else self.conversation.items.get(late.item_id)
        note = "the server reported no speech"
        if late is not None:
            note = f"the server reported it after {detected_s - onset_s:.1f} s"
        return {
            "kind": "missed" if late is None else "late",
            "turn": self._turn_of(item),
            "item_id": item.id,
            "user_item": None if late is None else late.item_id,
            "onset_s": onset_s,
            "detected_s": detected_s,
            "detection_ms": between_ms(onset_s, detected_s),
            "cause": "user",
            "false": False,
            "echo_score": score,
            "user_text": None if user_item is None else user_item.text,
            "source": self.voices.source,
            "note": note,
        }


def _plain_words(text: str) -> str:
    """Returns a transcript in lower case without punctuation and marks of noise."""
    return " ".join(_NOT_A_WORD.sub(" ", _NOISE_MARK.sub(" ", text.lower())).split())


def _cause_by_words(words: str, voiced_ms: float) -> Cause | None:
    if not words:
        return "empty"
    if words in PHANTOM_PHRASES or (words in _DOUBTFUL_PHRASES and voiced_ms < _HARDLY_VOICED_MS):
        return "phantom_phrase"
    if words in BACKCHANNELS or all(word in BACKCHANNELS for word in words.split()):
        return "backchannel"
    return None


def _note(user: _UserSpeech, user_item: Item | None, playback_known: bool) -> str | None:
    notes = []
    if not playback_known:
        notes.append("playback was not reported")
    if user.speech is None:
        notes.append("the server reported no speech")
    elif math.isnan(user.onset_s):
        notes.append("when the user's speech began is unknown")
    if user.speech is not None and (user_item is None or user_item.transcript != "completed"):
        notes.append("the user's speech was not transcribed")
    return "; ".join(notes) or None
