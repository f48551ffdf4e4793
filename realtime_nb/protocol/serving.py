"""Who answers in a session: which models, and whether it is this package's local server."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_nb.protocol.wire import JsonObject

__all__ = ["LOCAL_SESSION", "NOBODY", "WORD_FOR_WORD", "Serving", "serving_of"]

LOCAL_SESSION = "sess_realtime_nb"
"""How the ids of the local server's sessions begin. An id is opaque to every client, so that the
mark is in whatever any of them logs, and no other server on this machine is taken for ours."""

WORD_FOR_WORD = "Say exactly the following words and nothing else:"
"""How a model is asked to say a text, which follows; the local server's rules do it to the letter.
"""


@dataclass(frozen=True, slots=True)
class Serving:
    """Who answers.

    Attributes:
        model: of the responses, None where the server did not tell.
        transcription_model: which hears the user, None where there is none or it is not told.
        local: whether the session is the local server's.
    """

    model: str | None = None
    transcription_model: str | None = None
    local: bool = False


NOBODY = Serving()
"""As long as no session was told of."""


def serving_of(session: JsonObject, before: Serving = NOBODY) -> Serving:
    """Returns who answers from now on: what a session says, and what it leaves out as it was."""
    model, session_id = session.get("model"), session.get("id")
    return Serving(
        model if isinstance(model, str) else before.model,
        _transcription_model(session, before.transcription_model),
        session_id.startswith(f"{LOCAL_SESSION}_") if isinstance(session_id, str) else before.local,
    )


def _transcription_model(session: JsonObject, before: str | None) -> str | None:
    value: object = session
    for key in ("audio", "input", "transcription"):
        if not isinstance(value, dict) or key not in value:
            return before
        value = value[key]
    model = value.get("model") if isinstance(value, dict) else None
    return model if isinstance(model, str) else None
