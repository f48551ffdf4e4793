from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.protocol import events as ev
from tests.protocol.test_server_properties import trees


def test_every_event_class_is_known_by_its_wire_name() -> None:
    for name, cls in {**ev.CLIENT_EVENTS, **ev.SERVER_EVENTS}.items():
        assert cls.__struct_config__.tag == name
        assert cls.__name__ in ev.__all__ or cls.__name__ == "ClientEvent"
    assert len(ev.CLIENT_EVENTS) == 10
    assert not ev.CLIENT_EVENTS.keys() & ev.SERVER_EVENTS.keys()


def test_a_client_event_travels_without_what_is_not_set() -> None:
    event = ev.ItemTruncate(item_id="i", content_index=0, audio_end_ms=5, event_id="e")
    raw = ev.dump(event)
    assert raw == {
        "type": "conversation.item.truncate",
        "event_id": "e",
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 5,
    }
    assert ev.parse_client(raw) == event
    assert ev.dump(ev.AudioBufferCommit()) == {"type": "input_audio_buffer.commit"}
    assert ev.AudioBufferCommit().type == "input_audio_buffer.commit"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"type": "conversation.item.delete"}, "item_id"),
        ({"type": "conversation.item.delete", "item_id": 5}, "$.item_id"),
        ({"type": "conversation.item.delete", "item_id": "a", "x": 1}, "x"),
    ],
)
def test_a_client_event_is_read_exactly(raw: dict[str, Any], path: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=path.replace("$", r"\$")):
        ev.parse_client(raw)


def test_a_server_event_is_read_liberally() -> None:
    raw = {"type": "response.output_text.delta", "delta": "a", "obfuscation": "xyz"}
    assert ev.parse_server(raw) == ev.OutputTextDelta(delta="a")
    unknown = ev.parse_server({"type": "vendor.event", "event_id": "e1", "x": 1})
    assert isinstance(unknown, ev.UnknownEvent)
    assert (unknown.type, unknown.event_id, unknown.problem) == ("vendor.event", "e1", None)
    malformed = ev.parse_server({"type": "response.output_text.delta", "delta": 5})
    assert isinstance(malformed, ev.UnknownEvent)
    assert malformed.problem is not None and "delta" in malformed.problem
    assert ev.dump(malformed) is malformed.raw


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([*ev.SERVER_EVENTS, "?"]), st.dictionaries(st.text(max_size=5), trees))
def test_reading_what_a_server_sends_never_fails(kind: str, fields: dict[str, Any]) -> None:
    raw = {**fields, "type": kind}
    event = ev.parse_server(raw)
    assert event.type == kind


def test_an_error_event_tells_its_parts() -> None:
    error = {"type": "t", "message": "m", "code": 42, "event_id": "c-1"}
    event = ev.ErrorEvent(error=error)
    assert (event.message, event.code, event.caused_by) == ("m", "42", "c-1")
    assert ev.ErrorEvent(error={}).code is None
    assert ev.ErrorEvent(error={}).caused_by is None
