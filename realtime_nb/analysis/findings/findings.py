"""Rules that turn a recorded session into sentences, worst first.

Each rule looks at the tables of a recording and yields :class:`Finding` objects. Their ids are
stable, so that tests can rely on them (:mod:`realtime_nb.analysis.checks`).
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, overload

from realtime_nb.analysis.columns.frames import copied, frame
from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.findings.audio import AUDIO_RULES
from realtime_nb.analysis.findings.caching import CACHING_RULES
from realtime_nb.analysis.findings.connection import CONNECTION_RULES
from realtime_nb.analysis.findings.evidence import SEVERITIES, Evidence, Finding, Rule
from realtime_nb.analysis.findings.session import SESSION_RULES
from realtime_nb.analysis.findings.timing import TIMING_RULES
from realtime_nb.analysis.findings.tool_servers import TOOL_SERVER_RULES
from realtime_nb.analysis.findings.turns import TURN_RULES
from realtime_nb.analysis.findings.unknown import KINDS, why_unknown
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.protocol.words import clock, counted

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FINDING_IDS", "RULES", "Finding", "Findings", "findings"]

SHOWN_OF_A_KIND = 5
"""So many findings of one kind are displayed among others; :meth:`Findings.of` shows all."""

FINDING_IDS = tuple(KINDS)
"""All kinds of findings."""

RULES: tuple[Rule, ...] = (
    *(*SESSION_RULES, *TOOL_SERVER_RULES, *CONNECTION_RULES, *CACHING_RULES),
    *(*TURN_RULES, *TIMING_RULES, *AUDIO_RULES),
)
"""Findings of one severity at one moment stay in this order: sorting keeps it."""


def findings(rec: Recorded, prices: PriceTable | None = None) -> Findings:
    """Returns what there is to say of a session, worst first.

    Args:
        rec: The recorded session.
        prices: Prices that come before the built-in ones, for what is said in dollars.
    """
    evidence = Evidence(rec, prices)
    found = [finding for rule in RULES for finding in rule(evidence)]
    return Findings(found, rec.simulated, why_unknown(evidence), rec)


class Findings(Sequence[Finding]):
    """Findings, worst first and then in order of time.

    Attributes:
        simulated: Whether the session ran on the local server, whose latencies are its own.
        unknown: By kind, why its rule could not look, so that none of them says nothing.
        recording: What they were found in, if that can be listened to.
    """

    def __init__(
        self,
        found: Iterable[Finding],
        simulated: bool = False,
        unknown: Mapping[str, str] | None = None,
        recording: Recorded | None = None,
    ) -> None:
        self._found = sorted(found, key=_rank)
        self.simulated = simulated
        self.unknown = dict(unknown or {})
        self.recording = recording

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> Findings: ...
    def __getitem__(self, index: int | slice) -> Finding | Findings:
        if isinstance(index, slice):
            return Findings(self._found[index], self.simulated, self.unknown, self.recording)
        return self._found[index]

    def __len__(self) -> int:
        return len(self._found)

    def __getstate__(self) -> dict[str, object]:
        return {**vars(self), "recording": None}  # what another process sends back is no audio

    def of(self, id: str) -> Findings:
        """Returns those of one kind, such as ``"slow-answer"``."""
        unknown = {id: self.unknown[id]} if id in self.unknown else {}
        found = (one for one in self._found if one.id == id)
        return Findings(found, self.simulated, unknown, self.recording)

    @property
    def table(self) -> pd.DataFrame:
        """One row per finding, with its attributes as columns."""
        rows = [{one.name: getattr(found, one.name) for one in fields(found)} for found in self]
        return copied(frame("findings", rows))

    def __repr__(self) -> str:
        lines = [self.headline()]
        shown, more = self.shown()
        for one in shown:
            lines.append(f"{one.severity:<7}  {clock(one.start_s):>5}  {one.text}  [{one.id}]")
            if one.suggestion:
                lines.append(f"{'':16}→ {one.suggestion}")
        return "\n".join([*lines, *more])

    def _repr_html_(self) -> str:
        shown, more = self.shown()
        rows = "".join(_html_row(one) for one in shown)
        below = "".join(f"<p>{html.escape(line)}</p>" for line in more)
        return f"<p>{html.escape(self.headline())}</p><table>{rows}</table>{below}"

    def shown(self) -> tuple[list[Finding], list[str]]:
        """Returns what is displayed: findings, and lines of what else there is or isn't known."""
        shown, left = self._shown()
        return shown, [*left, *self._not_known()]

    def _shown(self) -> tuple[list[Finding], list[str]]:
        """Returns what is worth reading at once: a few of each kind, and how many more there
        are."""
        counts = Counter(one.id for one in self._found)
        if len(counts) == 1:
            return self._found, []
        shown: list[Finding] = []
        seen: Counter[str] = Counter()
        for one in self._found:
            seen[one.id] += 1
            if seen[one.id] <= SHOWN_OF_A_KIND:
                shown.append(one)
        more = ((id, count - SHOWN_OF_A_KIND) for id, count in counts.items())
        return shown, [f'and {left} more like it: .of("{id}")' for id, left in more if left > 0]

    def _not_known(self) -> list[str]:
        """Returns what could not be looked for, a line for each reason."""
        by_reason: dict[str, list[str]] = {}
        for id, reason in self.unknown.items():
            by_reason.setdefault(reason, []).append(id)
        return [f"not known, {reason}: {', '.join(ids)}" for reason, ids in by_reason.items()]

    def headline(self) -> str:
        """Returns how many there are of which severity."""
        counts = [(severity, self._count(severity)) for severity in SEVERITIES]
        parts = [counted(count, name) for name, count in counts if count]
        said = ", ".join(parts) or "nothing to report"
        return f"{said} (times are the local server's)" if self.simulated else said

    def _count(self, severity: str) -> int:
        return sum(one.severity == severity for one in self._found)


def _rank(finding: Finding) -> tuple[int, float]:
    at_s = finding.start_s
    return SEVERITIES.index(finding.severity), at_s if at_s == at_s else -math.inf


def _html_row(one: Finding) -> str:
    weight = "bold" if one.severity == "error" else "normal"
    cell = "<td style='text-align:left;vertical-align:top;font-weight:{}'>{}</td>"
    events = one.evidence.get("events")
    shown = f"events {', '.join(map(str, events[:8]))}" if isinstance(events, list) else ""
    text = html.escape(one.text)
    if one.suggestion:
        text += f"<br><i>{html.escape(one.suggestion)}</i>"
    cells = [
        cell.format(weight, one.severity),
        cell.format("normal", clock(one.start_s)),
        cell.format("normal", text),
        f"<td style='vertical-align:top' title='{html.escape(shown)}'>{html.escape(one.id)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"
