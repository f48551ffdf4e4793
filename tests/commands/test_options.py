from __future__ import annotations

import json

import numpy as np
import pytest

from realtime_nb.commands import options


def test_numbers_of_numpy_are_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    options.print_json({"url": "ws://x", "token": "t", "pid": np.int32(5)})

    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    assert json.loads(printed) == {"url": "ws://x", "token": "t", "pid": 5}
