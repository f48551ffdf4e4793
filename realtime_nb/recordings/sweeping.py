"""What other settings of turn detection would have done to what was recorded.

::

    tried = rt.sweep("recordings/kitchen", threshold=[0.3, 0.5], silence_duration_ms=[200, 500])
    tried.table
    tried.plot_tradeoff()
    tried.best(max_split=0.05)
    tried.explain(3)

The speech probabilities of the audio are worked out once; each setting then costs a millisecond
for an hour of it.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from realtime_nb.analysis.columns.frames import copied, records
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.what_if.candidates import (
    DEFAULT,
    IN_USE,
    Candidate,
    Values,
    candidates,
    told_detection,
)
from realtime_nb.analysis.what_if.choosing import (
    BestSetting,
    ChoiceLimits,
    best_setting,
    percent_words,
    share_words,
)
from realtime_nb.analysis.what_if.explaining import (
    explain_judged,
    explain_judged_labelled,
    explain_labelled,
    explain_taken,
)
from realtime_nb.analysis.what_if.outcomes import Bounds, judge
from realtime_nb.analysis.what_if.scores import (
    NO_LABELS,
    OPEN_LOOP,
    AudioPrice,
    SweptRun,
    audio_price,
    scores_table,
)
from realtime_nb.analysis.what_if.taken_turns import Taken, taken_turns
from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.audio.speech_engines import speech_engine
from realtime_nb.audio.turn_model import SpokenAudio, turn_model
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.semantic_turns import TurnDecision, find_semantic_spans
from realtime_nb.protocol.turns import SpeechSpan
from realtime_nb.protocol.words import counted, lasting
from realtime_nb.recordings.heard_probabilities import probabilities_of, voice_ends_of
from realtime_nb.recordings.swept_sources import Source, Swept, swept_sources

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["Sweep", "sweep"]

_SHOWN_ROWS = 40


@at_call
def sweep(
    source: Source,
    *,
    threshold: Values = None,
    silence_duration_ms: Values = None,
    prefix_padding_ms: Values = None,
    engine: str | Iterable[str] = "silero",
    labels: object = None,
    settings: object = (),
    sample_rate: int = SAMPLE_RATE,
    channel: int | str | None = None,
    price_model: str = "gpt-realtime",
    prices: PriceTable | None = None,
) -> Sweep:
    """Tries settings of turn detection on recorded audio.

    The turns are those that the local server would have taken of the same audio under each of the
    settings. It is open loop: the recording does not answer otherwise. What the figures are is told
    by ``table.attrs["columns"]``, and in ``docs/numbers.md``.

    Args:
        source: A recording; a folder, of recordings or of audio files; the path of either; samples,
            shape (n,); or a list of these, whose turns are counted together.
        threshold, silence_duration_ms, prefix_padding_ms: A value or several; all combinations are
            tried. One that is left out has the value in use in the recording, or the default; where
            all are, a usual grid is tried.
        engine: A name or several of what makes the speech probabilities. Thresholds of one engine
            are not those of another.
        labels: Where the user's turns really are: a path (see :func:`realtime_nb.read_labels`), or
            pairs of seconds, or rows with ``start_s`` and ``end_s``; of several pieces of audio, by
            their names. Unless given, the marks ``speech end`` (and ``speech start``) of a
            recording, or else the keys that were pressed in its lab ("I wasn't finished", "that
            was not me"), which are about its server's turns; or the file of the same name beside an
            audio file.
        settings: More settings to try, one by one: ``[rt.ServerVAD(threshold=0.4), …]``; also
            ``rt.SemanticVAD(…)``, as the local server with its turn model hears it.
        sample_rate: Of samples.
        channel: Of audio files, as for :func:`realtime_nb.load`.
        price_model: By whose price of audio the audio that is sent is priced.
        prices: Prices that come before the built-in ones.

    Raises:
        ConfigurationError: A setting, an engine, a label or a model is not what it must be.
        RecordingError, AudioError: There is no audio.
    """
    found = swept_sources(source, labels, sample_rate, channel)
    in_use = _common([piece.in_use for piece in found])
    tried = candidates(threshold, silence_duration_ms, prefix_padding_ms, engine, settings, in_use)
    for name in {one.engine for one in tried}:
        speech_engine(name)
    if turn_model() is None and any(one.semantic is not None for one in tried):
        raise ConfigurationError(
            "settings holds rt.SemanticVAD(…), whose pauses the turn model Smart Turn judges, and "
            "onnxruntime is not installed. Run: pip install 'realtime_nb[local]'; or leave it out."
        )
    return Sweep(found, tried, audio_price(price_model, prices))


def _common(in_use: Sequence[ServerVAD | None]) -> ServerVAD | None:
    """Returns the settings that all of several recordings were made with; else None."""
    first = in_use[0]
    return first if all(one == first for one in in_use) else None


@at_call
class Sweep:
    """Settings of turn detection, tried on the same audio.

    Attributes:
        settings: All of them, in the order of the table: those that were asked for, then those to
            compare them with.
        open_loop: What the figures can't tell.
    """

    open_loop = OPEN_LOOP

    def __init__(
        self, sources: Sequence[Swept], tried: Sequence[Candidate], price: AudioPrice
    ) -> None:
        self._sources = list(sources)
        self.settings = list(tried)
        self._price = price
        self._labelled = all(piece.truth is not None for piece in self._sources)
        self._decisions: list[dict[int, list[TurnDecision]]] = []
        self._taken = [self._found(piece) for piece in self._sources]
        self._table = self._scored(range(len(self._sources)))

    def _found(self, piece: Swept) -> list[Taken]:
        """Returns the turns that each of the settings takes of a piece of audio."""
        by_engine: dict[str, list[int]] = {}
        for index, one in enumerate(self.settings):
            by_engine.setdefault(one.engine, []).append(index)
        found: dict[int, Taken] = {}
        decisions: dict[int, list[TurnDecision]] = {}
        for engine, indices in by_engine.items():
            heard = probabilities_of(piece.sound, engine)
            silent = [index for index in indices if self.settings[index].semantic is None]
            own = taken_turns(heard, [self.settings[index].settings for index in silent])
            found |= dict(zip(silent, own, strict=True))
            judged = self._judged(piece, heard, [one for one in indices if one not in silent])
            found |= {index: Taken.of(spans) for index, (spans, _) in judged.items()}
            decisions |= {index: own for index, (_, own) in judged.items()}
        self._decisions.append(decisions)
        return [found[index] for index in range(len(self.settings))]

    def _judged(
        self, piece: Swept, heard: npt.NDArray[np.float32], indices: Sequence[int]
    ) -> dict[int, tuple[list[SpeechSpan], list[TurnDecision]]]:
        """Returns the turns of settings under which a turn model judges pauses, and how it did."""
        model = turn_model() if indices else None
        if model is None:
            return {}
        spoken, probabilities = SpokenAudio(piece.sound, model), heard.tolist()
        found = {}
        for index in indices:
            settings = self.settings[index].semantic
            assert settings is not None
            found[index] = find_semantic_spans(probabilities, settings, spoken.completeness)
        return found

    def _scored(self, pieces: Iterable[int]) -> pd.DataFrame:
        runs: list[list[SweptRun]] = [[] for _ in self.settings]
        for index in pieces:
            piece = self._sources[index]
            truth = Bounds.of(piece.truth) if self._labelled and piece.truth is not None else None
            ends_ms = np.zeros(0) if truth is not None else voice_ends_of(piece.sound)
            for own, taken in zip(runs, self._taken[index], strict=True):
                outcomes = None if truth is None else judge(taken, truth)
                own.append(SweptRun(taken, outcomes, ends_ms, piece.duration_ms))
        return scores_table(self.settings, runs, self._price)

    # --- tables -----------------------------------------------------------------------------------

    @property
    def table(self) -> pd.DataFrame:
        """One row per setting: those asked for, then, if they are not among them, those in use and
        the defaults; column ``mark`` names these. ``attrs["columns"]`` tells what each column is.
        """
        return copied(self._table)

    @cached_property
    def _by_source(self) -> pd.DataFrame:
        import pandas as pd

        from realtime_nb.analysis.columns.frames import of_recording

        parts = [
            of_recording(self._scored([index]), piece.name)
            for index, piece in enumerate(self._sources)
        ]
        found = pd.concat(parts, ignore_index=True)
        found.attrs["columns"] = parts[0].attrs["columns"]
        return found

    @property
    def by_recording(self) -> pd.DataFrame:
        """The same of each piece of audio by itself, with a first column ``recording``."""
        return copied(self._by_source)

    @cached_property
    def notes(self) -> list[str]:
        """What to know before trusting it, in sentences."""
        found = [OPEN_LOOP]
        if not self._labelled:
            without = [piece.name for piece in self._sources if piece.truth is None]
            which = "" if len(without) == len(self._sources) else f" (none of {', '.join(without)})"
            found.append(f"Here {NO_LABELS}{which}.")
        if len({one.engine for one in self.settings}) > 1:
            found.append("A threshold of one engine is another one of the next.")
        for piece in self._sources:
            of = f"{piece.name}: " if len(self._sources) > 1 else ""
            found += [f"{of}{note}" for note in (*piece.notes, *piece.level_notes())]
        return found

    def __repr__(self) -> str:
        shown = self._shown().to_string(index=False, na_rep="")
        return "\n".join(
            [self._head(), shown, *self._left_out(), *(f"note: {note}" for note in self.notes)]
        )

    def _repr_html_(self) -> str:
        table = self._shown().to_html(index=False, na_rep="", border=0)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in (*self._left_out(), *self.notes))
        return f"<p>{html.escape(self._head())}</p>{table}{notes}"

    def _left_out(self) -> list[str]:
        more = len(self.settings) - len(self._shown_rows())
        return [f"… and {counted(more, 'setting')} more: see .table"] if more else []

    def _shown_rows(self) -> list[dict[str, Any]]:
        """Returns the first rows, and those to compare them with wherever they are."""
        rows = records(self._table)
        return [row for index, row in enumerate(rows) if index < _SHOWN_ROWS or row["mark"]]

    def _head(self) -> str:
        seconds = sum(piece.duration_ms for piece in self._sources) / 1000
        of = (
            self._sources[0].name
            if len(self._sources) == 1
            else counted(len(self._sources), "recording")
        )
        labelled = sum(len(piece.truth or ()) for piece in self._sources)
        truth = counted(labelled, "labelled turn") if self._labelled else "no labels"
        return f"{counted(len(self.settings), 'setting')} on {of}, {lasting(seconds)}, {truth}"

    def _shown(self) -> pd.DataFrame:
        """Returns the table as it is read: what is known of it, with as many digits as mean
        anything."""
        import pandas as pd

        rows = self._shown_rows()
        paddings = {row["prefix_padding_ms"] for row in rows if not row["eagerness"]}
        engines = {row["engine"] for row in rows}
        shown = []
        for row in rows:
            cells = {"engine": row["engine"]} if len(engines) > 1 else {}
            cells |= {
                "threshold": _told_words(row, "threshold") or f"semantic {row['eagerness']}",
                "silence ms": _told_words(row, "silence_duration_ms"),
            }
            if len(paddings) > 1:
                cells["padding ms"] = _told_words(row, "prefix_padding_ms")
            cells["turns"] = str(row["turns"])
            if self._labelled:
                cells |= {
                    "split": share_words(row, "split"),
                    "false starts": share_words(row, "false_start"),
                    "missed": share_words(row, "missed"),
                }
            wait_ms = (row["endpoint_wait_p50_ms"], row["endpoint_wait_p95_ms"])
            cells |= {
                "wait p50 / p95 ms": ""
                if math.isnan(wait_ms[0])
                else f"{wait_ms[0]:,.0f} / {wait_ms[1]:,.0f}",
                "audio sent": percent_words(row["audio_sent_share"]),
                f"$ an hour ({self._price.model})": f"{row['hour_usd']:.2f}",
                "": row["mark"] or "",
            }
            shown.append(cells)
        return pd.DataFrame(shown)

    # --- one setting ------------------------------------------------------------------------------

    def best(
        self,
        max_split: float | None = None,
        max_false_start: float | None = None,
        *,
        max_wait_ms: float | None = None,
    ) -> BestSetting:
        """Returns the setting with the shortest median wait that keeps within limits; within a
        limit of the wait, the one with the fewest splits.

        Of equals, the one with fewer splits or the shorter wait, then fewer false starts, then less
        audio sent.

        Args:
            max_split: How much of the labelled turns may be split, 0 to 1; None: any part.
            max_false_start: How much of the turns taken may be false starts; None: any part.
            max_wait_ms: How long the median wait may be; None: any time.

        Raises:
            ConfigurationError: A limit is none; nothing is labelled; or no setting keeps within
                the limits: which come nearest is told.
        """
        limits = ChoiceLimits(max_split, max_false_start, max_wait_ms)
        return best_setting(self.settings, records(self._table), limits)

    def explain(
        self,
        turn: int,
        settings: ServerVAD | SemanticVAD | None = None,
        *,
        engine: str | None = None,
    ) -> str:
        """Returns why a turn ended where it did, in a sentence.

        Args:
            turn: Its number, from 1: of the labelled turns or, without labels, of those that were
                taken.
            settings: Under which; unless given, those in use, or the defaults.
            engine: Of which; unless given, the first.

        Raises:
            ConfigurationError: There is no such turn, or the settings were not tried.
        """
        index = self._index_of(settings, engine)
        one = self.settings[index]
        counts = [
            len(piece.truth or ()) if self._labelled else len(taken[index])
            for piece, taken in zip(self._sources, self._taken, strict=True)
        ]
        if isinstance(turn, bool) or not isinstance(turn, int) or not 1 <= turn <= sum(counts):
            which = "labelled turn" if self._labelled else "turn taken"
            held = counted(sum(counts), which, which.replace("turn", "turns"))
            raise ConfigurationError(f"turn is {turn!r}; there are {held}, counted from 1.")
        place, own = 0, turn
        while own > counts[place]:
            own -= counts[place]
            place += 1
        piece, taken = self._sources[place], self._taken[place][index]
        heard = probabilities_of(piece.sound, one.engine)
        decisions = self._decisions[place].get(index, [])
        of = f" of {piece.name}" if len(self._sources) > 1 else ""
        if self._labelled:
            assert piece.truth is not None
            why = _why_labelled(heard, one, piece, own - 1, taken, decisions)
        elif one.semantic is not None:
            why = explain_judged(one.semantic, taken.spans()[own - 1], decisions)
        else:
            why = explain_taken(heard, one.settings, taken.spans()[own - 1])
        return f"Turn {own}{of} ({one.words}): {why}."

    def _index_of(self, settings: ServerVAD | SemanticVAD | None, engine: str | None) -> int:
        wanted = None if settings is None else told_detection(settings)
        own = [
            index
            for index, one in enumerate(self.settings)
            if (engine is None or one.engine == engine)
            and (wanted is None or one.detection == wanted)
        ]
        if not own:
            raise ConfigurationError(
                f"{settings!r}{f' with {engine}' if engine else ''} was not tried; it is not among "
                "the rows of the table: name it in settings=[…] of rt.sweep."
            )
        if wanted is None:
            for mark in (IN_USE, DEFAULT):
                marked = [index for index in own if mark in self.settings[index].marks]
                own = marked or own
                if marked:
                    break
        return own[0]

    # --- pictures ---------------------------------------------------------------------------------

    def plot_heatmap(
        self,
        value: str | None = None,
        ax: Axes | None = None,
        *,
        engine: str | None = None,
        prefix_padding_ms: int | None = None,
    ) -> Axes:
        """Draws one figure over thresholds and silences.

        Args:
            value: A column of the table; unless given, the part of turns that was split or, without
                labels, the number of turns.
            ax: Where to draw; without it, into a figure of its own.
            engine, prefix_padding_ms: Which part of the table; unless given, the first.

        Raises:
            ConfigurationError: There is no such column, engine or padding.
        """
        from realtime_nb.plots.sweep import plot_sweep_heatmap

        value = value or ("split_share" if self._labelled else "turns")
        return plot_sweep_heatmap(
            self._table, value, ax, engine=engine, prefix_padding_ms=prefix_padding_ms
        )

    def plot_tradeoff(self, ax: Axes | None = None) -> Axes:
        """Draws cut-offs against waiting, a point for each setting, with the Pareto front: the
        settings that none betters in both."""
        from realtime_nb.plots.sweep import plot_sweep_tradeoff

        return plot_sweep_tradeoff(self._table, ax)


def _told_words(row: dict[str, Any], name: str) -> str:
    return "" if math.isnan(row[name]) else f"{row[name]:g}"


def _why_labelled(
    heard: npt.NDArray[np.float32],
    one: Candidate,
    piece: Swept,
    number: int,
    taken: Taken,
    decisions: Sequence[TurnDecision],
) -> str:
    assert piece.truth is not None
    outcomes = judge(taken, Bounds.of(piece.truth))
    first = int(outcomes.first[number])
    own = taken.spans()[first : first + int(outcomes.count[number])]
    if one.semantic is not None:
        turn = piece.truth[number]
        return explain_judged_labelled(heard, one.semantic, turn, own, decisions)
    return explain_labelled(heard, one.settings, piece.truth[number], own)
