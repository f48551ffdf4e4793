"""The VAD lab: turn detection tuned with evidence, while somebody talks or on what was recorded."""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pandas as pd

from realtime_nb.agent.agent import Agent
from realtime_nb.agent.forgetting import weakly
from realtime_nb.agent.io_thread import Pending
from realtime_nb.agent.lab_calibration import Calibrating
from realtime_nb.agent.lab_feeder import LabFeeder
from realtime_nb.agent.lab_ghosts import LabGhosts, ghost_name
from realtime_nb.agent.lab_judging import LabJudging, judged_later
from realtime_nb.agent.lab_labels import LabLabels
from realtime_nb.agent.lab_opening import LabOpening
from realtime_nb.agent.lab_subjects import LabSubject, LiveSubject, TriedSubject, pending_of
from realtime_nb.agent.options import changed_detection
from realtime_nb.analysis.vad_lab.agreed import LabAgreement
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.labels import Label, LabelKind
from realtime_nb.analysis.vad_lab.scores import scores_frame
from realtime_nb.errors import ConfigurationError, RealtimeError, at_call
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_detection import SERVER_VAD, SWITCHES, detection_code
from realtime_nb.session.session import Session
from realtime_nb.widgets.sources import find_source
from realtime_nb.widgets.vad_lab import NO_CALIBRATION, LabSaid, VADLabPanel

if TYPE_CHECKING:
    from realtime_nb.recordings.recording import Recording

__all__ = ["VADLab"]

_NOTHING = (
    "There is nothing to listen to yet. Give the lab an agent, a session or a recording: "
    'rt.VADLab(agent), rt.VADLab(session), rt.VADLab(rt.load("recordings/…")), or the path of an '
    "audio file."
)
_NOT_CONNECTED = (
    "No session is open. Press Connect, then Talk, in the agent's panel: the lab shows each "
    "session of this agent from its beginning."
)
_DIFF_S = 2.0
_PATIENCE_S = 1.0
"""For so long a cell waits for a recording to be heard, which then goes on beside it."""
_FIELDS = ("type", *SERVER_VAD, "eagerness", *SWITCHES)


@at_call
class VADLab:
    """A panel that shows, and counts, what settings of turn detection do.

    ::

        lab = rt.VADLab(agent, ghosts={"eager": dict(silence_duration_ms=250),
                                       "patient": dict(silence_duration_ms=900)})
        lab                                  # the panel: talk, drag the threshold, press n or m
        lab.scores()                         # a row for what is in force, and for each ghost
        lab.update(threshold=0.6)            # the same as dragging
        lab.code                             # the line that asks for what is in force

    With a session, or an agent, settings are asked for whole, and are pending until the server
    confirms them. With a recording they are tried as the ghost "yours" on what was said; a long
    one is heard while the panel says how far that is, and what is asked of the lab waits for it.

    Args:
        source: An agent, each of whose sessions is shown; a session; a recording, the path of one
            or of an audio file. Without one the panel says what to do.
        ghosts: Named settings, at most six, that run on the same audio at no cost: fields of
            ``turn_detection`` in a dict, ``rt.ServerVAD`` or ``rt.SemanticVAD``.
        engine: By name, what hears speech here.

    Raises:
        ConfigurationError: It is something else, or a ghost has a setting that can't be.
        RecordingError: The path is not that of a recording.
    """

    def __init__(
        self,
        source: Agent | Session | Recording | str | os.PathLike[str] | None = None,
        *,
        ghosts: Mapping[str, Any] | None = None,
        engine: str = "silero",
    ) -> None:
        self._engine = engine
        self._lock = threading.RLock()
        self._error = ""
        self._refusals = 0
        self._diff = (-_DIFF_S, "")  # when it was made, and what it says
        self._calibrating: Calibrating | None = None
        self._earlier: dict[object, JsonObject] = {}
        self._subject: LabSubject | None = None
        self._feeder: LabFeeder | None = None
        self._agent = source if isinstance(source, Agent) else None
        self._judging: LabJudging | None = None
        self._opening: LabOpening | None = None
        self._labels = LabLabels(self._lock, self._say_error)
        # Refuses what can't be.
        self._blank = TurnLab(Conversation(), engine=engine, completeness=judged_later())
        self.ghosts = LabGhosts(lambda: self._lab_now() or self._blank, self._lock, self._changed)
        self.ghosts.update(dict(ghosts or {}))
        self._begin(source)

    def __repr__(self) -> str:
        return f"<VADLab: {self.panel.summary().splitlines()[0]}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.panel._repr_mimebundle_(**kwargs)

    def _ipython_display_(self, **kwargs: Any) -> None:
        self.panel._ipython_display_(**kwargs)

    # --- what is known ---

    @property
    def config(self) -> dict[str, Any] | None:
        """The ``turn_detection`` in force, or tried on a recording; None for push-to-talk."""
        subject = self._known()
        with self._lock:
            found = None if subject is None else subject.settings.detection
        return None if found is None else dict(found)

    @property
    def code(self) -> str:
        """The argument that asks for it: ``rt.ServerVAD(…)``."""
        return "" if self._known() is None else detection_code(self.config)

    @property
    def history(self) -> pd.DataFrame:
        """A row for each change of the settings."""
        subject = self._known()
        with self._lock:
            return pd.DataFrame([] if subject is None else subject.history())

    @property
    def labels(self) -> list[Label]:
        """What was said of turns, by the keys or by hand."""
        self._known()
        lab = self._lab_now()
        return [] if lab is None else list(lab.labels)

    @property
    def agreement(self) -> LabAgreement | None:
        """How far the emulator and the server are of one mind; None without a lab."""
        self._known()
        lab = self._lab_now()
        with self._lock:
            return None if lab is None else lab.agreement()

    @property
    def recording(self) -> Path | None:
        """Where the session is recorded, for ``rt.load``; or what was opened."""
        subject = self._known()
        return None if subject is None else subject.recording

    def scores(self) -> pd.DataFrame:
        """Returns a row for the server's own turns, and one for each ghost.

        What can't be known is NaN; ``attrs["reasons"]`` says why, by row and column.
        """
        self._known()
        return scores_frame(self.panel.scores())

    def diff(self) -> str:
        """Returns the change since the first settings and its evidence, in a sentence."""
        subject = self._known()
        with self._lock:
            return "" if subject is None else subject.diff()

    # --- what is done ---

    def update(self, **changes: Any) -> Pending[None]:
        """Asks for the settings with some changed; await it to wait for the server's word.

        Args:
            changes: Fields of ``turn_detection``; ``type="none"`` turns it off.

        Raises:
            ConfigurationError: There is no session, or no such setting or value.
            ServerError: The server refused; nothing was changed.
        """
        refuse_unknown(changes, _FIELDS)
        return self._ask(self._changed_by(changes))

    def undo(self) -> Pending[None]:
        """Asks for the settings from before the last change.

        Raises:
            ConfigurationError: There was none.
        """
        return self._ask_with(lambda subject: subject.settings.undo())

    def redo(self) -> Pending[None]:
        """Asks for the settings that were undone last.

        Raises:
            ConfigurationError: Nothing was undone.
        """
        return self._ask_with(lambda subject: subject.settings.redo())

    def promote(self, name: str) -> Pending[None]:
        """Makes a ghost's settings those in force.

        Raises:
            ConfigurationError: There is no such ghost.
        """
        return self._ask_with(lambda subject: subject.lab.promoted(name))

    def label(self, kind: LabelKind, t_s: float | None = None) -> Label:
        """Marks the end of the last turn as too early (``not_finished``), or the last turn as no
        speech of the user (``not_me``). It is kept in the recording.

        Args:
            kind: Which of them.
            t_s: The last turn before that moment, in seconds of the session; unless given, now, or
                the end of a recording.

        Raises:
            ConfigurationError: There was no turn yet, or it is another word.
        """
        return self._labels.of_last(self._there(), kind, t_s)

    def label_speech(self, start_s: float, end_s: float) -> Label:
        """Marks a stretch, in seconds of the session, as speech; what is marked so is all there is.

        Raises:
            ConfigurationError: It lies outside the audio, or in speech that is marked.
        """
        return self._labels.of_speech(self._there(), start_s, end_s)

    def remove_label(self, label: Label | None = None) -> None:
        """Takes a label back, in the recording, too.

        Args:
            label: One of :attr:`labels`; unless given, that which was made last.

        Raises:
            ConfigurationError: There is none, or this one is not there any more.
        """
        self._labels.remove(self._there(), label)

    def close(self) -> None:
        """Takes the panel out of the page; the session goes on."""
        if self._feeder is not None:
            self._feeder.stop()
        if self._judging is not None:
            self._judging.stop()
        self.panel.close()

    # --- what it is about ---

    def _begin(self, source: object) -> None:
        """Begins to show whatever was given."""
        words, rec = "", None
        session: Session | None = None
        if source is None:
            words = _NOTHING
        elif isinstance(source, Agent):
            session, words = source.session, _NOT_CONNECTED
        else:
            found = find_source(source, "VADLab", "timeline_data", ", or an audio file")
            session, rec = cast("Session | None", found.session), found.recording
            words = f"{found.note} {_NOTHING}"
        self.panel = VADLabPanel(weakly(self._command), self._weak_said(), rec, lab_lock=self._lock)
        self.panel.belong_to(self)
        if isinstance(source, Agent):
            source.when_opening(self._follow)
        if session is not None:
            self._follow(session)
        elif rec is not None:
            say = weakly(self.panel.note_that)
            self._opening = LabOpening(rec, self._engine, say, weakly(self._opened))
            if self._opening.wait(_PATIENCE_S) is not None:
                self._opened()
        else:
            self.panel.note_that(words)

    def _opened(self) -> None:
        """Shows a recording that was heard; the thread that heard it and one that waits come."""
        opening = self._opening
        if opening is None or not opening.done:
            return
        with self._lock:
            if self._subject is not None:
                return
            try:
                subject = opening.wait()
            except Exception as error:
                self.panel.note_that(str(error))
                return
            assert subject is not None
            self.ghosts.run_in(subject.lab)
            self._judging = LabJudging(subject.lab, self._lock, weakly(self._changed))
            self.panel.note_that("")
            self.panel.show_lab(subject.lab, subject.clock)
            self._subject = subject  # last: who finds it finds all of it
        self._changed()

    def _known(self) -> LabSubject | None:
        """Returns what it is about, once that is heard."""
        if self._subject is None and self._opening is not None:
            self._opening.wait()
            self._opened()
        return self._subject

    def _weak_said(self) -> Callable[[], LabSaid]:
        reference = weakref.ref(self)

        def said() -> LabSaid:
            there = reference()
            return LabSaid() if there is None else there._said()

        return said

    def _follow(self, session: Session) -> None:
        """Shows a session from now on, and no other before it."""
        lab = TurnLab(
            session.conversation,
            engine=self._engine,
            completeness=judged_later(),
            same_model=session.endpoint.kind == "local",
        )
        self.ghosts.run_in(lab)
        update = self._asker(session)
        self._calibrating, self._error = None, ""
        self._subject = LiveSubject(session, update, lab)
        if self._feeder is not None:
            self._feeder.stop()
        self._judging = LabJudging(lab, self._lock, weakly(self._changed))
        self._feeder = feeder = LabFeeder(lab, self._lock, weakly(self._heard), self._judging)
        session.observe(feeder)
        weakref.finalize(self, feeder.stop).atexit = False
        self.panel.show_lab(lab, session.conversation.audio.clock)
        self.panel.follow(session)

    def _asker(self, session: Session) -> Callable[[JsonObject | None], Pending[None]]:
        agent = self._agent

        def ask(detection: JsonObject | None) -> Pending[None]:
            if agent is not None:
                return agent.update(turn_detection=detection)
            return pending_of(session.update(turn_detection=detection))

        return ask

    def _lab_now(self) -> TurnLab | None:
        return None if self._subject is None else self._subject.lab

    def _there(self) -> LabSubject:
        subject = self._known()
        if subject is None:
            raise ConfigurationError(_NOTHING if self._agent is None else _NOT_CONNECTED)
        return subject

    # --- settings ---

    def _changed_by(self, changes: Mapping[str, Any]) -> JsonObject | None:
        in_force = self._there().settings.detection
        if in_force is not None:
            self._earlier[in_force.get("type", "server_vad")] = in_force
        made = changed_detection(in_force, dict(changes), self._earlier)
        return None if made is None else msgspec.to_builtins(made)

    def _ask_with(self, what: Callable[[LabSubject], JsonObject | None]) -> Pending[None]:
        subject = self._there()
        with self._lock:
            detection = what(subject)
        return self._ask(detection)

    def _ask(self, detection: JsonObject | None) -> Pending[None]:
        subject = self._there()
        # A session is asked without the lock, which its thread may wait for.
        tried = isinstance(subject, TriedSubject)
        with self._lock if tried else contextlib.nullcontext():
            asked = subject.ask(detection)
        asked.then(self._take_answer)
        self._changed()
        return asked

    def _take_answer(self, outcome: concurrent.futures.Future[None]) -> None:
        self._answered(None if outcome.cancelled() else outcome.exception())

    def _answered(self, error: BaseException | None) -> None:
        """Takes what came of asking; what the page takes for asked is void when it was refused."""
        self._refusals += error is not None
        self._say_error("" if error is None else str(error))

    # --- what is heard and said ---

    def _heard(self, pcm: bytes) -> None:
        calibrating = self._calibrating
        if calibrating is not None:
            calibrating.push(pcm)

    def _changed(self) -> None:
        self._diff = (-_DIFF_S, "")
        if self._judging is not None:
            self._judging.look()
        panel = getattr(self, "panel", None)
        if panel is not None:
            panel.lab_changed()

    def _said(self) -> LabSaid:
        subject = self._subject
        if subject is None:
            return LabSaid()
        if self._agent is not None:
            subject.lab.muted = bool(self._agent.panel.muted)
        calibrating, detection = self._calibrating, subject.settings.detection
        return LabSaid(
            shows=subject.shows,
            status=subject.status,
            error=self._error,
            detection=detection,
            code=detection_code(detection),
            pending=subject.pending,
            refusals=self._refusals,
            can_undo=subject.settings.can_undo,
            can_redo=subject.settings.can_redo,
            history=[str(row["change"]) for row in subject.history()],
            diff=self._diff_now(subject),
            calibration=NO_CALIBRATION if calibrating is None else calibrating.told(),
            kinds=subject.kinds,
        )

    def _diff_now(self, subject: LabSubject) -> str:
        """Returns a sentence that is at most a few seconds old: it runs over all of the audio."""
        if time.monotonic() - self._diff[0] >= _DIFF_S:
            self._diff = (time.monotonic(), subject.diff())
        return self._diff[1]

    # --- what the panel asks for ---

    def _command(self, name: str, value: Any) -> None:
        """Does what a button or a key of the panel asks for. Runs on the comm's thread."""
        commands: dict[str, Callable[[], object]] = {
            "update": lambda: self._ask(self._changed_by(value["turn_detection"])),
            "undo": self.undo,
            "redo": self.redo,
            "promote": lambda: self.promote(str(value)),
            "vad_only": lambda: self.update(
                create_response=not value, interrupt_response=not value
            ),
            "keep": self._keep_as_ghost,
            "remove_ghost": lambda: self.ghosts.__delitem__(str(value)),
            "label": lambda: self.label(*value),
            "label_speech": lambda: self.label_speech(*value),
            "remove_label": self.remove_label,
            "calibrate": self._calibrate,
            "use_calibration": self._use_calibration,
            "end_calibration": self._end_calibration,
            "read_error": lambda: self._say_error(""),
        }
        if name not in commands:
            return
        try:
            commands[name]()
        except RealtimeError as error:
            self._answered(error)

    def _keep_as_ghost(self) -> None:
        config = self.config
        if config is None:
            raise ConfigurationError("Push-to-talk has no settings that a ghost could have.")
        self.ghosts[self.ghosts.free_name(ghost_name(config))] = config

    def _calibrate(self) -> None:
        subject = self._there()
        threshold = float(
            (subject.settings.detection or {}).get("threshold", SERVER_VAD["threshold"].usual)
        )
        calibrating = Calibrating(threshold, self._engine, self._applied())
        for pcm in subject.calibration_audio():
            calibrating.push(pcm)
        self._calibrating = calibrating
        self._changed()

    def _applied(self) -> Mapping[str, Any]:
        microphone = None if self._agent is None else self._agent.microphone
        return {} if microphone is None else microphone.applied

    def _use_calibration(self) -> None:
        calibrating = self._calibrating
        threshold = None if calibrating is None else calibrating.told()["threshold"]
        self._end_calibration()
        if threshold is not None:
            self.update(threshold=threshold)

    def _end_calibration(self) -> None:
        self._calibrating = None
        self._changed()

    def _say_error(self, words: str) -> None:
        self._error = words
        self._changed()
