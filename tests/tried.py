"""How much is tried of what is searched at random: in CI less than elsewhere, where there is time.

Faults that were put in and found elsewhere were found by the counts for CI, too; a count that
missed one is not lowered.
"""

from __future__ import annotations

import os

__all__ = ["tried"]

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")


def tried(elsewhere: int, in_ci: int) -> int:
    """Returns how many examples, seeds or cuttings are tried here."""
    return in_ci if IN_CI else elsewhere
