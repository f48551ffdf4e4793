"""What ``realtime-nb talk`` says when the connection is lost."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from realtime_nb.commands.talk import _connection_words
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation

LOST = ConnectionReport("lost", 10.0, 1006, "Going away.")
TRYING = ConnectionReport("retrying", 10.0, attempt=2, wait_s=1.5)


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([LOST], "connection lost (1006): Going away"),
        ([LOST, TRYING], "attempt 2 to come back, in 1.5 s"),
        ([LOST, TRYING, ConnectionReport("resumed", 12.0)], None),
        (
            [LOST, ConnectionReport("resumed", 12.0), ConnectionReport("reconnected", 12.1)],
            "back again, 0 items restored (connection lost: 2.0 s gap)",
        ),
        ([LOST, ConnectionReport("given_up", 12.0, reason="no luck.")], "given up: no luck"),
    ],
)
def test_each_step_is_told_once(reports: Sequence[ConnectionReport], words: str | None) -> None:
    conversation = Conversation()
    for report in reports:
        conversation.apply_connection(report)

    assert _connection_words(conversation, reports[-1]) == words
