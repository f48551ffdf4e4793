"""What a person is told of a connection that is lost, tried again and regained."""

from __future__ import annotations

from collections.abc import Sequence

from realtime_nb.protocol.connections import ConnectionReport, Reconnection
from realtime_nb.protocol.words import counted

__all__ = ["connection_words"]

_NOTED_MS = 200.0
"""Less lost audio than that is no word of anybody's."""


def connection_words(report: ConnectionReport, gaps: Sequence[Reconnection]) -> str:
    """Returns what is told with a report; nothing of a session that moves before it expires.

    Args:
        report: the last one.
        gaps: of the session, this one the last of them.
    """
    if not gaps or gaps[-1].planned:
        return ""
    gap = gaps[-1]
    match report.kind:
        case "lost":
            return "The connection was lost. Nobody hears you until it is back."
        case "retrying":
            return (
                "The connection was lost. Nobody hears you until it is back: "
                f"attempt {report.attempt} in {report.wait_s:.1f} s."
            )
        case "resumed" | "reconnected":
            return _back(gap)
        case _:
            return ""  # the session's end has words of its own


def _back(gap: Reconnection) -> str:
    words = f"The connection was lost for {gap.gap_s or 0:.1f} s and is back."
    if gap.user_cut_off or gap.audio_lost_ms >= _NOTED_MS:
        lost_s = gap.audio_lost_ms / 1000
        words += (
            f" {lost_s:.1f} s of the microphone were not heard; please say again what you said."
        )
    if gap.not_restored:
        words += f" The agent has forgotten {counted(len(gap.not_restored), 'message')}."
    return words
