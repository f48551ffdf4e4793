from __future__ import annotations

import base64
import json
import random
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.local.messages import LONG_CHARS, PIECE_CHARS, LongAppend, MessageReader
from realtime_nb.protocol.problems import Problem, Refused

SOUND = random.Random(0).randbytes(3 * LONG_CHARS // 4)
APPEND = "input_audio_buffer.append"


def read(text: str, cut: int = 65_536) -> str | LongAppend | Problem:
    message = MessageReader()
    for start in range(0, len(text), cut):
        message.push(text[start : start + cut])
    try:
        return message.end()
    except Refused as refused:
        return refused.problem


def append(sound: bytes, **fields: Any) -> dict[str, Any]:
    return {"type": APPEND, "audio": base64.b64encode(sound).decode(), **fields}


@given(
    length=st.integers(len(SOUND) - 4, len(SOUND)),
    order=st.permutations(["type", "event_id", "audio"]),
    cut=st.integers(1_000, 70_000),
    escaped=st.booleans(),
    spaced=st.booleans(),
)
def test_a_long_append_is_the_same_in_pieces(
    length: int, order: list[str], cut: int, escaped: bool, spaced: bool
) -> None:
    sound = SOUND[-length:] + SOUND[:60_000]
    event = append(sound, event_id='"audio":"\\')
    text = json.dumps({key: event[key] for key in order}, indent=2 if spaced else None)
    if escaped:
        text = text.replace("/", "\\/").replace("A", "\\u0041", 50)
    found = read(text, cut)
    assert isinstance(found, LongAppend)
    assert found.event == {"type": APPEND, "event_id": '"audio":"\\'}
    assert b"".join(base64.b64decode(piece, validate=True) for piece in found.audio) == sound
    assert max(map(len, found.audio)) <= PIECE_CHARS


LONG = "A" * 200_000
IMAGE = {"type": "input_audio", "audio": LONG}


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "conversation.item.create", "item": {"content": [IMAGE]}},
        {"item": {"audio": LONG}, "type": "conversation.item.create"},
        {"type": "x", "text": LONG},
        {"type": "x", "text": '{"audio":"' + LONG},
        {"type": "x", "text": "{[," * 100_000},
        ["A" * 900_000],
    ],
)
def test_other_messages_come_whole(frame: object) -> None:
    text = json.dumps(frame)
    assert read(text) == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (json.dumps({"type": "x", "text": "A" * 1_050_000}), "string_above_max_length"),
        ("[" + "[]," * 7_000_000 + "[]]", "string_above_max_length"),
        ('{"a":[' + "[]," * 20_001 + "[]]}", "invalid_event"),
        ("[" + "1," * 20_001 + "1]", "invalid_event"),
        ("[" * 20_001, "invalid_event"),
        (json.dumps(append(b"", audio="!" * 200_000)), "invalid_value"),
        (json.dumps(append(b"", audio="A" * 200_001)), "invalid_value"),
        (json.dumps(append(b"", audio="A" * 63_999 + "=" + "A" * 136_000)), "invalid_value"),
        (json.dumps(append(b"", audio="A" * 20_971_524)), "string_above_max_length"),
        (json.dumps(append(SOUND, more="A" * 5_000)), "invalid_event"),
        (json.dumps(append(SOUND, more=1)), "invalid_event"),
        (json.dumps(append(SOUND, type="x")), "invalid_event"),
        (json.dumps(append(SOUND))[:-1], "invalid_json"),
        (json.dumps(append(SOUND))[:-2], "invalid_json"),
        (json.dumps(append(SOUND)) + "}", "invalid_json"),
        (json.dumps(append(SOUND, audio=[LONG])), None),
    ],
)
def test_what_is_refused(text: str, code: str | None) -> None:
    found = read(text)
    if code is None:
        assert found == text  # the protocol refuses it
    else:
        assert isinstance(found, Problem)
        assert found.code == code


def test_nothing_is_kept_of_what_is_refused() -> None:
    message = MessageReader()
    for _ in range(400):
        message.push("[]," * 20_000)
    assert message._parts == []
    assert not message.long
    with pytest.raises(Refused):
        message.end()


@pytest.mark.parametrize("begin", ['"', '{"x":"', '{"audio":"'])
@pytest.mark.parametrize("more", ['\\"', '\\"[', '"\\"', '\\\\\\"'])
def test_quotes_that_never_end_are_looked_at_once(begin: str, more: str) -> None:
    """Where each of them was looked at up to the end, 100 kB took ten seconds."""

    def seconds(count: int) -> float:
        began_s = time.thread_time()
        read("[" * 20_001 + begin + more * count)
        return time.thread_time() - began_s

    few = min(seconds(2_500) for _ in range(3))
    assert seconds(20_000) < 24 * few
