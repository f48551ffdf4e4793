"""What a VAD lab knows of a session: fed with its events in their order, asked at any time.

It has no clock and no thread; whoever feeds it also reads it.
"""

from __future__ import annotations

import base64
import binascii
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from realtime_nb.analysis.agreement import reported_spans
from realtime_nb.analysis.vad_lab.agreed import LabAgreement, agreed
from realtime_nb.analysis.vad_lab.deafness import Deafness, deaf_stretches
from realtime_nb.analysis.vad_lab.evidence import change_sentence
from realtime_nb.analysis.vad_lab.ghosts import CANDIDATE, Ghost, Ghosts
from realtime_nb.analysis.vad_lab.labels import (
    Label,
    LabelKind,
    Labels,
    judged_spans,
    label_lines,
    true_spans,
)
from realtime_nb.analysis.vad_lab.pause_answers import (
    Completeness,
    HeardAudio,
    PauseAnswers,
    PauseQuestion,
)
from realtime_nb.analysis.vad_lab.run import Completion, Run, RunSpan, run_settings
from realtime_nb.analysis.vad_lab.scores import LabScore, ScoredTurn, score, scores_frame
from realtime_nb.analysis.vad_lab.settings import (
    SettingsLog,
    change_words,
    promoted,
)
from realtime_nb.analysis.vad_lab.stepping import Stepping
from realtime_nb.analysis.vad_lab.track import Frames, SpeechTrack
from realtime_nb.analysis.vad_lab.voice import ReferenceVoice
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.archive.lines import LabelLine
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.speech_engines import speech_engine
from realtime_nb.protocol.audio_formats import PCM, format_of, session_format
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.input_buffer import SpeechDetector
from realtime_nb.protocol.records import Speech
from realtime_nb.protocol.turn_detection import detection_code
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.protocol.wire import JsonObject, WireEvent

__all__ = ["CANDIDATE", "ServerSpan", "TurnLab"]

_ON_ITS_WAY_MS = 5_000.0
"""What began so recently may be a turn that the server has not told of yet."""

_KEYS_ALONE = (
    "the keys are about turns that the server took, and so not about those that it missed: mark "
    "speech by hand on the recording"
)


@dataclass(frozen=True, slots=True)
class ServerSpan:
    """A turn that the server reported, in ms of the session's input.

    Attributes:
        start_ms, end_ms: as reported, padding and closing silence included; no end while it goes
            on, or where its audio was committed before.
        onset_ms, offset_ms: of the speech in it; None where the reports don't tell.
        open: whether it goes on.
    """

    item_id: str
    start_ms: float
    onset_ms: float | None
    offset_ms: float | None
    end_ms: float | None
    open: bool


class TurnLab:
    """Settings of turn detection, live and as ghosts, over the audio and events of a session.

    Args:
        conversation: everything is folded into it before the lab hears of it.
        engine: by name, what makes the speech probabilities.
        detector_for: instead of an engine: makes a detector for a session's ``format`` object.
        voiced_ms: where in the audio there is a voice, where that is known already.
        completeness: a turn model, where there is one; or `LATER`, where somebody takes its
            questions from :meth:`take_question`.
        same_model: whether it is the one by which the server ends turns under ``semantic_vad``.
        sound: all of the audio, where it is kept; else what was heard long ago can't be judged.

    Attributes:
        muted: whether nobody can be heard: then the server is not deaf.
        settings: what turn detection was set to, what was asked for, and the way back.
    """

    def __init__(
        self,
        conversation: Conversation,
        *,
        engine: str = "silero",
        detector_for: Callable[[JsonObject], SpeechDetector] | None = None,
        voiced_ms: Sequence[TimeSpan] | None = None,
        completeness: Completeness | None = None,
        same_model: bool = False,
        sound: HeardAudio | None = None,
    ) -> None:
        speech_engine(engine)
        self._conversation = conversation
        audio = conversation.audio
        self._from_ms = conversation.input_ms
        self._track = SpeechTrack(
            detector_for or (lambda fields: FrameDetector(fields["type"], speech_engine(engine))),
            format_of(session_format(conversation.session, "input")),
            audio.connection_ms,
            self._from_ms - audio.connection_ms,
        )
        self._answers = None
        if completeness is not None:
            self._answers = PauseAnswers(self._track, completeness, sound)
        self._live = Run(self._track, answers=self._answers if same_model else None)
        self._pauses = Run(self._track, answers=self._answers, every_pause=True)
        self._ghosts = Ghosts(self._track, self._answers)
        self.settings = SettingsLog()
        self._stepping = Stepping(conversation, self._track, self.settings, self._rewind)
        self._voice = ReferenceVoice(conversation, self._from_ms, voiced_ms)
        self._labels = Labels()
        self.muted = False

    # --- what it is fed with ---

    def event(self, event: WireEvent) -> None:
        """Takes an event, sent or received, after it was folded."""
        is_audio = event.raw.get("type") == "input_audio_buffer.append"
        if event.direction == "sent" and is_audio:
            self._append(event)
        else:
            self._stepping.event(event)

    def connection(self, report: ConnectionReport) -> None:
        """Takes what the session says of its connection, after it was folded."""
        self._stepping.connection(report)

    def audio(self, pcm: bytes) -> None:
        """Takes the user's audio where there are no events: PCM16 mono at 24 kHz."""
        self._hear(pcm)
        self._voice.push(pcm)

    def session_over(self) -> None:
        """Takes the end of the audio: whatever is being said is over."""
        self.settings.forget_asked()
        self._voice.over()

    def _rewind(self, index: int, frame: int) -> None:
        self._live.rewind(index, frame)
        self._pauses.rewind(index, frame)
        self._ghosts.rewind(index, frame)

    # --- audio ---

    @property
    def now_ms(self) -> float:
        """How much audio was heard, on the clock of all that the session has sent."""
        return self._track.now_ms

    @property
    def frame_count(self) -> int:
        """How many frames of 32 ms have a probability."""
        return self._track.count

    def frames(self, since: int = 0) -> Frames:
        """Returns the speech probabilities from a frame on."""
        return self._track.frames(since)

    def voiced_ms(self, since_ms: float = 0.0) -> list[TimeSpan]:
        """Returns where there is a voice by the reference detector, from a position on."""
        return self._voice.spans(since_ms)

    def _append(self, event: WireEvent) -> None:
        payload = event.pcm
        if self._track.audio_format is not PCM or payload is None:
            try:
                payload = base64.b64decode(event.raw.get("audio", ""), validate=True)
            except (ValueError, TypeError, binascii.Error):
                return
        self._hear(payload)
        if event.pcm is not None:
            self._voice.push(event.pcm)

    def _hear(self, payload: bytes) -> None:
        self._track.push(payload)
        if self._answers is not None:
            self._answers.push(payload)
            self._ask()
            self._answers.forget_old()

    def _ask(self) -> None:
        """Has everything that asks a turn model hear what has come, while its audio is there."""
        for run in (self._live, self._pauses, self._ghosts):
            run.advance()

    def completions(self, since_ms: float = 0.0) -> list[Completion]:
        """Returns how finished turns sounded at their pauses, by the eagerness in force, or that of
        ``auto``; where no server listened, by that of the first ghost that has one; nothing
        without a turn model."""
        if self._answers is None:
            return []
        if not self._stepping.in_force:
            return self._ghosts.completions(since_ms)
        self._pauses.advance()
        return self._pauses.completions(since_ms)

    @property
    def is_judged(self) -> bool:
        """Whether pauses count: ``semantic_vad`` is in force, or a ghost's."""
        in_force = self.settings.detection
        kinds = [ghost.detection["type"] for ghost in self.ghosts.values()]
        kinds += [] if in_force is None else [in_force["type"]]
        return self._answers is not None and "semantic_vad" in kinds

    @property
    def is_judging(self) -> bool:
        """Whether a turn model is still to answer, so that semantic turns are those so far."""
        return self._answers is not None and self.is_judged and self._answers.is_asked

    def take_question(self) -> PauseQuestion | None:
        """Returns the next question for the turn model, if any; who takes it answers it. There is
        none while no pause counts."""
        if self._answers is None or not self.is_judged:
            return None
        self._ask()
        return self._answers.take()

    def answer(self, question: PauseQuestion, probability: float) -> None:
        """Takes the model's answer, NaN where it failed."""
        if self._answers is not None:
            self._answers.answer(question, probability)
            self._ask()

    # --- the server ---

    def server_spans(self, since_ms: float = 0.0) -> list[ServerSpan]:
        """Returns the server's turns that end after a position; those whose place is unknown are
        left out."""
        found = []
        for heard in reversed(self._conversation.speech):
            if (heard.audio_end_ms or math.inf) < since_ms:
                break
            if not math.isnan(heard.audio_start_ms):
                found.append(self._server_span(heard))
        return found[::-1]

    def _server_span(self, heard: Speech) -> ServerSpan:
        last = heard is self._conversation.speech[-1]
        cut = any(at_ms > heard.audio_start_ms for at_ms in self._conversation.audio.cuts_ms[-1:])
        goes_on = heard.audio_end_ms is None and last and not cut
        return ServerSpan(
            heard.item_id,
            heard.audio_start_ms,
            heard.onset_ms,
            heard.offset_ms,
            heard.audio_end_ms,
            goes_on and self.settings.detection is not None,
        )

    def live_spans(self, since_ms: float = 0.0) -> list[RunSpan]:
        """Returns the turns that the state machine here makes under the settings in force."""
        self._live.advance()
        return self._live.spans(since_ms)

    def agreement(self) -> LabAgreement:
        """Returns how far server and emulator agree so far."""
        server = reported_spans(self._conversation.speech, self._from_ms)
        # The emulator is ahead of what the server says of its last turn.
        last_ms = server[-1][0] if server else -math.inf
        recent_ms = max(last_ms + _ON_ITS_WAY_MS / 10, self.now_ms - _ON_ITS_WAY_MS)
        compared = [one for one in self.live_spans() if one.start_ms <= recent_ms]
        emulated = [
            (one.start_ms, one.end_ms if one.how == "stopped" else math.nan) for one in compared
        ]
        return agreed(server, emulated, any(one.how == "told" for one in compared))

    def deafness(self) -> Deafness | None:
        """Returns what the server does not hear now; None where it hears, or need not."""
        if self.muted or self.settings.detection is None:
            return None
        recent = self.deaf_spans(self.now_ms - 30_000)
        return recent[-1] if recent and self.now_ms - recent[-1].end_ms < 1_000 else None

    def deaf_spans(self, since_ms: float = 0.0) -> list[Deafness]:
        """Returns the stretches of a second of speech and more that the server did not hear."""
        turns = [
            (one.start_ms, self.now_ms if one.end_ms is None else one.end_ms)
            for one in self.server_spans(since_ms)
        ]
        return deaf_stretches(self._track, self.voiced_ms(since_ms), turns, self._listening_ms())

    def _listening_ms(self) -> list[TimeSpan]:
        """Returns where turn detection was on."""
        found: list[TimeSpan] = []
        on_ms: float | None = None
        for mark_ms, detection in self._stepping.in_force:
            if detection is None and on_ms is not None:
                found.append((on_ms, mark_ms))
                on_ms = None
            elif detection is not None and on_ms is None:
                on_ms = mark_ms
        return found if on_ms is None else [*found, (on_ms, math.inf)]

    # --- settings ---

    @property
    def detection(self) -> JsonObject | None:
        """The ``turn_detection`` in force; None where it is off."""
        return self.settings.detection

    def history(self) -> list[JsonObject]:
        """Returns the settings that were in force, a row each, and how many turns they heard."""
        rows: list[JsonObject] = []
        places = [(0.0, math.nan, "", self.settings.first)]
        places += [(one.position_ms, one.t_s, one.words, one.after) for one in self.settings.marks]
        starts_ms = [one.start_ms for one in self.server_spans()]
        ends_ms = [place[0] for place in places[1:]] + [math.inf]
        for (at_ms, t_s, words, detection), end_ms in zip(places, ends_ms, strict=True):
            turns = bisect_left(starts_ms, end_ms) - bisect_left(starts_ms, at_ms)
            row = {"position_ms": at_ms, "t_s": t_s, "change": words}
            rows.append(row | {"turn_detection": detection, "turns": turns})
        return rows

    def diff(self) -> str:
        """Returns the change from the first settings to those in force, and its evidence."""
        first, now = self.settings.first, self.settings.detection
        if not self._conversation.session:
            return "There is no session, and so no settings in force to compare with."
        if first == now:
            return f"No change: {detection_code(self.detection)} is what was in force first."
        both = [self._run_alone(detection) for detection in (first, now)]
        return change_sentence(change_words(first, now), self.now_ms - self._from_ms, *both)

    def _run_alone(self, detection: JsonObject | None) -> LabScore:
        """Returns how settings do on all that was heard; without turns where silence alone does not
        end them."""
        true_ms = self.true_spans() if self._labels.all else None
        settings = run_settings(detection, self._answers is not None)
        known = isinstance(settings, TurnSettings) and (detection or {})["type"] == "server_vad"
        turns = []
        if settings is not None and known:
            run = Run(self._track, settings)
            run.advance()
            turns = [_judged(one) for one in run.spans()]
        found = self._score("", detection_code(detection), turns, true_ms)
        return found if known else replace(found, turns=math.nan)

    # --- ghosts ---

    @property
    def ghosts(self) -> dict[str, Ghost]:
        """The ghosts by name, in order."""
        return self._ghosts.all

    def set_ghost(self, name: str, settings: Any) -> None:
        """Adds a ghost, or gives it other settings; it runs over all that was heard."""
        self._ghosts.put(name, settings, self.settings.detection)

    def remove_ghost(self, name: str) -> None:
        """Takes a ghost away."""
        self._ghosts.remove(name)

    def ghost_spans(self, name: str, since_ms: float = 0.0) -> list[RunSpan]:
        """Returns the turns that a ghost makes of the audio so far."""
        return self._ghosts.spans(name, since_ms)

    def promoted(self, name: str) -> JsonObject:
        """Returns what to ask the session for so that a ghost's settings are live; what is not of
        hearing stays as it is."""
        return promoted(self._ghosts.get(name).detection, self.settings.detection)

    # --- labels and numbers ---

    @property
    def labels(self) -> list[Label]:
        """What a person said of turns, in order of their places."""
        return self._labels.all

    def label_last(self, kind: LabelKind, t_s: float) -> Label:
        """Stamps the last end of a turn as ``not_finished``, or its last start as ``not_me``."""
        return self._labels.of_last(kind, t_s, self._conversation.speech)

    def label_speech(self, start_ms: float, end_ms: float) -> Label:
        """Marks true speech by hand."""
        return self._labels.of_speech(start_ms, end_ms, self.now_ms)

    def remove_label(self, label: Label) -> None:
        """Takes a label away."""
        self._labels.remove(label)

    def label_lines(self, label: Label) -> list[LabelLine]:
        """Returns a label as lines of ``labels.jsonl``."""
        return label_lines(label, self._conversation.audio.clock)

    def take_label_lines(self, lines: Iterable[Any]) -> None:
        """Takes the labels of a recording, each with ``t`` and ``text``; other texts are none."""
        conversation = self._conversation
        self._labels.take_lines(lines, conversation.speech, conversation.audio.clock)

    def true_spans(self) -> list[TimeSpan]:
        """Returns where the user really spoke, turn by turn, as far as labels tell."""
        return true_spans(self._labels, self._conversation.speech, self.voiced_ms())

    def scores(self) -> list[LabScore]:
        """Returns how the server's turns and those of each ghost did."""
        true_ms = self.true_spans() if self._labels.all else None
        grey = not self.agreement().trusted
        rows = []
        if self._conversation.session:
            turns = [_scored(one) for one in self.server_spans(self._from_ms)]
            rows.append(
                self._known_of_server(
                    self._score("live", detection_code(self.detection), turns, true_ms)
                )
            )
        for name, ghost in self.ghosts.items():
            turns = [_judged(one) for one in self.ghost_spans(name)]
            rows.append(self._score(name, ghost.code, turns, true_ms, grey))
        return rows

    def _known_of_server(self, live: LabScore) -> LabScore:
        """Returns the server's score without what keys can't tell: they stamp its own turns."""
        if not self._labels.all or self._labels.by_hand:
            return live
        reasons = {**live.reasons, "missed_turns": _KEYS_ALONE}
        return replace(live, missed_turns=math.nan, reasons=reasons)

    def _score(
        self,
        name: str,
        settings: str,
        turns: Sequence[ScoredTurn],
        true_ms: Sequence[TimeSpan] | None,
        grey: bool = False,
    ) -> LabScore:
        judged_ms = judged_spans(self._labels, self._conversation.speech, true_ms or ())
        voiced_ms = self.voiced_ms()
        return score(name, settings, turns, voiced_ms, true_ms, grey, judged_ms=judged_ms)

    def scores_table(self) -> pd.DataFrame:
        """Returns the scores as a table."""
        return scores_frame(self.scores())


def _judged(span: RunSpan) -> ScoredTurn:
    stop_ms = span.end_ms if span.how in ("stopped", "told") else math.nan
    return ScoredTurn(span.onset_ms, span.offset_ms, stop_ms)


def _scored(span: ServerSpan) -> ScoredTurn:
    """Returns a turn of the server; where its reports don't tell, its speech is all of it."""
    end_ms = math.inf if span.end_ms is None else span.end_ms
    onset_ms = span.start_ms if span.onset_ms is None else span.onset_ms
    offset_ms = end_ms if span.offset_ms is None else span.offset_ms
    return ScoredTurn(onset_ms, offset_ms, math.nan if span.end_ms is None else span.end_ms)
