"""Objects are found in lines of JSON and of what Python prints."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.archive.log_text import document_in, object_in, objects_in

EVENT: dict[str, Any] = {
    "type": "response.done",
    "response": {"id": "r", "usage": None, "ok": True, "n": -1.5, "parts": [{"a": "it's {1}"}]},
}


def printed(value: Any) -> str:
    """Print nested objects as libraries print their own."""
    if isinstance(value, dict):
        return f"Event({', '.join(f'{name}={printed(held)}' for name, held in value.items())})"
    if isinstance(value, list):
        return f"[{', '.join(map(printed, value))}]"
    return repr(value)


FORMS: dict[str, Callable[[Any], str]] = {
    "JSON": json.dumps,
    "dict": repr,
    "object": printed,
    "aiohttp": lambda e: f"WSMessage(type=<WSMsgType.TEXT: 1>, data={json.dumps(e)!r}, extra='')",
    "bytes": lambda e: f"frame(data={json.dumps(e).encode()!r})",
    "namespace": lambda e: repr(SimpleNamespace(**e)),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", ["", "12:00:00 [ws{1}] <- ", "event: "])
def test_an_object_is_found_in_whatever_form(form: str, before: str) -> None:
    found = object_in((before + FORMS[form](EVENT)).encode())

    assert found.value == EVENT
    assert found.before.startswith(before)


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@given(fields=st.dictionaries(TEXT, VALUES, max_size=4), form=st.sampled_from(["dict", "aiohttp"]))
def test_whatever_an_event_holds_is_read_back(fields: dict[str, Any], form: str) -> None:
    event = {**fields, "type": "response.done"}

    assert object_in(FORMS[form](event).encode()).value == event


def test_a_dict_that_is_printed_over_several_lines() -> None:
    text = "10:00:00 {'type': 'response.done',\n 'response': {'id': 'r',\n  'n': 1}}\nend\n"

    first, last = objects_in(text.encode())

    assert first.value == {"type": "response.done", "response": {"id": "r", "n": 1}}
    assert (first.number, first.before) == (1, "10:00:00 ")
    assert (last.number, last.value) == (4, None)


def test_a_line_that_begins_as_an_object_is_damaged() -> None:
    for line in (b'{"type": "response.done", "resp', b"{'type': 'response.done', 'resp"):
        assert object_in(line).damaged
    assert not object_in(b"connected").damaged


def test_sockets_of_a_har_export() -> None:
    entry = {"_webSocketMessages": [{"type": "send", "time": 1.0, "data": "{}"}]}
    content = {"log": {"entries": [{"request": {}}, entry, entry]}}

    assert document_in(json.dumps(content).encode()) == [
        {"connection_id": "socket 1", "type": "send", "time": 1.0, "data": "{}"},
        {"connection_id": "socket 2", "type": "send", "time": 1.0, "data": "{}"},
    ]


def test_half_a_letter_is_replaced() -> None:
    halves = r'{"type": "x", "a": "hi \ud83d", "b": "\ud83d\ude00"}'

    assert object_in(halves.encode()).value == {"type": "x", "a": "hi \ufffd", "b": "😀"}
    assert object_in(halves.replace('"', "'").encode()).value == {
        "type": "x",
        "a": "hi \ufffd",
        "b": "😀",
    }


def test_objects_that_stand_in_one_line_are_all_found() -> None:
    texts = [json.dumps({"type": "response.create", "event_id": str(n)}) for n in range(3)]

    for between in ("", " ", ",", "\x1e"):
        found = list(objects_in(f"12:00:00 {between.join(texts)}\n".encode()))
        assert [one.value["event_id"] for one in found if isinstance(one.value, dict)] == list(
            "012"
        )
        assert {one.number for one in found} == {1}
    words = list(objects_in(f"{texts[0]} {{3 keys}} [12 bytes]".encode()))
    assert [one.damaged for one in words] == [False]
    cut = list(objects_in(f"{texts[0]}{texts[1][:20]}".encode()))
    assert [one.damaged for one in cut] == [False, True]


def test_lines_that_end_as_they_did_once() -> None:
    text = "\r".join(["12:00:00 {}".replace("{}", json.dumps(EVENT))] * 3)

    assert [one.value for one in objects_in(text.encode())] == [EVENT] * 3


def test_lines_that_a_containers_runtime_cut_are_whole() -> None:
    lines = []
    for number in range(3):
        text = json.dumps({**EVENT, "event_id": number})
        cuts = [text[:40], text[40:90], text[90:]]
        lines += [
            f"2025-10-09T08:53:20Z stdout {'F' if n == 2 else 'P'} {cut}"
            for n, cut in enumerate(cuts)
        ]
        lines.insert(-1, "2025-10-09T08:53:20Z stderr F between")

    found = [one for one in objects_in("\n".join(lines).encode()) if one.value is not None]

    assert [one.value for one in found] == [{**EVENT, "event_id": number} for number in range(3)]
    assert [one.number for one in found] == [4, 8, 12]
    assert found[0].before == "2025-10-09T08:53:20Z stdout F "


def test_a_document_that_is_cut_off_keeps_what_is_whole() -> None:
    whole = json.dumps(
        [{"type": "x", "in": {"a": 1}}, {"type": "y", "in": {"a": 1}, "b": 2}], indent=1
    )

    found = list(objects_in(whole[:-12].encode()))

    assert next(one.value for one in found if isinstance(one.value, dict))["type"] == "x"
    assert any(one.damaged for one in found)


def test_binary_frames_of_a_har_export() -> None:
    frame = {"opcode": 2, "data": "eyJ0eXBlIjoieCJ9"}
    content = {"log": {"entries": [{"_webSocketMessages": [frame, {**frame, "data": "{}"}]}]}}

    found = document_in(json.dumps(content).encode())

    assert isinstance(found, list)
    assert [one["data"] for one in found if isinstance(one, dict)] == ['{"type":"x"}', "{}"]


def test_audio_in_lines_is_passed_over_quickly() -> None:
    audio = "AbCd0/+x" * 800
    lines = [json.dumps({"type": "input_audio_buffer.append", "audio": audio})] * 1_500
    text = "\n".join(lines).encode()

    began = time.process_time()
    for line in lines:
        json.loads(line)
    json_s = time.process_time() - began
    began = time.process_time()
    assert len(list(objects_in(text))) == len(lines)

    assert time.process_time() - began < 10 * json_s + 0.1
