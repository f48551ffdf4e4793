"""Where the user's turn stands: what each event is to it, and what becomes of it then."""

from __future__ import annotations

from typing import Literal

from realtime_nb.protocol import events as ev
from realtime_nb.protocol.told_responses import is_apart

__all__ = ["TURN_STEPS", "TurnState", "TurnStep", "step_of"]

TurnState = Literal["silent", "speaking", "due"]
TurnStep = Literal["started", "ended", "left", "taken", "settled", "lost"]

TURN_STEPS: dict[tuple[TurnState, TurnStep], TurnState] = {
    ("silent", "started"): "speaking",
    ("due", "started"): "speaking",  # the user goes on before the response has begun
    ("speaking", "ended"): "due",
    ("silent", "ended"): "due",  # an idle timeout, or speech whose beginning nobody told
    ("speaking", "left"): "silent",
    ("due", "left"): "silent",
    ("speaking", "taken"): "silent",
    ("due", "settled"): "silent",
    ("speaking", "lost"): "silent",
    ("due", "lost"): "silent",  # no server knows of it any more
}
"""What is known of the user's turn, and what becomes of it; any other step changes nothing.

Turn detection says that speech ``started``, and that the turn ``ended``, which the server answers
by itself, or that it is ``left`` to the client to ask for an answer. By hand, in the middle of
speech, its audio is ``taken`` (committed or cleared), or detection is turned off. A turn that is
``due`` a response is ``settled`` once that has begun, or by an error that nothing of ours caused.
What a connection that is ``lost`` knew of it is gone.
"""


def step_of(event: ev.ServerEvent, *, detected: bool, answered: bool) -> TurnStep | None:
    """Returns what an event of the server is to the user's turn; None: nothing.

    Args:
        event: which has been folded in.
        detected: whether turn detection is on.
        answered: whether the server answers turns by itself.
    """
    match event:
        case ev.SpeechStarted():
            return "started"
        case ev.SpeechStopped() | ev.AudioBufferTimeoutTriggered():
            return "ended" if answered else "left"
        case ev.AudioBufferCommitted() | ev.AudioBufferCleared():
            return "taken"
        case ev.SessionUpdated() if not detected:
            return "taken"
        case ev.ResponseCreated() if not is_apart(event.response):
            return "settled"
        case ev.ErrorEvent() if event.caused_by is None:
            return "settled"
    return None
