"""What lies across a gap in the connection, by our own arithmetic."""

from __future__ import annotations

import base64
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.analysis.connection_gaps import (
    across,
    audio_lost_ms,
    gap_spans,
    gap_words,
    heard_ms,
    lost_spans_ms,
)
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.events import AudioBufferAppend

tenths = st.integers(0, 100)


@given(tenths, tenths, st.lists(st.tuples(tenths, tenths), max_size=4))
def test_a_stretch_lies_across_a_gap_if_any_moment_inside_it_does(
    start: int, length: int, pairs: list[tuple[int, int]]
) -> None:
    end = start + length + 1
    gaps = [(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]]
    halves = [tick + 0.5 for tick in range(start, end)]
    inside = any(low < half < high for half in halves for low, high in gaps)

    assert across(start, end, gaps) == inside


def test_a_stretch_of_unknown_length_lies_across_nothing() -> None:
    assert not across(math.nan, 3.0, [(1.0, 2.0)])
    assert not across(0.0, math.nan, [(1.0, 2.0)])


def lost_after(ms: int, *reports: ConnectionReport, unsent_ms: float = 0.0) -> Conversation:
    """Returns a conversation whose connection was lost after so much audio, and 400 ms more."""
    conversation = Conversation()
    append(conversation, ms)
    conversation.apply_connection(ConnectionReport("lost", 10.0, 1006, "", unsent_ms))
    append(conversation, 400)
    for report in reports:
        conversation.apply_connection(report)
    return conversation


def append(conversation: Conversation, ms: int) -> None:
    audio = base64.b64encode(bytes(48 * ms)).decode()
    conversation.apply(AudioBufferAppend(audio=audio), 10.0)


def test_what_was_lost_goes_on_until_a_server_hears_again() -> None:
    back = lost_after(1_000, ConnectionReport("resumed", 11.5), unsent_ms=100.0)
    append(back, 2_000)
    (gap,) = back.reconnections

    assert audio_lost_ms(back, gap) == 500
    assert lost_spans_ms(back) == [(900.0, 1_400.0)]
    assert gap_spans(back) == [(10.0, 11.5)]
    assert gap_words(back, gap) == "connection lost: 1.5 s gap, 500 ms of your audio unheard"


def test_what_was_lost_goes_on_to_the_end_where_none_ever_does() -> None:
    gone = lost_after(1_000, ConnectionReport("given_up", 12.0, reason="no connection within 2 s"))
    (gap,) = gone.reconnections

    assert audio_lost_ms(gone, gap) == 400
    assert gap_spans(gone) == [(10.0, math.inf)]
    assert gap_words(gone, gap).endswith("given up: no connection within 2 s")


@pytest.mark.parametrize("reports", [(), (ConnectionReport("retrying", 10.0, attempt=1),)])
def test_words_of_a_connection_that_is_still_lost(reports: tuple[ConnectionReport, ...]) -> None:
    lost = lost_after(0, *reports)

    assert gap_words(lost, lost.reconnections[0]).endswith("not regained")
    assert heard_ms(lost, lost.reconnections[0]) == 0
