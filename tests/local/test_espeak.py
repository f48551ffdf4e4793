"""espeak-ng, played by a program that writes down how it was called."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local import espeak
from realtime_nb.local.espeak import EspeakTTS, load_voice
from realtime_nb.local.tts import HibariTTS

PLAYED = """#!{python}
import sys, time, wave, os
with open({asked!r}, "a") as file:
    print(sys.argv[1:], repr(sys.stdin.buffer.read().decode()), file=file)
{does}
"""
SPEAKS = """
with wave.open(sys.stdout.buffer, "wb") as out:
    out.setnchannels({channels}); out.setsampwidth(2); out.setframerate({rate})
    out.setnframes(1 << 29)
    out._patchheader = lambda: None
    out.writeframesraw(b"ab" * 500)
"""


class Program:
    def __init__(self, folder: Path) -> None:
        self.path, self.asked = folder / "espeak-ng", folder / "asked"

    def does(self, does: str) -> None:
        code = PLAYED.format(python=sys.executable, asked=str(self.asked), does=does)
        self.path.write_text(code)
        self.path.chmod(0o755)

    def was_asked(self) -> list[str]:
        return self.asked.read_text().splitlines()


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    if os.name != "posix":
        pytest.skip("the program is played by a script")
    monkeypatch.setenv("PATH", str(tmp_path))
    played = Program(tmp_path)
    played.does(SPEAKS.format(channels=1, rate=22_050))
    return played


def test_it_is_asked_for_words_pace_and_a_variant(program: Program) -> None:
    tts = EspeakTTS()
    assert tts.speak("At 14:30 — grüß Gott.") == b"ab" * 500
    tts.speak("Hello.", "marin", 1.5)
    tts.speak("Hello.", "marin", 0.25)
    tts.speak("Hello.", "alloy", 9.0)
    first, second, third, fourth = program.was_asked()
    assert first.startswith("['-v', 'en-us', '-s', '175', '--stdin', '--stdout']")
    assert first.endswith("'At 2:30 PM — grüß Gott.'")
    assert "'-s', '262'" in second and "'-s', '80'" in third and "'-s', '450'" in fourth
    assert second.split("'-s'")[0] == third.split("'-s'")[0]


@pytest.mark.parametrize("text", ["", "…", "?! ", "👋"])
def test_nothing_to_say(program: Program, text: str) -> None:
    assert EspeakTTS().speak(text) == b""
    assert not program.asked.exists()


@pytest.mark.parametrize(
    ("does", "told"),
    [
        ("sys.stderr.write('no such voice'); sys.exit(3)", r"failed \(3\): no such voice"),
        ("pass", "gave no WAV of 22050 Hz"),
        (SPEAKS.format(channels=2, rate=22_050), "gave no WAV"),
        (SPEAKS.format(channels=1, rate=16_000), "gave no WAV"),
    ],
)
def test_a_program_that_fails(program: Program, does: str, told: str) -> None:
    program.does(does)
    with pytest.raises(RealtimeError, match=told):
        EspeakTTS().speak("Hello.")


def test_one_that_hangs(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(espeak, "TIMEOUT_S", 0.2)
    program.does("time.sleep(30)")
    with pytest.raises(RealtimeError, match=r"more than 0\.2 s"):
        EspeakTTS().speak("Hello.")


def test_without_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"not there\. Install it .*realtime_nb\[local\]"):
        EspeakTTS()


def test_the_last_resort(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert isinstance(load_voice(), HibariTTS)

    def absent() -> HibariTTS:
        raise MissingExtraError("hibari-tts", "local")

    monkeypatch.setattr(espeak, "HibariTTS", absent)
    with caplog.at_level(logging.WARNING):
        assert load_voice().name == "espeak-ng"
    assert "hibari-tts is not installed" in caplog.text and "espeak-ng speaks" in caplog.text
    program.path.unlink()
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[local\]"):
        load_voice()
