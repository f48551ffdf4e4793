"""Wires that look like the Realtime protocol's and are others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from realtime_nb.protocol.events import JsonObject

__all__ = ["other_wire"]

_TRANSLATION = frozenset(
    {
        *("session.input_audio_buffer.append", "session.input_transcript.delta"),
        *("session.output_transcript.delta", "session.output_audio.delta"),
    }
)
_LIVE = frozenset(
    {
        *("session.start", "session.started", "session.input_audio.append", "response.event"),
        *("session.input_audio.mute", "session.input_audio.unmute", "session.instructions.append"),
        *("session.input_audio.muted", "session.input_audio.unmuted"),
    }
)
_TURNS = ("response.", "conversation.", "input_audio_buffer.")
_SPECIAL = {"response.event"}

_LIVE_SAYS = (
    "a log of the GPT-Live API (/v1/live/sessions), which is another protocol than the Realtime "
    "one: it has no turns, no responses and no commits that could be counted here, and is billed "
    "by the second. Its session.closed event tells what was used"
)
_TRANSLATION_SAYS = (
    "a log of the Realtime translation endpoint (/v1/realtime/translations), which has no turns "
    "and no responses that could be counted here; it is billed by the minute of audio"
)


def other_wire(events: Iterable[JsonObject]) -> str | None:
    """Returns in words what a log is that is of another wire; None for one of Realtime events.

    A log that holds turns of the Realtime protocol is one of it, whatever else it holds.
    """
    seen = list(events)
    names = {str(event.get("type")) for event in seen}
    if any(name.startswith(_TURNS) for name in names - _SPECIAL):
        return None
    models = _models(seen)
    if names & _LIVE or any(model.startswith("gpt-live") for model in models):
        return _LIVE_SAYS
    if names & _TRANSLATION or any("-translate" in model for model in models):
        return _TRANSLATION_SAYS
    return None


def _models(events: Sequence[JsonObject]) -> set[str]:
    sessions = (event.get("session") for event in events)
    holders = (*events, *(held for held in sessions if isinstance(held, dict)))
    return {str(holder["model"]) for holder in holders if isinstance(holder.get("model"), str)}
