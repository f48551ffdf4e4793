"""Write ``docs/clients.md``: other people's clients, how they connect, and what held.

::

    REALTIME_NB_HELD=tests/foreign/held.json python -m pytest -m holds
    python scripts/write_clients.py

The first line holds all conversations and writes down which of them passed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "clients.md"
FOREIGN = ROOT / "tests" / "foreign"

sys.path.insert(0, str(ROOT))

from tests.foreign.environments import CLIENTS, SCENARIOS  # noqa: E402

_INTRODUCTION = (
    "# Other clients with the local server",
    "The clients below, as they are, hold whole conversations with the local server. Each scenario "
    "is a test: recorded speech goes in, every frame of the server is checked strictly against "
    "OpenAI's published types, and nothing may be refused. Those that are not of this package's "
    "own test environment talk to a real `realtime-nb serve`, which must have nothing to warn of; "
    "what they heard is transcribed and compared with the words of the answer.",
)
_SCENARIOS = (
    "text: two typed turns, the second of which needs the first. audio, server VAD: recorded "
    "speech and the spoken answer. push-to-talk: turn detection off, a commit, a "
    "`response.create`. tool round trip: the client's own function, its result spoken. "
    "interruption: the user speaks into a long answer, which is truncated to what was heard, and "
    "what the user said is answered. out of band: a response with `conversation: none` that leaves "
    "no trace. transcription: a session that only transcribes.",
    "Written by `python scripts/write_clients.py` from a run of `pytest -m holds`, which installs "
    "the foreign clients in environments of their own; `pytest -m foreign` runs only those.",
)


def page(run: dict[str, Any]) -> str:
    """The whole page."""
    parts = [*_INTRODUCTION, _table(run), *_SCENARIOS, "## How to point them here"]
    for about in CLIENTS.values():
        language = "js" if about["lines"].endswith(".mjs") else "python"
        parts += [f"### {about['name']}", about["note"]]
        parts.append(f"```{language}\n{quoted(ROOT / about['lines'])}\n```")
    return "\n\n".join(parts) + "\n"


def quoted(path: Path) -> str:
    """The lines of a script between ``docs`` and ``docs: end``."""
    blocks: list[list[str]] = []
    inside = False
    for line in path.read_text("utf-8").splitlines():
        mark = line.strip().lstrip("#/ ")
        if mark == "docs" or mark == "docs: end":
            inside = mark == "docs"
            blocks += [[]] if inside else []
        elif inside:
            blocks[-1].append(line)
    return "\n\n".join(dedent("\n".join(block)).strip() for block in blocks)


def _table(run: dict[str, Any]) -> str:
    head = ("client", "versions", *SCENARIOS.values())
    lines = (head, ("---",) * len(head), *(_row(client, run) for client in CLIENTS))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(client: str, run: dict[str, Any]) -> tuple[str, ...]:
    about, held = CLIENTS[client], run["held"].get(client, {})
    words = {True: "✓", False: "✗", None: "not run"}
    cells = (about["cannot"].get(one) or words[held.get(one)] for one in SCENARIOS)
    return (about["name"], run["versions"][client], *cells)


if __name__ == "__main__":
    PAGE.write_text(page(json.loads((FOREIGN / "held.json").read_text("utf-8"))), "utf-8")
