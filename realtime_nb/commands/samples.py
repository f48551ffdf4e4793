"""The recorded voices that come with the package, for measurements and for ``doctor``."""

from __future__ import annotations

from pathlib import Path

__all__ = ["AUSTEN", "CARDS", "SAMPLES"]

_FOLDER = Path(__file__).parents[1] / "samples"
AUSTEN = _FOLDER / "austen_0880.wav"
"""A sentence that is read aloud."""
CARDS = _FOLDER / "cards_005.wav"
"""Playing cards, one after the other."""
SAMPLES = (AUSTEN, CARDS)
