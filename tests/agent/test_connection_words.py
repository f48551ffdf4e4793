"""What a person is told of a lost connection."""

from __future__ import annotations

import pytest

from realtime_nb.agent.connection_words import connection_words
from realtime_nb.protocol.connections import ConnectionKind, ConnectionReport, Reconnection

LOST = ConnectionReport("lost", 10.0, 1006)


def gap(**fields: object) -> Reconnection:
    made = Reconnection(10.0, resumed_s=12.5)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_while_it_is_lost_nobody_hears() -> None:
    assert "Nobody hears you" in connection_words(LOST, [gap()])
    retrying = ConnectionReport("retrying", 11.0, attempt=3, wait_s=1.26)
    assert "attempt 3 in 1.3 s" in connection_words(retrying, [gap()])


@pytest.mark.parametrize("kind", ["resumed", "reconnected"])
def test_back_it_says_what_it_cost(kind: ConnectionKind) -> None:
    report = ConnectionReport(kind, 12.5)
    assert connection_words(report, [gap()]) == "The connection was lost for 2.5 s and is back."
    lost = connection_words(report, [gap(audio_lost_ms=1_240.0)])
    assert "1.2 s of the microphone were not heard; please say again" in lost
    assert "not heard" in connection_words(report, [gap(user_cut_off=True)])
    forgotten = connection_words(report, [gap(not_restored={"a": "why", "b": "why"})])
    assert "has forgotten 2 messages." in forgotten


def test_of_a_move_nothing_is_told() -> None:
    kinds: tuple[ConnectionKind, ...] = ("lost", "resumed", "reconnected")
    for kind in kinds:
        report = ConnectionReport(kind, 12.5)
        assert connection_words(report, [gap(planned=True)]) == ""
    assert connection_words(LOST, []) == ""
    assert connection_words(ConnectionReport("given_up", 1.0), [gap()]) == ""
