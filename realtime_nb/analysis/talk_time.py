"""How long the user spoke and how long the agent was heard, for what is counted by talk."""

from __future__ import annotations

import math
from dataclasses import dataclass

from realtime_nb.analysis.recorded import Recorded
from realtime_nb.analysis.user_turns import find_user_turns
from realtime_nb.analysis.voices import audible_spans, spans_length
from realtime_nb.protocol.conversation import Conversation, Item

__all__ = ["TalkTime", "spoken_messages", "talk_time"]


@dataclass(frozen=True, slots=True)
class TalkTime:
    """Talk of a session, in seconds; NaN where unknown.

    Attributes:
        user_s: of the user's speech.
        agent_s: of the agent's speech, as it was played.
        reason: why one of them is unknown.
    """

    user_s: float
    agent_s: float
    reason: str | None = None

    @property
    def both_s(self) -> float:
        """Their sum."""
        return self.user_s + self.agent_s


def talk_time(rec: Recorded) -> TalkTime:
    """Measures the talk of a session.

    The user's is what turn detection reported, without padding and silence window. Where it does
    not tell that of everything they said, as with push-to-talk, it is what the offline detector
    hears. The agent's is where what was played is audible; where that was not recorded, as long as
    its device reported to have played.

    The metric ``user_talk_s`` is another measure on purpose: the offline detector's alone, so that
    the user's talk, the agent's and their overlap are of one kind. What is paid for follows what
    the server heard.
    """
    user_s, agent_s = _user_s(rec), _agent_s(rec)
    reasons = []
    if math.isnan(user_s):
        reasons.append("how long the user spoke is not known")
    if math.isnan(agent_s):
        reasons.append("how much of the agent was played is not known")
    return TalkTime(user_s, agent_s, "; ".join(reasons) or None)


def spoken_messages(conversation: Conversation) -> list[Item]:
    """Returns the agent's messages with audio, be it of unknown length; deleted ones were spoken,
    too."""
    items = (*conversation.items.values(), *conversation.deleted.values())
    return [item for item in items if item.role == "assistant" and item.audio_ms != 0]


def _user_s(rec: Recorded) -> float:
    spoken = [turn for turn in find_user_turns(rec.conversation) if turn.source == "speech"]
    heard_ms = rec.speech.duration_ms
    if len(heard_ms) and heard_ms.notna().all() and all(turn.speech for turn in spoken):
        return float(heard_ms.sum()) / 1000
    if len(rec.sound("input")) and not rec.conversation.gaps.keys() & {"input", "input.wav"}:
        return spans_length(rec.voices.user_ms) / 1000
    silent = not spoken and heard_ms.empty and not rec.conversation.input_ms
    return 0.0 if silent else math.nan


def _agent_s(rec: Recorded) -> float:
    if len(rec.sound("output")) and "output.wav" not in rec.conversation.gaps:
        return spans_length(audible_spans(rec.sound("output")))
    items = spoken_messages(rec.conversation)
    if items and all(item.played_ms is None for item in items):
        return math.nan
    return sum((item.played_ms or 0.0 for item in items), 0.0) / 1000
