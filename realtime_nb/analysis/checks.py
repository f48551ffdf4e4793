"""Assertions about a recorded session, all of whose failures are told at once.

::

    with rec.check() as check:
        check.below("latency_ms", p95=1200)
        check.at_most("underruns", 0)
        check.no("false-interruption")
        check.no_errors()

A figure that is not known fails, and says why it is not known; so does a kind of findings that
nothing in the recording could tell of.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable
from functools import cached_property
from types import TracebackType
from typing import Literal, Self

from realtime_nb.analysis.cost.prices import PriceTable
from realtime_nb.analysis.findings.evidence import SEVERITIES, Evidence
from realtime_nb.analysis.findings.findings import FINDING_IDS, Finding, Findings, findings
from realtime_nb.analysis.findings.unknown import KINDS
from realtime_nb.analysis.recorded import Recorded
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.protocol.words import counted

__all__ = ["Checks"]

Verdict = tuple[str, Callable[[float, float], bool]]

_NO_UNIT = ("count", "share", "usd")
"""What need not be said, or is in the metric's name."""

_BELOW: Verdict = ("below", operator.lt)
_AT_MOST: Verdict = ("at most", operator.le)
_AT_LEAST: Verdict = ("at least", operator.ge)


@at_call
class Checks:
    """Collects what does not hold; leaving the ``with`` block raises it as one ``AssertionError``.

    Metrics are those of ``rec.metrics()``, and ``cost_usd``; findings those of ``rec.findings()``.

    Attributes:
        failures: What has not held so far, in sentences.
    """

    def __init__(self, rec: Recorded, prices: PriceTable | None = None) -> None:
        self.failures: list[str] = []
        self._rec = rec
        self._prices = prices
        self._evidence = Evidence(rec, prices)

    def __repr__(self) -> str:
        return f"<Checks of {self._rec.path.name}; use `with`: its end says what does not hold>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None and self.failures:
            headline = f"{counted(len(self.failures), 'check')} failed for {self._rec.path}:"
            raise AssertionError("\n- ".join([headline, *self.failures]))

    # --- figures ---

    def below(
        self,
        metric: str,
        value: float | None = None,
        *,
        p50: float | None = None,
        p90: float | None = None,
        p95: float | None = None,
        max: float | None = None,
        allow_unknown: bool = False,
    ) -> None:
        """Checks that a metric is below a limit, or some of its percentiles below theirs.

        Args:
            metric: Its name, such as ``latency_ms``.
            value: Limit of the headline value.
            p50, p90, p95, max: Limits of these.
            allow_unknown: Let it pass when the metric is not known.

        Raises:
            ConfigurationError: There is no such metric, or no limit was given.
        """
        limits = {"value": value, "p50": p50, "p90": p90, "p95": p95, "max": max}
        given = {name: limit for name, limit in limits.items() if limit is not None}
        if not given:
            raise ConfigurationError(f'Give a limit: check.below("{metric}", p95=…).')
        for statistic, limit in given.items():
            self._compare(metric, statistic, _BELOW, limit, allow_unknown)

    def at_most(self, metric: str, limit: float, *, allow_unknown: bool = False) -> None:
        """Checks that a metric's headline value is the limit or less."""
        self._compare(metric, "value", _AT_MOST, limit, allow_unknown)

    def at_least(self, metric: str, limit: float, *, allow_unknown: bool = False) -> None:
        """Checks that a metric's headline value is the limit or more."""
        self._compare(metric, "value", _AT_LEAST, limit, allow_unknown)

    def _compare(
        self, metric: str, statistic: str, verdict: Verdict, limit: float, allow_unknown: bool
    ) -> None:
        figure, unit, reason = self._figure(metric, statistic)
        words, holds = verdict
        shown = metric if statistic == "value" else f"{statistic} of {metric}"
        if figure != figure:
            if not allow_unknown:
                wanted = f"{shown} should be {words} {limit:g}"
                self.failures.append(f"{wanted}, but is not known: {reason}")
        elif not holds(figure, limit):
            measured = f"{figure:.4g}" if unit in _NO_UNIT else f"{figure:.4g} {unit}"
            self.failures.append(f"{shown} is {measured}, not {words} {limit:g}")

    def _figure(self, metric: str, statistic: str) -> tuple[float, str, str]:
        """Returns a figure, its unit, and why it is not known."""
        if metric == "cost_usd":
            cost = self._evidence.cost
            known = statistic == "value"
            reason = cost.reason if known else f"a session has one cost, and no {statistic} of it"
            return cost.total_usd if known else float("nan"), "usd", reason or "no reason given"
        table = self._evidence.metrics
        if metric not in table.index:
            raise ConfigurationError(
                _unknown("metric", metric, [str(name) for name in table.index] + ["cost_usd"])
            )
        row = table.loc[[metric]].to_dict("records")[0]
        reason = row["reason"] if isinstance(row["reason"], str) else f"it has no {statistic}"
        return float(row[statistic]), str(row["unit"]), reason

    # --- findings ---

    def no(self, *ids: str, allow_unknown: bool = False) -> None:
        """Checks that there are no findings of these kinds, such as ``false-interruption``.

        Args:
            ids: The kinds.
            allow_unknown: Let those pass of which nothing can be known, such as what was missed in
                a log without audio.

        Raises:
            ConfigurationError: There is no such kind.
        """
        for id in ids:
            if id not in FINDING_IDS:
                raise ConfigurationError(_unknown("finding", id, FINDING_IDS))
            self._refuse(self._findings.of(id))
        self._refuse_unknown(ids, allow_unknown)

    def no_errors(self, *, except_benign: bool = True, allow_unknown: bool = False) -> None:
        """Checks that the server rejected nothing and that no response failed.

        Args:
            except_benign: Let those errors pass that a race brings about and that change nothing.
            allow_unknown: Let it pass when that is not known.
        """
        self._refuse(
            one
            for one in self._findings
            if one.id == "response-failed"
            or (
                one.id == "rejected-requests" and not (except_benign and one.evidence.get("benign"))
            )
        )
        self._refuse_unknown(("rejected-requests", "response-failed"), allow_unknown)

    def none_worse_than(
        self, severity: Literal["error", "warning", "note"], *, allow_unknown: bool = False
    ) -> None:
        """Checks that all findings are of this severity or milder.

        Args:
            severity: The worst that passes.
            allow_unknown: Let it pass when nothing can be known of some kinds of findings.
        """
        allowed = SEVERITIES.index(severity)
        self._refuse(one for one in self._findings if SEVERITIES.index(one.severity) < allowed)
        worst = (id for id in FINDING_IDS if SEVERITIES.index(KINDS[id].worst) < allowed)
        self._refuse_unknown(worst, allow_unknown)

    def _refuse_unknown(self, ids: Iterable[str], allowed: bool) -> None:
        unknown = self._findings.unknown
        for id in ids if not allowed else ():
            failure = f"whether there is a finding of {id} is not known: {unknown.get(id)}"
            if id in unknown and failure not in self.failures:
                self.failures.append(failure)

    @cached_property
    def _findings(self) -> Findings:
        return findings(self._rec, self._prices)

    def _refuse(self, found: Iterable[Finding]) -> None:
        for one in found:
            failure = f"{one.text} [{one.id}]"
            if failure not in self.failures:
                self.failures.append(failure)


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    close = difflib.get_close_matches(name.replace("_", "-"), names, 1)
    close = close or difflib.get_close_matches(name, names, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(names)}."
    return f"There is no {what} {name!r}; {hint}"
