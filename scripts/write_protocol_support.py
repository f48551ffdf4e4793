"""Write ``docs/protocol-support.md``: what of the protocol is shown by a test, and of whom.

::

    python scripts/write_protocol_support.py
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "protocol-support.md"
sys.path.insert(0, str(ROOT))

from realtime_nb.session.profiles import PROFILES  # noqa: E402
from tests.conformance.features import FEATURES, WHO, shown_by, why_not  # noqa: E402

_TITLES = {
    "server": "Local server",
    "client": "This client",
    "huggingface": "HF speech-to-speech",
    "alibaba": "Alibaba Qwen-Omni",
}
_PARAGRAPHS = (
    "# What of the protocol works where",
    "Each ✓ rests on the tests that are named below; a letter says why there is none. Written by "
    "`python scripts/write_protocol_support.py` from the tests' own marks, and compared with them "
    "on every run.",
    "- **Local server**: `rt.serve()`, by whatever client, most often the official `openai` "
    "package, unmodified; every frame that it sends is validated strictly against that package's "
    "types.\n"
    "- **This client**: `rt.connect()`, with the local server.\n"
    "- **The others**: `rt.connect(rt.Endpoint.named(…))` with a server that plays what is "
    "documented of that vendor and differs (`rt.testing.VendorServer`), and is the local one "
    "otherwise. No real server of theirs was asked; `rt.doctor(endpoint)` asks yours.",
)


def page() -> str:
    """The whole page."""
    shown = shown_by()
    letters: dict[str, str] = {}
    rows = []
    for feature, meaning in FEATURES.items():
        cells = [f"**{feature}**: {meaning}"]
        for who in WHO:
            if (feature, who) in shown:
                cells.append("✓")
            else:
                cells.append(letters.setdefault(why_not(feature, who), _letter(len(letters))))
        rows.append(cells)
    head = ["", *(_title(who) for who in WHO)]
    lines = (head, ["---", *[":-:"] * len(WHO)], *rows)
    parts = [*_PARAGRAPHS, "\n".join(f"| {' | '.join(cells)} |" for cells in lines)]
    parts.append("\n".join(f"- {letter}: {reason}" for reason, letter in letters.items()))
    parts.append("## The tests")
    for feature in FEATURES:
        whose: dict[str, list[str]] = {}
        for who in WHO:
            for test in shown.get((feature, who), ()):
                whose.setdefault(test, []).append(_title(who))
        told = [f"- `{test}` ({', '.join(names)})" for test, names in whose.items()]
        parts += [f"### {feature}", "\n".join(told)]
    return "\n\n".join(parts) + "\n"


def _title(who: str) -> str:
    return _TITLES[who] if who in _TITLES else PROFILES[who].title


def _letter(number: int) -> str:
    return f"({chr(ord('a') + number)})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
