"""Recorded sentences with pauses of their speakers' own, and where they end.

``endpoint_labels.json`` tells for each clip where its voice begins and ends and where it pauses for
200 ms or longer, found by loudness, and the word before each pause. ``scripts/label_endpoint.py``
made it: that a clip is one sentence is what the transcript says that it comes with.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples
from realtime_nb.commands.bench.endpoint_sources import (
    SOURCES,
    Archive,
    clip_digest,
    clip_samples,
    read_clip,
)
from realtime_nb.errors import AudioError

__all__ = [
    "CHOOSING_VOICES",
    "InnerPause",
    "LabelledSentence",
    "Sentence",
    "labels",
    "laid",
    "sentences",
]

CHOOSING_VOICES = frozenset({"joe", "allison"})
"""Voices that settings may be chosen on; all others are only reported."""

_KINDS = {"queen": "acted", "austen": "read"}
_LABELS = Path(__file__).with_name("endpoint_labels.json")
_LEAD_MS = 100  # of a clip before its voice, and at most as much behind it
_BEFORE_MS = 300
_AFTER_MS = 9_000  # more than the longest wait
_NOISE = 10 ** (-70 / 20)
_FADE = SAMPLE_RATE * 5 // 1000
_ENDS_IN_A_MARK = re.compile(r"""[,;:.!?-]["')]*$""")


class LabelledSentence(TypedDict):
    """What is known of a sentence: its clips with their digests, and its times in them, in ms."""

    source: str
    voice: str
    clips: dict[str, str]
    voice_ms: tuple[int, int]
    pauses: list[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class InnerPause:
    """A pause inside a sentence.

    Attributes:
        at_mark: whether the transcript has a comma or another mark there; None where unknown.
    """

    start_ms: float
    end_ms: float
    at_mark: bool | None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence as a session would hear it, silence before and behind it.

    Attributes:
        voice: who speaks.
        samples: at 24 kHz.
        voice_end_ms: where the voice ends.
        groups: of voices that this one belongs to.
    """

    voice: str
    groups: tuple[str, ...]
    samples: Samples
    voice_end_ms: float
    pauses: tuple[InnerPause, ...]


def labels() -> Sequence[LabelledSentence]:
    """Returns all that is labelled."""
    rows: list[LabelledSentence] = json.loads(_LABELS.read_text(encoding="utf-8"))
    return rows


def sentences(rng: np.random.Generator) -> Iterator[Sentence]:
    """Yields the sentences whose packages are there.

    Raises:
        AudioError: a clip is not the one that was labelled.
    """
    archives: dict[str, Archive] = {}
    for label in labels():
        contents = [
            _checked(label["source"], clip, digest, archives)
            for clip, digest in label["clips"].items()
        ]
        parts = [clip_samples(content) for content in contents if content is not None]
        if len(parts) == len(contents):
            yield laid(label, np.concatenate(parts), rng)


def _checked(source: str, clip: str, digest: str, archives: dict[str, Archive]) -> bytes | None:
    content = read_clip(source, clip, archives)
    if content is not None and clip_digest(content) != digest:
        raise AudioError(
            f"{clip} is not the clip that was labelled (bytes {clip_digest(content)}, not "
            f"{digest}). Get {SOURCES[source].package}."
        )
    return content


def laid(label: LabelledSentence, samples: Samples, rng: np.random.Generator) -> Sentence:
    """Returns a sentence with silence around it, in a faint noise, for no room is without one."""
    start_ms, end_ms = label["voice_ms"]
    begin_ms = max(0, start_ms - _LEAD_MS)
    heard = _faded(samples[_count(begin_ms) : _count(end_ms + _LEAD_MS)])
    told = np.pad(heard, (_count(_BEFORE_MS), _count(_AFTER_MS)))
    told += rng.normal(0, _NOISE, len(told)).astype(np.float32)
    moved_ms = _BEFORE_MS - begin_ms
    pauses = tuple(
        InnerPause(start + moved_ms, end + moved_ms, _at_mark(word))
        for start, end, word in label["pauses"]
    )
    return Sentence(label["voice"], _groups(label), told, end_ms + moved_ms, pauses)


def _groups(label: LabelledSentence) -> tuple[str, ...]:
    if label["voice"] in CHOOSING_VOICES:
        return ("choosing",)
    return "reported", _KINDS.get(label["source"], "prompts")


def _at_mark(word: str) -> bool | None:
    return bool(_ENDS_IN_A_MARK.search(word)) if word else None


def _count(ms: float) -> int:
    return round(ms * SAMPLE_RATE / 1000)


def _faded(part: Samples) -> Samples:
    faded = part.copy()
    ramp = np.linspace(0, 1, _FADE, dtype=np.float32)
    faded[:_FADE] *= ramp
    faded[-_FADE:] *= ramp[::-1]
    return faded
