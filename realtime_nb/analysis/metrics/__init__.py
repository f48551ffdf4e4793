"""Figures of a whole session, each with unit, source and the reason where it can't be known."""
