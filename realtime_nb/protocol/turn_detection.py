"""The settings of turn detection: what they are called, their limits and defaults, and how long a
silence ends a turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Meta

__all__ = [
    "CLIENT_SILENCE_MS",
    "EAGERNESS",
    "KINDS",
    "SERVER_VAD",
    "SWITCHES",
    "Eagerness",
    "Limits",
    "Words",
    "closing_silence_ms",
    "detection_code",
]


@dataclass(frozen=True, slots=True)
class Words:
    """What people call a setting, and what it does in one sentence."""

    label: str
    does: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What a setting may be, and what it is where nobody says.

    Attributes:
        words: for people.
        handy: between which values, and in which steps, people usually look for theirs.
    """

    usual: Any
    low: float
    high: float
    words: Words
    handy: tuple[float, float, float]

    @property
    def meta(self) -> Meta:
        """The limits as msgspec checks them."""
        return Meta(ge=self.low, le=self.high)


SERVER_VAD = {
    "threshold": Limits(
        *(0.5, 0.0, 1.0),
        Words(
            "Threshold",
            "How sure the detector must be that it hears a voice: a higher one ignores more noise, "
            "a lower one hears quieter voices.",
        ),
        (0, 1, 0.05),
    ),
    "prefix_padding_ms": Limits(
        *(300, 0, 60_000),
        Words(
            "Padding",
            "How much sound from before the detected beginning belongs to the turn, so that no "
            "first syllable is lost.",
        ),
        (0, 1_000, 50),
    ),
    "silence_duration_ms": Limits(
        *(200, 0, 60_000),
        Words(
            "Silence",
            "How long a silence ends the turn: a shorter one is answered sooner, a longer one lets "
            "people pause within a sentence.",
        ),
        (100, 2_000, 50),
    ),
    "idle_timeout_ms": Limits(
        *(None, 5_000, 30_000),
        Words("Idle timeout", "After how long a silence the agent speaks up by itself."),
        (5_000, 30_000, 1_000),
    ),
}

CLIENT_SILENCE_MS = 500
"""The silence that clients of this package ask for where nobody asks for another one.

The default of OpenAI's documentation (platform.openai.com/docs/guides/realtime-vad). What its
server applies by itself is 200, which is shorter than many a pause within a sentence: the sentence
becomes two turns, and the answer to its first half is cut off by its second one.
"""

SWITCHES = {
    "create_response": Words(
        "Answer when a turn ends",
        "Off: turns are taken in, and nothing is answered unless code asks for it.",
    ),
    "interrupt_response": Words(
        "Speech interrupts the answer",
        "Off: the agent goes on with its answer while somebody speaks.",
    ),
}
"""What both kinds of detection have, and what is on where nobody says."""

KINDS = {
    "server_vad": Words("Server VAD", "A silence of fixed length ends your turn."),
    "semantic_vad": Words(
        "Semantic VAD",
        "The server judges by the words whether you have finished, and waits longer where not.",
    ),
    "none": Words("Push-to-talk", "You say when: hold Talk, or the space bar, while you speak."),
}
"""Who says when a turn ends; ``none`` is no detection at all."""


@dataclass(frozen=True, slots=True)
class Eagerness:
    """How long ``semantic_vad`` waits.

    Attributes:
        whole_ms: after what reads like a finished sentence, where there is no turn model.
        longest_ms: after anything.
        complete_at: a turn model's probability from which a pause ends the turn.
    """

    whole_ms: int
    longest_ms: int
    complete_at: float = 0.5


EAGERNESS = {
    "low": Eagerness(1_500, 8_000, 0.7),
    "medium": Eagerness(600, 4_000, 0.5),
    "high": Eagerness(224, 2_000, 0.35),
    "auto": Eagerness(600, 4_000, 0.5),
}


def closing_silence_ms(detection: Mapping[str, Any] | None) -> int:
    """Returns a silence that ends any turn: the window, or the longest wait where none is told."""
    told: int | None = (detection or {}).get("silence_duration_ms")
    return told or max(eagerness.longest_ms for eagerness in EAGERNESS.values())


def detection_code(detection: Mapping[str, Any] | None) -> str:
    """Returns the argument that asks for a turn detection in code; what is as usual is left out of
    its switches."""
    if detection is None:
        return "push_to_talk=True"
    made = {"server_vad": "ServerVAD", "semantic_vad": "SemanticVAD"}
    kind = detection.get("type", "server_vad")
    if kind not in made:
        return f"turn_detection={dict(detection)!r}"
    known = (*SERVER_VAD, *SWITCHES) if kind == "server_vad" else ("eagerness", *SWITCHES)
    told = {name: detection[name] for name in known if detection.get(name) is not None}
    shown = {name: value for name, value in told.items() if name not in SWITCHES or not value}
    return f"rt.{made[kind]}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"
