"""What is known of servers by their kind: where they are, what they take, what they do otherwise.

One small declaration each. What is said here is from the vendors' documentation and from logs; what
a server really does, ``rt.doctor(endpoint)`` asks it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["PROFILES", "Profile", "profile_of"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A kind of server.

    Attributes:
        title: its name.
        url: where it is, or usually is on this computer; None: only its owner knows.
        model: asked for where none is given; None: it has to be given.
        key_variable: the environment variable that holds its key; empty: it needs none.
        dialect: what it speaks.
        flat: settings that it takes at the top of the session, though the rest is GA.
        wrapped_tools: whether functions are told as ``{"type": "function", "function": {…}}``.
        transcription_model: asked for by default; None: the server decides.
        input_rate: samples per second of the PCM that it takes.
        differs: what it does otherwise, and this package takes as it is.
        lacks: what it does not do.
    """

    title: str
    url: str | None = None
    model: str | None = None
    key_variable: str = ""
    dialect: Literal["ga", "beta"] = "ga"
    flat: tuple[str, ...] = ()
    wrapped_tools: bool = False
    transcription_model: str | None = None
    input_rate: int = 24_000
    differs: tuple[str, ...] = field(default=())
    lacks: tuple[str, ...] = field(default=())


PROFILES: dict[str, Profile] = {
    "openai": Profile(
        "OpenAI",
        "wss://api.openai.com/v1/realtime",
        "gpt-realtime-2.1",
        "OPENAI_API_KEY",
        transcription_model="gpt-4o-mini-transcribe",
        lacks=("the beta interface (beta_api_shape_disabled, close code 4000)",),
    ),
    "azure": Profile(
        "Azure OpenAI",
        key_variable="AZURE_OPENAI_API_KEY",
        differs=(
            "models are names of deployments, that of the transcription model, too",
            "items may carry a phase",
        ),
    ),
    "xai": Profile(
        "xAI",
        "wss://api.x.ai/v1/realtime",
        "grok-voice-latest",
        "XAI_API_KEY",
        flat=("voice", "turn_detection"),
        differs=(
            "voice and turn_detection are at the top of the session",
            "turn detection begins with a threshold of 0.85 and 333 ms of padding",
            "status_details is a bare word",
            "conversation.created follows session.created",
        ),
        lacks=("prices by tokens: it bills by the minute",),
    ),
    "speaches": Profile(
        "Speaches",
        "ws://127.0.0.1:8000/v1/realtime",
        dialect="beta",
        differs=("events and sessions are the beta's",),
        lacks=(
            "response.cancel: an interrupted answer is only silenced here",
            "conversation.item.truncate: the model remembers what nobody heard",
            'responses with conversation="none"',
        ),
    ),
    "localai": Profile(
        "LocalAI",
        "ws://127.0.0.1:8080/v1/realtime",
        differs=("it sends events of its own, such as conversation.item.speaker",),
    ),
    "huggingface": Profile(
        "Hugging Face speech-to-speech",
        "ws://127.0.0.1:8765/v1/realtime",
        "local",
        differs=(
            "items are told by conversation.item.created",
            "there are no content parts, and before September 2026 no output items",
            "it sends snapshots of its own",
        ),
        lacks=("conversation.item.truncate: it is taken and does nothing",),
    ),
    "alibaba": Profile(
        "Alibaba Qwen-Omni-Realtime",
        "wss://dashscope-intl.aliyuncs.com/api-ws/v1/realtime",
        "qwen3-omni-flash-realtime",
        "DASHSCOPE_API_KEY",
        dialect="beta",
        wrapped_tools=True,
        input_rate=16_000,
        differs=(
            "events and sessions are the beta's",
            "it hears PCM at 16 kHz and speaks at 24 kHz",
            "usage has input_tokens_details and output_tokens_details, in the plural",
        ),
    ),
}
"""By the name that ``rt.connect`` takes."""


def profile_of(kind: str) -> Profile | None:
    """Returns what is known of a kind of server; None of a URL, or the local server."""
    return PROFILES.get(kind)
