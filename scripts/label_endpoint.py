"""Labels the recordings of ``realtime-nb bench endpoint``: where sentences end and pause.

    REALTIME_NB_SPEECH=FOLDER python scripts/label_endpoint.py

FOLDER is what the command itself says how to fill; beside it the transcripts of the prompts are
needed (``asterisk-core-sounds-en``, ``-fr``, ``-it``, ``-ru``). A clip is taken if the transcript
that comes with it is one sentence by its punctuation. Its voice ends, and pauses, by loudness:
10 ms count as voice down to 30 dB below the loudest, and 200 ms without are a pause. No detector of
turns has a say. A recogniser (Moonshine) must find the transcript again in English clips, and tells
by the words before it where in the transcript a pause lies.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import pairwise
from pathlib import Path

import numpy as np

from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, pcm_from_samples
from realtime_nb.commands.bench.endpoint_sources import (
    SOURCES,
    Archive,
    clip_digest,
    clip_samples,
    read_clip,
    speech_folder,
)
from realtime_nb.local.stt import MoonshineSTT

_TO = Path(__file__).parents[1] / "realtime_nb" / "commands" / "bench" / "endpoint_labels.json"
_DOWN_DB = 30.0
_PAUSE_MS = 200
_ALIKE = 0.6  # of the letters, between a transcript and what a recogniser hears
_PROMPTS = {"allison": "en", "june": "fr", "carlo": "it", "topal": "ru"}
_AUSTEN = {  # lines of the chapter that is read; two clips each where a sentence spans them
    (
        "0870",
    ): "And Mr. John Dashwood had then leisure to consider how much there might prudently be "
    "in his power to do for them.",
    ("0880", "0890"): "He was not an ill-disposed young man, unless to be rather cold hearted and "
    "rather selfish is to be ill-disposed.",
    ("0920", "0930"): "Had he married a more amiable woman, he might have been made still more "
    "respectable than he was: he might even have been made amiable himself.",
}


@dataclass(frozen=True)
class Candidate:
    """Clips in a row, who speaks in them, and what is said."""

    source: str
    voice: str
    clips: tuple[str, ...]
    words: str


def _is_one_sentence(words: str) -> bool:
    told = re.sub(r"\b(Mr|Mrs|Ms|Dr|St)\.", r"\1", words.strip().rstrip("\"' "))
    told = re.sub(r"\.{2,}(?=\s+[a-z])", ",", told)  # three points, and the sentence goes on
    if not re.search(r"[^.][.!?]$", told):  # three points at the end leave it open
        return False
    return not re.search(r"[.!?][\"']?\s", told)


def _queen(archive: Archive) -> Iterator[Candidate]:
    """Yields what is said in the dialogues; Joe King's side is one voice in all of them."""
    for name in archive.names:
        if name.endswith(".DOG"):
            role = re.sub(r"\d*\.DOG$", "", name).lower()
            for prefix, said in _dialogue(archive.read(name)[20:]):
                voice = "joe" if prefix.endswith("J") else role
                for at, words in enumerate(re.split(r"\*(?:XY..\(\d+,\d+\)|..)", said), 1):
                    yield Candidate("queen", voice, (f"{prefix}{at:X}.SB",), words.strip())


def _dialogue(content: bytes) -> Iterator[tuple[str, str]]:
    """Yields the beginnings of the names of clips, and what is said in them one after the other."""
    levels, key, joes, others = (struct.unpack_from(">h", content, at)[0] for at in (0, 4, 6, 8))
    (others_at,) = struct.unpack_from(">H", content, 22)
    for side, at, count in (("J", 32 + abs(levels) * 96, joes), ("P", others_at, others)):
        for _ in range(count):
            (number,) = struct.unpack_from(">H", content, at + 2)
            length = content[at + 4]
            yield (
                f"{key:02d}{number:04X}{side}",
                content[at + 5 : at + 5 + length].decode("latin-1"),
            )
            at += 5 + length
            if length:
                at += -at % 4


def _prompts(source: str, language: str) -> Iterator[Candidate]:
    name = f"asterisk-core-sounds-{language}"
    listed = speech_folder() / f"usr/share/doc/{name}/core-sounds-{language}.txt.gz"
    for line in gzip.decompress(listed.read_bytes()).decode(errors="replace").splitlines():
        clip, _, words = line.partition(":")
        if words and not line.startswith(";") and "[" not in words:
            yield Candidate(source, source, (f"{clip.strip()}.wav",), words.strip())


def _austen() -> Iterator[Candidate]:
    for parts, words in _AUSTEN.items():
        clips = tuple(f"sense_and_sensibility_01_austen_64kb-{part}.wav" for part in parts)
        yield Candidate("austen", "austen", clips, words)


def _candidates(archive: Archive) -> Iterator[Candidate]:
    yield from _austen()
    for source, language in _PROMPTS.items():
        yield from _prompts(source, language)
    yield from _queen(archive)


def _voiced(samples: Samples) -> list[int]:
    """Returns the 10 ms in which there is voice; what is shorter than 30 ms is a click."""
    step = SAMPLE_RATE // 100
    blocks = samples[: len(samples) // step * step].reshape(-1, step)
    loudness_db = 20 * np.log10(np.sqrt(np.mean(np.square(blocks), axis=1)) + 1e-9)
    loud = np.flatnonzero(loudness_db > loudness_db.max() - _DOWN_DB)
    runs = np.split(loud, np.flatnonzero(np.diff(loud) > 1) + 1)
    return [int(at) for run in runs if len(run) >= 3 for at in run]


def _pauses(voiced: list[int]) -> list[tuple[int, int]]:
    """Returns where pauses begin and end, in ms."""
    return [
        (10 * (before + 1), 10 * after)
        for before, after in pairwise(voiced)
        if 10 * (after - before - 1) >= _PAUSE_MS
    ]


def _letters(words: str) -> str:
    return re.sub(r"[^a-z0-9]", "", words.lower())


def _alike(told: str, heard: str) -> float:
    return SequenceMatcher(None, _letters(told), _letters(heard), autojunk=False).ratio()


def _last_word(words: str, heard: str) -> str:
    """Returns the word of a transcript that what was heard ends with, "" where unknown."""
    said = words.split()
    begins = [" ".join(said[:count]) for count in range(1, len(said))]
    best = max(begins, key=lambda told: _alike(told, heard), default="")
    return best.split()[-1] if best and _alike(best, heard) >= _ALIKE else ""


def _label(one: Candidate, contents: list[bytes], stt: MoonshineSTT) -> dict[str, object] | None:
    """Returns what is known of a sentence; None where it has no pause or says something else."""
    parts = [clip_samples(content) for content in contents]
    samples = np.concatenate(parts)
    voiced = _voiced(samples) if len(samples) > SAMPLE_RATE // 4 else []
    pauses = _pauses(voiced)
    english = one.source not in ("june", "carlo", "topal")

    def heard(end_ms: int) -> str:
        pcm = pcm_from_samples(samples[: end_ms * SAMPLE_RATE // 1000])
        return stt.transcribe(pcm, SAMPLE_RATE)

    if not pauses or (english and _alike(one.words, heard(len(samples))) < _ALIKE):
        return None
    return {
        "source": one.source,
        "voice": one.voice,
        "clips": {
            clip: clip_digest(content) for clip, content in zip(one.clips, contents, strict=True)
        },
        "voice_ms": [10 * voiced[0], 10 * (voiced[-1] + 1)],
        "pauses": [
            [start, end, _last_word(one.words, heard((start + end) // 2)) if english else ""]
            for start, end in pauses
        ],
    }


def main() -> None:
    """Writes the labels."""
    archives = {"queen": Archive(speech_folder() / SOURCES["queen"].path)}
    stt = MoonshineSTT()
    rows: list[dict[str, object]] = []
    seen: set[object] = set()
    for one in _candidates(archives["queen"]):
        contents = [read_clip(one.source, clip, archives) or b"" for clip in one.clips]
        same = [(one.voice, _letters(one.words)), *(clip_digest(content) for content in contents)]
        if not all(contents) or not _is_one_sentence(one.words) or seen.intersection(same):
            continue
        seen.update(same)
        row = _label(one, contents, stt)
        if row is not None:
            rows.append(row)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    _TO.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(f"{len(rows)} sentences in {_TO}", file=sys.stderr)


if __name__ == "__main__":
    main()
