"""The page's code: its own tests under node, which Python's test run carries."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")


@pytest.mark.skipif(NODE is None, reason="needs node; scripts/system-packages.sh installs it")
def test_worklets_and_pure_functions_under_node() -> None:
    assert NODE is not None
    files = sorted(HERE.glob("*.test.mjs"))
    assert files

    run = subprocess.run(
        [NODE, "--test", "--test-reporter=tap", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    passed = re.search(r"^# pass (\d+)$", run.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) >= len(files)
