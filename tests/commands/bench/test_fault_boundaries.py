from __future__ import annotations

from realtime_nb.commands.bench.fault_boundaries import boundaries, outcomes
from realtime_nb.commands.bench.fault_talk import CHUNK_MS


def test_at_events_all_over_a_conversation() -> None:
    every = boundaries()
    assert len(every) >= 200
    assert len(set(every)) == len(every)
    for boundary, outcome in outcomes(every[::47]):
        assert outcome.problem == "", boundary
        assert outcome.continued, boundary
        assert outcome.intact, boundary
        assert outcome.gaps == 1, boundary
        assert (outcome.duplicated, outcome.lost_turns) == (0, 0), boundary
        assert abs(outcome.reported_ms - outcome.true_ms) <= CHUNK_MS, boundary
