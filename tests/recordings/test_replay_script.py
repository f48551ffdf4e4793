"""What is done again, in which order, and when."""

from __future__ import annotations

import numpy as np
import pytest

from realtime_nb.recordings.replay_reading import read_script
from realtime_nb.recordings.replay_script import Ask, Send, SpokenPiece
from tests.recordings.replayed import Record, push_to_talk
from tests.scripted_session import LiveSession


def test_a_commit_comes_after_the_same_audio(record: Record) -> None:
    def act(live: LiveSession) -> None:
        live.microphone(np.full(24 * 3_000, 0.1, np.float32), 1_500)
        live.received(2.51, "input_audio_buffer.committed", item_id="one")
        live.microphone(np.full(24 * 3_000, 0.1, np.float32), 3_000)

    script = read_script(record(act))

    for chunk_ms in (1, 7, 20, 333):
        steps = list(script.steps(None, chunk_ms))
        place = next(i for i, step in enumerate(steps) if isinstance(step, Send))
        before = [len(step.pcm) for step in steps[:place] if isinstance(step, SpokenPiece)]
        after = [len(step.pcm) for step in steps[place:] if isinstance(step, SpokenPiece)]
        # 10 ms passed until the server's word came, and were heard as well where chunks are short.
        assert sum(before) / 48 == pytest.approx(1_505, abs=5.1)
        assert sum(before + after) == 48 * 3_000
        assert [step.due_s for step in steps] == sorted(step.due_s for step in steps)


def test_what_was_pushed_in_at_once_is_committed_after_it_was_said(
    record: Record,
) -> None:
    def act(live: LiveSession) -> None:
        for _ in range(100):
            live.sent(1.0, "input_audio_buffer.append", bytes(960), audio="A" * 1_280)
        live.sent(1.0, "input_audio_buffer.commit")
        live.sent(1.0, "response.create")
        live.received(1.1, "input_audio_buffer.committed", item_id="one")

    script = read_script(record(act, push_to_talk()))

    steps = list(script.steps(None, 20.0))
    assert [type(step) for step in steps] == [*[SpokenPiece] * 100, Send, Ask]
    assert steps[-1].due_s - steps[0].due_s == pytest.approx(1.98, abs=0.001)
