"""Conversations that are broken off: what goes on, what is lost, and whether that is said.

Over real sockets through a network that fails in every way, several side by side in processes of
their own; and on virtual time at every event of a conversation.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from realtime_nb.commands.bench import fault_barge_ins, fault_boundaries, fault_network
from realtime_nb.commands.bench.fault_barge_ins import BargeIns
from realtime_nb.commands.bench.fault_network import KINDS, bound_ms
from realtime_nb.commands.bench.fault_talk import CHUNK_MS, KnowingLLM, Outcome
from realtime_nb.errors import ConfigurationError
from realtime_nb.session.open_connection import PING_INTERVAL_S

__all__ = ["FaultRow", "run"]

_PROCESSES = 2
_SIDE_BY_SIDE = 16
_TALK_S = 120.0
_PARTS = 8
_IN_A_TALK = 10
_LEAD_MS = 1_000.0  # of servers that keep a pace

Job = tuple[str, int]
"""A kind, and the seed of one conversation."""


@dataclass(slots=True)
class FaultRow:
    """What was measured of one kind of fault.

    Attributes:
        kind: what goes wrong.
        bound_ms: how far the reported loss may be from the true one, at each loss.
        faults: how many struck.
        talks: how many conversations they struck.
        continued: those that went on to their end.
        intact: those of which the last server knows all that was said, called and returned.
        duplicated: function calls that ran twice, or were answered twice.
        lost_turns: what a user said, and the last server does not know.
        said_again: turns that were cut off and said once more.
        reported_ms: the user's audio that no server had, as the sessions say.
        true_ms: the same, as the network counted.
        furthest_ms: the largest difference between the two, for each loss of a conversation.
        problems: what went wrong first, in those where something did.
    """

    kind: str
    bound_ms: float
    faults: int = 0
    talks: int = 0
    continued: int = 0
    intact: int = 0
    duplicated: int = 0
    lost_turns: int = 0
    said_again: int = 0
    reported_ms: float = 0.0
    true_ms: float = 0.0
    furthest_ms: float = 0.0
    problems: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome, faults: int) -> None:
        """Counts one conversation in."""
        self.faults += faults
        self.talks += 1
        self.continued += outcome.continued
        self.intact += outcome.intact
        self.duplicated += outcome.duplicated
        self.lost_turns += outcome.lost_turns
        self.said_again += outcome.said_again
        self.reported_ms += outcome.reported_ms
        self.true_ms += outcome.true_ms
        wrong_ms = abs(outcome.reported_ms - outcome.true_ms) / max(1, outcome.gaps)
        self.furthest_ms = max(self.furthest_ms, wrong_ms)
        if outcome.problem:
            self.problems.append(outcome.problem)

    @property
    def reached(self) -> bool:
        """Whether all went on, nothing was lost or done twice, and the loss was said."""
        whole = self.continued == self.intact == self.talks
        return whole and not (
            self.duplicated or self.lost_turns or self.furthest_ms > self.bound_ms
        )


def run(
    talks: int = 24, kinds: Sequence[str] | None = None, every: int = 1, barge_ins: int = 1_000
) -> dict[str, list[FaultRow] | int | BargeIns]:
    """Measures, prints a table and returns its rows and how many of them reached what they are to.

    Args:
        talks: conversations over sockets of each kind of fault.
        kinds: None: all.
        every: on virtual time, which of the events are tried: all, every second, …
        barge_ins: random ones, on virtual time, with drops among them.
    """
    names = list(kinds or KINDS)
    for name in names:
        if name not in KINDS:
            raise ConfigurationError(f"Unknown fault {name!r}. Choose from {', '.join(KINDS)}.")
    jobs = [(name, seed) for seed in range(talks) for name in names]
    rows = {name: FaultRow(name, bound_ms(name)) for name in names}
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=spawn, initializer=_quiet) as pool:
        # The sockets first: what they measure lives in real time, and wants a calm machine.
        over_sockets = [pool.submit(_talks, jobs[at::_PROCESSES]) for at in range(_PROCESSES)]
        for work in over_sockets:
            for (name, _), outcome, faults in work.result():
                rows[name].add(outcome, faults)
        parts = [pool.submit(_boundaries, every, part) for part in range(_PARTS)]
        speeches = [pool.submit(_barge_ins, barge_ins, part) for part in range(_PARTS)]
        found = [row for part in parts for row in part.result()]
        cut_short = fault_barge_ins.added(work.result() for work in speeches)
    for name, outcome in found:
        rows.setdefault(name, FaultRow(name, CHUNK_MS)).add(outcome, 1)
    done = list(rows.values())
    _print(done, len(names))
    _print_barge_ins(cut_short)
    reached = sum(row.reached for row in done)
    return {"rows": done, "reached": reached, "of": len(done), "barge_ins": cut_short}


# --- the processes that do it ---------------------------------------------------------------------


def _quiet() -> None:
    logging.getLogger("realtime_nb").setLevel(logging.CRITICAL)


def _talks(jobs: Sequence[Job]) -> list[tuple[Job, Outcome, int]]:
    return asyncio.run(_side_by_side(jobs))


async def _side_by_side(jobs: Sequence[Job]) -> list[tuple[Job, Outcome, int]]:
    llm, room = KnowingLLM(), asyncio.Semaphore(_SIDE_BY_SIDE)

    async def one(name: str, seed: int) -> tuple[Job, Outcome, int]:
        async with room:
            try:
                async with asyncio.timeout(_TALK_S):
                    outcome, faults = await fault_network.outcome(server, llm, name, seed)
            except Exception as error:
                outcome, faults = Outcome(problem=repr(error)), 0
            return (name, seed), outcome, faults

    async with fault_network.served(llm) as server:
        return await asyncio.gather(*(one(*job) for job in jobs))


def _boundaries(every: int, part: int) -> list[tuple[str, Outcome]]:
    """Does a part of what is done on virtual time."""
    chosen = fault_boundaries.boundaries()[::every][part::_PARTS]
    return [
        (f"at an event {way}, which {'arrives' if passes else 'is lost'}", outcome)
        for (way, _, passes), outcome in fault_boundaries.outcomes(chosen)
    ]


def _barge_ins(count: int, part: int) -> BargeIns:
    """Does a part of them, half of it at servers that send answers at once."""
    talks = range(count // _IN_A_TALK)[part::_PARTS]
    halves = ((talks[::2], None), (talks[1::2], _LEAD_MS))
    return fault_barge_ins.added(
        fault_barge_ins.total(some, _IN_A_TALK, lead_ms) for some, lead_ms in halves
    )


# --- what is printed ------------------------------------------------------------------------------


def _print(rows: Sequence[FaultRow], over_sockets: int) -> None:
    print("Conversations with speech, typing and functions, broken off")
    print(f"{'':34}{'':>7}{'':>6}{'went':>6}{'hist.':>6}{'calls':>6}{'turns':>6}  audio lost, ms")
    print(
        f"{'':34}{'faults':>7}{'talks':>6}{'on':>6}{'whole':>6}{'twice':>6}{'lost':>6}"
        f"{'said':>8}{'true':>8}{'furthest':>9}"
    )
    for title, some in (
        ("over sockets", rows[:over_sockets]),
        ("on virtual time, at every event", rows[over_sockets:]),
    ):
        print(f" {title}")
        for line in map(_line, some):
            print(line)
    for row in rows:
        for problem in row.problems[:2]:
            print(f"  {row.kind}: {problem}")
    sockets = sum(row.faults for row in rows[:over_sockets])
    others = sum(row.faults for row in rows[over_sockets:])
    reached = sum(row.reached for row in rows)
    print(
        f"  {sockets} faults over sockets and {others} on virtual time; nothing lost or done "
        f"twice, and the loss said to a chunk of {CHUNK_MS} ms\n  (half-open: and the "
        f"{PING_INTERVAL_S:g} s between pings): {reached} of {len(rows)} rows"
    )


def _print_barge_ins(result: BargeIns) -> None:
    print(
        f"  {result.barge_ins} barge-ins at random, {result.after_done} after response.done, "
        f"{result.drops} drops among them: {len(result.errors)} API errors, "
        f"remembered − played at most {result.beyond_ms:.0f} ms"
    )


def _line(row: FaultRow) -> str:
    return (
        f"  {row.kind:<32}{row.faults:>7}{row.talks:>6}{row.continued:>6}{row.intact:>6}"
        f"{row.duplicated:>6}{row.lost_turns:>6}{row.reported_ms:>8.0f}{row.true_ms:>8.0f}"
        f"{row.furthest_ms:>9.0f}  {'' if row.reached else '←'}"
    )
