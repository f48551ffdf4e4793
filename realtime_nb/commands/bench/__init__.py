"""Measurements on the machine at hand: ``realtime-nb bench``.

Each module has ``run(…)``, which prints a small table and returns the figures.
"""
