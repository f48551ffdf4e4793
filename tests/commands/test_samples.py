from __future__ import annotations

from pathlib import Path

import pytest

from realtime_nb.audio.vad import find_speech
from realtime_nb.commands.samples import SAMPLES


def test_they_are_all_that_is_there() -> None:
    assert list(SAMPLES) == sorted(SAMPLES[0].parent.glob("*.wav"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_somebody_speaks_in_each(path: Path) -> None:
    assert find_speech(path)
