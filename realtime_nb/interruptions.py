"""Who interrupted the agent, what that came to, and who tried in vain."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from realtime_nb.recorded import Recorded

__all__ = ["INTERRUPTION_COLUMNS", "interruptions"]

INTERRUPTION_COLUMNS = (
    *("kind", "turn", "item_id", "user_item", "onset_s", "detected_s", "stopped_s"),
    *("response_ms", "detection_ms", "flush_ms", "played_ms", "received_ms", "unheard_ms"),
    *("remembered_ms", "over_remembered_ms", "cause", "false", "echo_score", "user_text"),
    *("source", "note"),
)


def interruptions(rec: Recorded) -> pd.DataFrame:
    """Return one row per interruption of the agent and per missed barge-in."""
    import pandas as pd

    return pd.DataFrame(columns=list(INTERRUPTION_COLUMNS))
