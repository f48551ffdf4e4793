"""Text to speech by the program espeak-ng: a robot's voice that is there when nothing else is."""

from __future__ import annotations

import io
import logging
import shutil
import subprocess
import zlib

from realtime_nb.audio.wav import find_wav_header
from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.tts import TTS, HibariTTS, spoken_text

__all__ = ["EspeakTTS", "load_voice"]

logger = logging.getLogger(__name__)

PROGRAM = "espeak-ng"
TIMEOUT_S = 30.0
_WORDS_PER_MINUTE = 175
_SLOWEST, _FASTEST = 80, 450  # of the program
_VARIANTS = ("", "+f2", "+m3", "+f3", "+m1", "+f4", "+m7", "+f1", "+m2")


class EspeakTTS:
    """espeak-ng in English, one process per sentence. "alloy" is its voice as it is; every other
    name is one of its variants, always the same one. Below 0.46 of its pace it gets no slower.

    Raises:
        ConfigurationError: the program is not there.
    """

    name = "espeak-ng"
    sample_rate = 22_050

    def __init__(self) -> None:
        found = shutil.which(PROGRAM)
        if found is None:
            raise ConfigurationError(
                f"The program {PROGRAM} is not there. Install it (Debian: apt install {PROGRAM}; "
                f"macOS: brew install {PROGRAM}), or take tts='hibari': "
                "pip install 'realtime_nb[local]'."
            )
        self._program = found

    def speak(self, text: str, voice: str = "alloy", speed: float = 1.0) -> bytes:
        """Returns ``text`` as PCM16 mono, ``b""`` when nothing in it can be spoken.

        Raises:
            RealtimeError: the program fails, or takes too long.
        """
        if not any(map(str.isalnum, text)):
            return b""
        pace = min(_FASTEST, max(_SLOWEST, round(_WORDS_PER_MINUTE * speed)))
        variant = _VARIANTS[0 if voice == "alloy" else zlib.crc32(voice.encode()) % len(_VARIANTS)]
        spoken = spoken_text(text).encode()
        command = [self._program, "-v", f"en-us{variant}", "-s", str(pace), "--stdin", "--stdout"]
        try:
            done = subprocess.run(
                command,
                input=spoken,
                capture_output=True,
                timeout=TIMEOUT_S,
                check=True,
            )
        except subprocess.TimeoutExpired:
            raise RealtimeError(f"{PROGRAM} took more than {TIMEOUT_S:g} s.") from None
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()[:200]
            raise RealtimeError(f"{PROGRAM} failed ({error.returncode}): {said}") from None
        return _pcm(done.stdout)


def _pcm(wav: bytes) -> bytes:
    header = find_wav_header(io.BytesIO(wav))
    if header is None or not header.is_mono_pcm16 or header.sample_rate != EspeakTTS.sample_rate:
        raise RealtimeError(f"{PROGRAM} gave no WAV of {EspeakTTS.sample_rate} Hz, mono, 16 bit.")
    end = header.start + header.found_bytes
    return wav[header.start : end - (end - header.start) % 2]


def load_voice() -> TTS:
    """Returns hibari, or espeak-ng where hibari is not installed and the program is there.

    Raises:
        MissingExtraError: neither is.
    """
    try:
        return HibariTTS()
    except MissingExtraError as missing:
        if shutil.which(PROGRAM) is None:
            raise
        logger.warning("%s Until then %s speaks.", missing, PROGRAM)
    return EspeakTTS()
