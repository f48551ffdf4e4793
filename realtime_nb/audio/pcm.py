"""PCM16, G.711 and float samples; levels, resampling.

Two forms of audio are used throughout. ``pcm`` is ``bytes``: signed 16-bit little-endian mono.
``samples`` is a one-dimensional float32 array in −1..1. PCM converts to samples and back without
loss.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import numpy.typing as npt
import soxr

from realtime_nb.errors import AudioError
from realtime_nb.protocol.audio_formats import SAMPLE_RATE, wire_format

__all__ = [
    "SAMPLE_RATE",
    "Resampler",
    "Samples",
    "alaw_decode",
    "alaw_encode",
    "decode",
    "encode",
    "int16_from_pcm",
    "level_dbfs",
    "pcm_from_samples",
    "samples_from_pcm",
    "ulaw_decode",
    "ulaw_encode",
]

Samples = npt.NDArray[np.float32]
"""Float32 mono samples of shape (n,) in −1..1."""

_FULL_SCALE = 32_768


def samples_from_pcm(pcm: bytes) -> Samples:
    """Converts PCM16 to float samples.

    Raises:
        AudioError: They are no bytes, or their number is odd.
    """
    return int16_from_pcm(pcm).astype(np.float32) / np.float32(_FULL_SCALE)


def pcm_from_samples(samples: npt.ArrayLike) -> bytes:
    """Converts float samples to PCM16; what lies outside −1..1 is clipped.

    Raises:
        AudioError: They are whole numbers, or not numbers at all.
    """
    values = np.asarray(samples)
    if values.size and values.dtype.kind != "f":
        raise AudioError(
            f"The samples are {values.dtype}; give floats in −1..1. Those that are int16 are PCM16 "
            "already: samples.tobytes()."
        )
    scaled = np.rint(values.astype(np.float32, copy=False) * _FULL_SCALE)
    if np.isnan(scaled).any():
        raise AudioError("There are samples that are not numbers (NaN).")
    return np.clip(scaled, -_FULL_SCALE, _FULL_SCALE - 1).astype("<i2").tobytes()


def int16_from_pcm(pcm: bytes) -> npt.NDArray[np.int16]:
    """Returns the samples as they are.

    Raises:
        AudioError: They are no bytes, or their number is odd.
    """
    _check_bytes(pcm)
    if len(pcm) % 2:
        raise AudioError(
            f"PCM16 has two bytes per sample, so {len(pcm)} bytes can't be right; "
            "keep an odd last byte for the next chunk."
        )
    return np.frombuffer(pcm, "<i2")


def _check_bytes(audio: object) -> None:
    # An array has a buffer too, which would be taken for sound.
    if not isinstance(audio, bytes | bytearray | memoryview):
        raise AudioError(
            f"Audio is {type(audio).__name__}; give bytes, such as pcm_from_samples(samples) "
            "makes of floats."
        )


def level_dbfs(samples: npt.ArrayLike) -> float:
    """Returns root mean square in decibels; 0 is a full-scale square wave.

    Silence is −inf; no samples at all are NaN.
    """
    values = np.asarray(samples, np.float64)
    if values.size == 0:
        return math.nan
    power = float(np.mean(np.square(values)))
    return 10 * math.log10(power) if power > 0 else -math.inf


# G.711 (ITU-T Recommendation G.711, 11/88): a table per direction and law.


def ulaw_encode(pcm: bytes) -> bytes:
    """Encodes PCM16 as G.711 µ-law, one byte per sample; errors as of samples_from_pcm."""
    return _ulaw_codes()[int16_from_pcm(pcm).view(np.uint16)].tobytes()


def ulaw_decode(payload: bytes) -> bytes:
    """Decodes G.711 µ-law to PCM16; raises an AudioError for what is no bytes."""
    _check_bytes(payload)
    return _ulaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def alaw_encode(pcm: bytes) -> bytes:
    """Encodes PCM16 as G.711 A-law, one byte per sample; errors as of samples_from_pcm."""
    return _alaw_codes()[int16_from_pcm(pcm).view(np.uint16)].tobytes()


def alaw_decode(payload: bytes) -> bytes:
    """Decodes G.711 A-law to PCM16; raises an AudioError for what is no bytes."""
    _check_bytes(payload)
    return _alaw_values()[np.frombuffer(payload, np.uint8)].tobytes()


def _every_int16() -> npt.NDArray[np.int32]:
    """Returns all sample values, in the order of their unsigned 16-bit patterns."""
    return np.arange(65_536, dtype=np.uint16).view(np.int16).astype(np.int32)


def _bit_length(values: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    return np.frexp(values.astype(np.float64))[1].astype(np.int32)


@cache
def _ulaw_codes() -> npt.NDArray[np.uint8]:
    value = _every_int16() >> 2  # the law is defined on 14 bits
    magnitude = np.minimum(np.abs(value), 8_158) + 33
    segment = _bit_length(magnitude) - 6
    code: npt.NDArray[np.int32] = (segment << 4) | ((magnitude >> (segment + 1)) & 0x0F)
    return (code ^ np.where(value < 0, 0x7F, 0xFF)).astype(np.uint8)


@cache
def _ulaw_values() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0xFF
    magnitude = ((((code & 0x0F) << 3) + 132) << ((code & 0x70) >> 4)) - 132
    return np.where(code & 0x80, -magnitude, magnitude).astype("<i2")


@cache
def _alaw_codes() -> npt.NDArray[np.uint8]:
    value = _every_int16() >> 3  # the law is defined on 13 bits
    magnitude = np.where(value < 0, -value - 1, value).astype(np.int32)
    segment = np.maximum(_bit_length(magnitude) - 5, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return (code ^ np.where(value < 0, 0x55, 0xD5)).astype(np.uint8)


@cache
def _alaw_values() -> npt.NDArray[np.int16]:
    code = np.arange(256, dtype=np.int32) ^ 0x55
    segment = (code & 0x70) >> 4
    magnitude = ((code & 0x0F) << 4) + np.where(segment == 0, 8, 0x108)
    magnitude <<= np.maximum(segment - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype("<i2")


_LAWS = {
    "g711_ulaw": (ulaw_encode, ulaw_decode),
    "g711_alaw": (alaw_encode, alaw_decode),
}


def decode(format_type: str, payload: bytes) -> bytes:
    """Turns bytes of a protocol audio format into PCM16 at that format's own rate."""
    law = _LAWS.get(wire_format(format_type).name)
    return payload if law is None else law[1](payload)


def encode(format_type: str, pcm: bytes) -> bytes:
    """Turns PCM16 at the format's own rate into bytes of a protocol audio format."""
    law = _LAWS.get(wire_format(format_type).name)
    return pcm if law is None else law[0](pcm)


class Resampler:
    """Changes the sample rate of a stream that arrives piece by piece.

    The pieces that come out, joined, are what resampling the joined input at once gives. They lag
    behind by the filter's delay until ``last=True`` drains it; then a new stream may begin.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._rates = (source_rate, target_rate)
        self._stream = self._new_stream()

    def _new_stream(self) -> soxr.ResampleStream | None:
        source_rate, target_rate = self._rates
        if source_rate == target_rate:
            return None
        return soxr.ResampleStream(source_rate, target_rate, 1, dtype="float32")

    def process(self, samples: Samples, last: bool = False) -> Samples:
        """Takes float samples at the source rate; returns those now ready at the target rate."""
        if self._stream is None:
            return samples
        samples = np.ascontiguousarray(samples, np.float32)
        resampled: Samples = self._stream.resample_chunk(samples, last=last)
        if last:
            self._stream = self._new_stream()
        return resampled

    def process_pcm(self, pcm: bytes, last: bool = False) -> bytes:
        """Does the same on PCM16."""
        if self._stream is None:
            return pcm
        return pcm_from_samples(self.process(samples_from_pcm(pcm), last))
