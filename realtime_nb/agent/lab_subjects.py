"""What a VAD lab is about: an open session, whose settings are asked for, or a recording, on which
they are tried."""

from __future__ import annotations

import concurrent.futures
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from realtime_nb.agent.io_thread import Pending
from realtime_nb.agent.lab_calibration import QUIET_MS, SPEECH_MS
from realtime_nb.agent.lab_judging import judged_later
from realtime_nb.analysis.vad_lab.lab import CANDIDATE, TurnLab
from realtime_nb.analysis.vad_lab.labels import Label
from realtime_nb.analysis.vad_lab.rehearing import lab_of
from realtime_nb.analysis.vad_lab.settings import SettingsLog, change_words, filled
from realtime_nb.analysis.voices import TimeSpan
from realtime_nb.archive.lines import REMOVED_LABEL
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_detection import CLIENT_SILENCE_MS, detection_code
from realtime_nb.protocol.words import counted
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.session.asked import Asked
from realtime_nb.session.session import Session

__all__ = ["LabSubject", "LiveSubject", "TriedSubject", "pending_of"]

_FADE_MS = 200.0


class LiveSubject:
    """A session that goes on.

    Args:
        session: it, as it is before it is open, or later.
        update: asks it, or its agent, for another turn detection.
        lab: fed with its events.

    Attributes:
        shows: as the panel says it.
        kinds: of turn detection, which can be chosen.
        settings: in force, asked for, and the way back.
        clock: where the lab's audio lies on the time axis.
    """

    shows = "session"
    kinds = ("server_vad", "semantic_vad", "none")

    def __init__(
        self, session: Session, update: Callable[[JsonObject | None], Pending[None]], lab: TurnLab
    ) -> None:
        self.session = session
        self.lab = lab
        self.settings = lab.settings
        self.clock = session.conversation.audio.clock
        self._update = update

    @property
    def pending(self) -> JsonObject:
        """What was asked for and is not confirmed, as the panel takes it."""
        settings = self.settings
        return {"turn_detection": settings.expected} if settings.is_pending else {}

    @property
    def status(self) -> str:
        """Whether they are in force, in words."""
        if self.session.closed:
            return "The session is over: these were its settings."
        if self.settings.detection is None:
            return "Push-to-talk: nothing decides when a turn ends, so there is nothing to tune."
        confirmed_s = self.session.conversation.updated_s
        if confirmed_s is None:
            return "In force."
        return f"In force, confirmed by the server at {confirmed_s:.1f} s."

    @property
    def recording(self) -> Path | None:
        """Where it is recorded."""
        return self.session.recording

    @property
    def now_s(self) -> float:
        """How long it has lasted."""
        return self.session.clock()

    def ask(self, detection: JsonObject | None) -> Pending[None]:
        """Asks for other settings, whole."""
        return self._update(detection)

    def history(self) -> list[dict[str, Any]]:
        """Returns a row for each change."""
        return self.lab.history()

    def diff(self) -> str:
        """Returns the change since the first settings, and what argues for it."""
        return self.lab.diff()

    def keep_label(self, label: Label, removed: bool = False) -> None:
        """Writes a label into the recording, or that it is removed; without a recording it is in
        the lab alone. What was recorded of a session that is over takes it as the folder does."""
        if self.session.recording is None:
            return
        over = load(self.session.recording) if self.session.closed else None
        for line in self.lab.label_lines(label):
            text = f"{REMOVED_LABEL}{line.text}" if removed else line.text
            if over is None:
                self.session.label(text, min(line.t, self.session.clock()))
            else:
                over.label(min(line.t, over.duration_s), text)

    def calibration_audio(self) -> tuple[bytes, ...]:
        """Returns nothing: what is said from now on is calibrated by."""
        return ()


class TriedSubject:
    """A recording, or the audio of a file: what is tried runs as `CANDIDATE` on what was said.

    Args:
        rec: it.
        engine: what makes the probabilities.
        progress: told now and then which share of the audio was heard.
    """

    shows = "recording"

    def __init__(
        self, rec: Recording, engine: str, progress: Callable[[float], None] | None = None
    ) -> None:
        self.rec = rec
        completeness, same = judged_later(), rec.simulated
        self.kinds = ("server_vad", "semantic_vad")[: 1 if completeness is None else 2]
        self.lab = lab_of(
            rec, progress=progress, engine=engine, completeness=completeness, same_model=same
        )
        self.clock = rec.input_clock
        first = self.lab.detection
        if first is None or first.get("type") not in self.kinds:
            first = {"type": "server_vad", "silence_duration_ms": CLIENT_SILENCE_MS}
        self.settings = SettingsLog()
        self._rows: list[dict[str, Any]] = []
        self._try(first)

    @property
    def pending(self) -> JsonObject:
        """Nothing: nobody has to confirm anything."""
        return {}

    @property
    def status(self) -> str:
        """What trying them means, in words."""
        return (
            "Tried on what was recorded, nothing is sent. Other settings would have had other "
            "answers, and those other words: what comes later is only likely."
        )

    @property
    def recording(self) -> Path | None:
        """Where it lies."""
        return self.rec.path

    @property
    def now_s(self) -> float:
        """How long it is."""
        return self.rec.duration_s

    @property
    def _turns(self) -> float:
        """How many turns they make; NaN while a turn model is at it."""
        return math.nan if self.lab.is_judging else len(self.lab.ghost_spans(CANDIDATE))

    def ask(self, detection: JsonObject | None) -> Pending[None]:
        """Tries other settings, whole."""
        if detection is None:
            raise ConfigurationError(
                "Push-to-talk ends turns by a key, which nobody can try on a recording. "
                "Choose Server VAD."
            )
        self._try(detection)
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        done.set_result(None)
        return Pending(done)

    def history(self) -> list[dict[str, Any]]:
        """Returns a row for each change."""
        self._rows[-1]["turns"] = self._turns
        return [dict(row) for row in self._rows]

    def diff(self) -> str:
        """Returns the change since the first settings, and what argues for it."""
        words = change_words(self.settings.first, self.settings.detection)
        if not words:
            return ""
        rows = self.history()
        found, first = rows[-1]["turns"], rows[0]["turns"]
        if math.isnan(found + first):
            return f"{words}: its turns are not all known, as pauses are still being judged."
        return f"{words}: {counted(int(found), 'turn')} instead of {first}, on the same audio."

    def keep_label(self, label: Label, removed: bool = False) -> None:
        """Writes a label into the recording, or that it is removed."""
        for line in self.lab.label_lines(label):
            self.rec.label(line.t, f"{REMOVED_LABEL}{line.text}" if removed else line.text)

    def calibration_audio(self) -> tuple[bytes, ...]:
        """Returns three seconds between the voices, and five of voice, as far as there are any.

        Raises:
            ConfigurationError: There is too little of one of them.
        """
        voiced_ms = self.lab.voiced_ms()
        quiet_ms = _between(voiced_ms, self.lab.now_ms)
        return (
            self._cut(quiet_ms, QUIET_MS, "silence"),
            self._cut(voiced_ms, SPEECH_MS, "speech"),
        )

    def _cut(self, spans_ms: Sequence[TimeSpan], wanted_ms: int, what: str) -> bytes:
        """Returns so much of the audio in these spans, from the first on."""
        sound, found = self.rec.sound("input"), b""
        for start_ms, end_ms in spans_ms:
            found += pcm_from_samples(sound[round(start_ms * 24) : round(end_ms * 24)])
            if len(found) >= wanted_ms * BYTES_PER_MS:
                return found[: wanted_ms * BYTES_PER_MS]
        raise ConfigurationError(
            f"Calibrating takes {wanted_ms / 1000:g} s of {what}, and this recording has "
            f"{len(found) / BYTES_PER_MS / 1000:.1f} s of it. Calibrate in a session instead."
        )

    def _try(self, detection: JsonObject) -> None:
        """Runs settings as the candidate, and notes them."""
        whole = filled(detection)
        if self._rows:
            self._rows[-1]["turns"] = self._turns
        self.lab.set_ghost(CANDIDATE, whole)
        before = self.settings.detection
        self.settings.confirmed(whole)
        self.settings.note(0.0, 0.0, before)
        words = change_words(before, whole) if self._rows else detection_code(whole)
        self._rows.append({"change": words, "turn_detection": whole, "turns": self._turns})


LabSubject: TypeAlias = LiveSubject | TriedSubject
"""What a lab is about; both are asked for the same."""


def pending_of(asked: Asked[None]) -> Pending[None]:
    """Returns what a session was asked for, to be waited for on any thread."""
    outcome: concurrent.futures.Future[None] = concurrent.futures.Future()

    def take(done: Any) -> None:
        if done.cancelled():
            outcome.cancel()
        elif (error := done.exception()) is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(None)

    asked.then(take)
    return Pending(outcome)


def _between(spans_ms: Sequence[TimeSpan], end_ms: float) -> list[TimeSpan]:
    """Returns what lies between spans, a little away from each: a voice fades."""
    edges = [0.0, *(edge for span in spans_ms for edge in span), end_ms]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    found = [(start_ms + _FADE_MS, until_ms - _FADE_MS) for start_ms, until_ms in pairs]
    return [span for span in found if span[0] < span[1]]
