from __future__ import annotations

import pytest

from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.audio_formats import (
    BYTES_PER_MS,
    PCM,
    SAMPLES_PER_MS,
    WIRE_FORMATS,
    format_of,
    payload_ms,
    session_format,
    whole_samples,
    wire_format,
)
from realtime_nb.protocol.fields import check_session
from realtime_nb.protocol.wire import AudioRef

PCMU = {"type": "audio/pcmu"}


def test_bytes_per_ms() -> None:
    assert [format_of(known.fields).bytes_per_ms for known in WIRE_FORMATS] == [48, 8, 8]
    assert format_of(None).bytes_per_ms == BYTES_PER_MS == 2 * SAMPLES_PER_MS == 48
    assert format_of({"type": "audio/opus"}) is format_of("none") is PCM


def test_half_a_sample_is_none() -> None:
    assert whole_samples(b"abc", None) == b"ab"
    assert whole_samples(b"abc", PCMU) == b"abc"


def test_sample_rates() -> None:
    assert wire_format("audio/pcm").sample_rate == 24_000
    assert wire_format("audio/pcma").sample_rate == 8_000
    with pytest.raises(ConfigurationError, match="audio/opus"):
        wire_format("audio/opus")


@pytest.mark.parametrize("known", WIRE_FORMATS, ids=lambda known: known.name)
def test_sessions_may_have_each(known: object) -> None:
    fields = getattr(known, "fields", None)
    session = {"type": "realtime", "audio": {"input": {"format": fields}}}
    check_session(session)
    assert session_format(session, "input") == fields
    assert session_format(session, "output") is None


def test_payloads_are_counted_in_the_formats_of_the_wire() -> None:
    assert payload_ms("A" * 1_280, None) == 20
    assert payload_ms("A" * 1_280, PCMU) == 120
    assert payload_ms(AudioRef("input.wav", 0, 480), PCMU) == 20
