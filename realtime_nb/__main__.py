"""``python -m realtime_nb`` is the command ``realtime-nb``."""

from __future__ import annotations

from realtime_nb.commands.cli import run

__all__: list[str] = []

if __name__ == "__main__":
    run()
