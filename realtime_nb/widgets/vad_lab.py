"""The panel of a VAD lab: a timeline with probabilities and rows of turns, and the settings."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from itertools import takewhile
from typing import Any

from realtime_nb.analysis.vad_lab.agreed import LabAgreement
from realtime_nb.analysis.vad_lab.lab import TurnLab
from realtime_nb.analysis.vad_lab.scores import LabScore
from realtime_nb.protocol.input_clock import InputClock
from realtime_nb.protocol.turns import TurnSettings
from realtime_nb.protocol.words import counted
from realtime_nb.widgets.agent_panel import turn_table
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.page_text import module_text, style_text
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.vad_lab_rows import (
    Pauses,
    Turns,
    changed_turns,
    has_server,
    judged_pauses,
    known_columns,
    lab_rows,
    probability_bytes,
    row_turns,
)
from realtime_nb.widgets.vad_lab_still import StillRow, lab_svg
from realtime_nb.widgets.view import VIEW_STYLES, Outgoing

__all__ = ["NO_CALIBRATION", "LabSaid", "VADLabPanel"]

NO_CALIBRATION: dict[str, Any] = {
    "phase": "",
    "left_s": 0,
    "words": "",
    "threshold": None,
    "current": None,
    "facts": [],
}
"""What a page is told where nothing is calibrated."""

MAX_FRAMES = 450_000
"""Probabilities that a page is given when it comes: those of the last four hours."""

_SCORED_S = 1.0
"""How seldom scores are made anew while a session goes on: they are of all of it."""
_MAY_CHANGE_MS = 30_000
"""How long ago a turn may have ended that still becomes another one: settings take force where they
were asked for, which is known later."""
_JUDGED = {
    False: "keys judge the server's turns, and of a ghost's those that overlap one.",
    True: "marks by hand judge all that lies between the first and the last.",
}
_CELL = "text-align:left;padding:2px 8px"


@dataclass(slots=True)
class LabSaid:
    """What of a lab is words and settings, as whoever binds it says.

    Attributes:
        shows: ``session``, ``recording`` or, with nothing to show, ``none``.
        status: whether the settings that are shown are in force.
        error: what was refused, and what to do.
        detection: the settings that are shown, None for push-to-talk.
        code: the line that asks for them.
        pending: those that the server was asked for and has not confirmed.
        refusals: how often something was refused: what the page takes for asked is void then.
        can_undo, can_redo: whether there is a way back, or forth.
        history: what was changed, in words.
        diff: the change since the first settings and its evidence.
        calibration: what :class:`LabCalibration` in ``vad_lab_store.js`` says.
        kinds: which kinds of turn detection can be chosen.
    """

    shows: str = "none"
    status: str = ""
    error: str = ""
    detection: Mapping[str, Any] | None = None
    code: str = ""
    pending: dict[str, Any] = field(default_factory=dict)
    refusals: int = 0
    can_undo: bool = False
    can_redo: bool = False
    history: list[str] = field(default_factory=list)
    diff: str = ""
    calibration: dict[str, Any] = field(default_factory=NO_CALIBRATION.copy)
    kinds: tuple[str, ...] = ("server_vad", "semantic_vad", "none")


@dataclass(slots=True)
class _Told:
    """What the page knows."""

    frames: int = 0
    next_place: int | None = None
    stretches: list[tuple[float, float, float]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    turns: dict[str, Turns] = field(default_factory=dict)
    pauses: Pauses = field(default_factory=list)
    facts: PageMessage = field(default_factory=dict)
    model: PageMessage = field(default_factory=dict)


class VADLabPanel(Timeline):
    """A timeline that shows a lab, too.

    Args:
        on_command: called with the name of what a person wants and its value, on the comm's thread;
            it must only hand over. It is called with `update`, `undo`, `redo`, `vad_only`, `keep`,
            `promote`, `remove_ghost`, `label`, `label_speech`, `remove_label`, `calibrate`,
            `use_calibration`, `end_calibration` and `read_error`.
        said: gives what there is to say of it, whenever the page is to be told.
        source: as for `Timeline`; None until `follow`.
        lab_lock: held by whoever feeds the lab or asks it; more than once by one thread.
        settings: as for `Timeline`.
    """

    _esm = module_text("vad_lab.js")
    _css: str = style_text(*VIEW_STYLES, "agent_panel.css", "vad_lab.css")

    def __init__(
        self,
        on_command: Callable[[str, Any], None],
        said: Callable[[], LabSaid],
        source: Any = None,
        *,
        lab_lock: AbstractContextManager[object],
        **settings: object,
    ) -> None:
        self._on_command = on_command
        self._say = said
        self._lab: TurnLab | None = None
        self._lab_clock = InputClock()
        self._lab_lock = lab_lock
        self._told = _Told()
        self._stale = True
        self._scored_s = -_SCORED_S
        self._scored_frames = -1
        self._scores: list[LabScore] = []
        self._agreement: LabAgreement | None = None
        super().__init__(source, on_click=None, **settings)

    def show_lab(self, lab: TurnLab | None, clock: InputClock) -> None:
        """Shows a lab, whose audio lies on the time axis where the clock says; None: none."""
        with self._lab_lock:
            self._lab, self._lab_clock, self._agreement = lab, clock, None
            self._stale = True
        self._start_afresh()

    def lab_changed(self) -> None:
        """Takes note that ghosts, labels or settings are others."""
        self._stale = True
        self._feed.changed()

    def note_that(self, words: str) -> None:
        """Says in the page, and in the summary, what there is to do before there is a lab."""
        self._note_that(words)

    def scores(self) -> list[LabScore]:
        """Returns the scores as they are now."""
        with self._lab_lock:
            self._scored_s = -_SCORED_S
            return self._scored()

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes what a person wants, and what a timeline's page asks for."""
        if message["kind"] == "command":
            self._on_command(str(message["name"]), message.get("value"))
            self._feed.changed()
        else:
            super().on_message(message, buffers)

    def summary(self) -> str:
        """Returns what the lab came to, in a few lines."""
        with self._lab_lock:
            if self._lab is None:
                return f"VAD lab: {self._note or 'nothing yet'}"
            said, scores = self._say(), self._scored()
            agreement = "" if self._agreement is None else self._agreement.words
        counts = ", ".join(
            f"{score.name} {score.turns:.0f}" for score in scores if not math.isnan(score.turns)
        )
        lines = [f"VAD lab, {self._now_s:.1f} s: {said.code}", f"Turns: {counts or 'none yet'}"]
        return "\n".join([*lines, *(words for words in (agreement, said.diff) if words)])

    def picture(self) -> str:
        """Returns the timeline, the rows and the scoreboard, for the saved notebook."""
        with self._lab_lock:
            lab, scores = self._lab, self._scored()
            rows = [] if lab is None else lab_rows(lab, scores)
            still = "" if lab is None else lab_svg(_still_rows(lab, rows), lab.now_ms)
        names = [label for label, _, _ in known_columns(scores)]
        lines = [
            (
                row["name"],
                _told(row),
                *(row["cells"][name] for name in names),
            )
            for row in rows
            if row["cells"]
        ]
        table = _html_table(("", "settings", *names), lines) if lines else ""
        return super().picture() + still + table

    # --- what the page is told ---

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        yield from super()._changes(afresh)
        with self._lab_lock:
            if afresh:
                self._told, self._stale = _Told(), True
            message, probabilities = self._lab_changes(afresh)
        if message:
            yield message, [probabilities]

    def _lab_changes(self, afresh: bool) -> tuple[PageMessage, bytes]:
        """Returns what the page doesn't know of the lab, and the probabilities that are new."""
        told, lab = self._told, self._lab
        pauses = told.pauses
        message: PageMessage = {"first": 0, "count": 0, "stretches": [], "spans": []}
        message |= {"pauses": [], "pauses_from": len(told.pauses)}
        probabilities = b""
        message["stretches_from"] = len(told.stretches)
        rows: list[dict[str, Any]] = []
        if lab is not None:
            message["first"], probabilities = self._new_frames(lab, told)
            message["count"] = len(probabilities)
            message["stretches_from"], message["stretches"] = self._new_stretches(told)
            rows = lab_rows(lab, self._scored())
            message["spans"] = list(self._new_turns(lab, rows, told))
            message["pauses_from"], message["pauses"] = self._new_pauses(lab, told)
        self._stale = False
        said = self._say()
        message |= self._new_words(rows, self._facts(said), _model_told(said), told)
        same = not (probabilities or message["stretches"] or message["spans"])
        same = same and message["pauses_from"] == len(pauses) and not message["pauses"]
        if same and not afresh and not message.keys() & {"rows", "facts", "told"}:
            return {}, b""
        return {"kind": "lab", "afresh": afresh, **message}, probabilities

    def _new_frames(self, lab: TurnLab, told: _Told) -> tuple[int, bytes]:
        since = max(told.frames, lab.frame_count - MAX_FRAMES)
        frames = lab.frames(since)
        first, filled = probability_bytes(frames, told.next_place)
        told.frames = lab.frame_count
        if filled or told.next_place is not None:
            told.next_place = first + len(filled)
        return first, filled

    def _new_stretches(self, told: _Told) -> tuple[int, list[tuple[float, float, float]]]:
        stretches = [
            (round(begin_s, 4), round(start_ms, 1), round(end_ms, 1))
            for begin_s, start_ms, end_ms in self._lab_clock.stretches()
        ]
        same = _same_from_the_start(told.stretches, stretches)
        told.stretches = stretches
        return same, stretches[same:]

    def _new_pauses(self, lab: TurnLab, told: _Told) -> tuple[int, Pauses]:
        pauses = judged_pauses(lab)
        same = _same_from_the_start(told.pauses, pauses)
        told.pauses = pauses
        return same, pauses[same:]

    def _new_turns(
        self, lab: TurnLab, rows: list[dict[str, Any]], told: _Told
    ) -> Iterator[PageMessage]:
        since_ms = 0.0 if self._stale else max(0.0, lab.now_ms - _MAY_CHANGE_MS)
        ids = [row["id"] for row in rows]
        told.turns = {row_id: told.turns.get(row_id, []) for row_id in ids}
        for row, row_id in zip(rows, ids, strict=True):
            known = told.turns[row_id]
            changed = changed_turns(known, row_turns(lab, row_id, since_ms), since_ms)
            if changed is not None:
                first, fresh = changed
                known[first:] = fresh
                yield {"id": row_id, "from": first, "spans": fresh}
            row["turns"] = len(known)

    def _new_words(
        self, rows: list[dict[str, Any]], facts: PageMessage, model: PageMessage, told: _Told
    ) -> PageMessage:
        news: PageMessage = {}
        if rows != told.rows:
            told.rows = news["rows"] = rows
        if facts != told.facts:
            told.facts = news["facts"] = facts
        others = {name: value for name, value in model.items() if told.model.get(name) != value}
        if others:
            told.model = model
            news["told"] = others
        return news

    def _scored(self) -> list[LabScore]:
        """Returns scores that are at most a second old, while a session goes on."""
        lab, now_s = self._lab, time.monotonic()
        if lab is None:
            return []
        due = now_s - self._scored_s >= _SCORED_S and lab.frame_count != self._scored_frames
        if due or self._stale or self._scored_s < 0:
            self._scores, self._agreement = lab.scores(), lab.agreement()
            self._scored_s, self._scored_frames = now_s, lab.frame_count
        return self._scores

    def _facts(self, said: LabSaid) -> PageMessage:
        facts: PageMessage = {
            name: value
            for name, value in asdict(said).items()
            if name not in ("detection", "code", "pending", "refusals", "kinds")
        }
        lab = self._lab
        agreement = self._agreement  # made with the scores
        deaf = None if lab is None or said.shows != "session" else lab.deafness()
        detection = said.detection or {}
        return facts | {
            "agreement": agreement.words if agreement and lab and has_server(lab) else "",
            "trusted": agreement is None or agreement.trusted or not agreement.matched,
            "deafness": "" if deaf is None else deaf.words,
            "vad_only": detection.get("create_response") is False
            and detection.get("interrupt_response") is False,
            "columns": [
                {"label": label, "does": does} for label, _, does in known_columns(self._scores)
            ],
            "scored": "" if lab is None else _scored_words(lab),
            "labels": "" if lab is None else _label_words(lab),
            "hysteresis": TurnSettings().hysteresis,
        }


def _still_rows(lab: TurnLab, rows: Iterable[dict[str, Any]]) -> list[StillRow]:
    return [
        StillRow(row["name"], row["kind"], row["grey"], row_turns(lab, row["id"])) for row in rows
    ]


def _told(row: Mapping[str, Any]) -> str:
    return " · ".join(words for words in (row["words"], row["judged"]) if words)


def _html_table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    def row(tag: str, texts: Iterable[str]) -> str:
        cells = (f'<{tag} style="{_CELL}">{html.escape(text)}</{tag}>' for text in texts)
        return f"<tr>{''.join(cells)}</tr>"

    body = "".join(row("td", line) for line in lines)
    return f"<table><thead>{row('th', head)}</thead><tbody>{body}</tbody></table>"


def _model_told(said: LabSaid) -> PageMessage:
    """Returns what the page's settings are made of, as an agent's panel has it in its traits."""
    table = turn_table()
    table["kinds"] = [kind for kind in table["kinds"] if kind["name"] in said.kinds]
    settings = {
        "turn_detection": said.detection,
        "code": said.code,
        "open": True,
        "confirmed_s": None,
        "refusals": said.refusals,
    }
    return {"settings": settings, "pending": said.pending, "turn_table": table}


def _scored_words(lab: TurnLab) -> str:
    if lab.is_judging:
        return "The turn model is still at pauses: what semantic_vad does is what is known so far."
    if lab.labels:
        by_hand = any(label.kind == "speech" for label in lab.labels)
        return f"Scored against {counted(len(lab.labels), 'label')}: {_JUDGED[by_hand]}"
    return (
        "Waits are from where the offline detector hears the voice end. Label turns, and splits, "
        "false starts, precision and recall are counted, too."
    )


def _label_words(lab: TurnLab) -> str:
    names = {"not_finished": "not finished", "not_me": "not me", "speech": "speech by hand"}
    kinds: list[str] = [label.kind for label in lab.labels]
    found = {name: kinds.count(kind) for kind, name in names.items()}
    return ", ".join(f"{count} × {name}" for name, count in found.items() if count)


def _same_from_the_start(before: Sequence[object], now: Sequence[object]) -> int:
    """Returns how many at the beginning are as they were."""
    pairs = zip(before, now, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
