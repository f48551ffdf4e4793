"""A folder as the packages of ``bench endpoint`` leave it, of a voice in this repository."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.commands.bench import endpoint_speech
from realtime_nb.commands.bench.endpoint_sources import SOURCES, SPEECH_VARIABLE
from tests.paths import DATA

VOICE_MS = (200, 3_300)  # of cards_005.wav, by its loudness
PAUSE_MS = 800
PAUSE_AT_MS = 1_270  # "eight of spades / four of clubs"


def archive(files: dict[str, bytes]) -> bytes:
    """Returns an archive as the game has it."""
    head = b"QTBLCEM10\0\0\0\1" + struct.pack(">H", len(files))
    start = len(head) + 21 * len(files)
    table, content = b"", b""
    for name, file in files.items():
        table += name.encode().ljust(12, b"\0") + b"\1" + struct.pack(">II", start, len(file))
        start, content = start + len(file), content + file
    return head + table + content


def paused_clip(path: Path) -> bytes:
    """Writes a sentence with a pause of 800 ms of digital silence in it; returns its bytes."""
    samples, rate = soundfile.read(DATA / "cards_005.wav", dtype="float32")
    place = PAUSE_AT_MS * rate // 1000
    silence = np.zeros(PAUSE_MS * rate // 1000, np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.concatenate([samples[:place], silence, samples[place:]]), rate)
    return path.read_bytes()


def lay_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lays the clip out under two voices, one for choosing and one in the game's archive."""
    clip = paused_clip(folder / SOURCES["allison"].path / "said.wav")
    queen = folder / SOURCES["queen"].path
    queen.parent.mkdir(parents=True)
    queen.write_bytes(archive({"OTHER.SB": b"", "SAID.SB": clip}))
    digest = hashlib.sha256(clip).hexdigest()[:12]
    rows = [
        {
            "source": source,
            "voice": voice,
            "clips": {name: digest},
            "voice_ms": [VOICE_MS[0], VOICE_MS[1] + PAUSE_MS],
            "pauses": [[PAUSE_AT_MS, PAUSE_AT_MS + PAUSE_MS, word]],
        }
        for source, voice, name, word in (
            ("allison", "allison", "said.wav", "spades,"),
            ("queen", "bob", "SAID.SB", "spades"),
        )
    ]
    labels = folder / "labels.json"
    labels.write_text(json.dumps(rows))
    monkeypatch.setattr(endpoint_speech, "_LABELS", labels)
    monkeypatch.setenv(SPEECH_VARIABLE, str(folder))
