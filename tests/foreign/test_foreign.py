"""Other people's clients, as they are, in whole conversations with ``realtime-nb serve``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.local.stt import load_stt
from tests.conformance.ledger import Ledger
from tests.conformance.sdk_client import alike, plain
from tests.conformance.validate import validate
from tests.foreign.environments import CLIENTS, FOREIGN, SCENARIOS
from tests.foreign.running import Served, Told, run, serving, write_clips

pytestmark = [pytest.mark.foreign, pytest.mark.timeout(1_000)]

PLAYED = [
    pytest.param(client, scenario, marks=pytest.mark.holds(client, scenario))
    for client in FOREIGN
    for scenario in SCENARIOS
    if scenario not in CLIENTS[client]["cannot"]
]
HARMLESS = {"response_cancel_not_active"}
"""A client that interrupts can't know whether the answer has ended meanwhile."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bool], Served]]:
    """The server, and one that speaks TLS, each from when it is asked for."""
    with ExitStack() as running:

        @cache
        def server(tls: bool) -> Served:
            return running.enter_context(serving(tmp_path_factory.mktemp("server"), tls))

        yield server


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder)
    return folder


@pytest.mark.parametrize(("client", "scenario"), PLAYED)
async def test_a_conversation(
    client: str,
    scenario: str,
    servers: Callable[[bool], Served],
    clips: Path,
    tmp_path: Path,
) -> None:
    served = servers(CLIENTS[client]["tls"])
    told = await run(client, scenario, served, clips, tmp_path)

    _check_the_server(told)
    CHECKS[scenario](told)


def _check_the_server(told: Told) -> None:
    """All that the server sent is of the published types, in order, and no refusal."""
    assert told.tap.sessions
    for wire in told.tap.sessions:
        ledger = Ledger()
        for event in wire.server.events:
            validate(event)
            ledger.check(event)
        codes = {event["error"]["code"] for event in wire.received("error")}
        assert codes <= HARMLESS, wire.received("error")
        assert wire.server.close_code in (1000, 1001, None)
    assert {error["code"] for error in told.client["errors"]} <= HARMLESS


def _assert_spoken(told: Told, words: str) -> None:
    """What the client would have played is speech, and these are its words."""
    assert told.client["audio_ms"] == pytest.approx(len(told.audio) / 48, abs=1)
    heard = load_stt().transcribe(told.audio, 24_000)
    assert alike(heard, words), (heard, words)


def _sent(told: Told, kind: str) -> list[dict[str, Any]]:
    return [event for wire in told.tap.sessions for event in wire.sent(kind)]


def _received(told: Told, kind: str) -> list[dict[str, Any]]:
    return [event for wire in told.tap.sessions for event in wire.received(kind)]


def _text(told: Told) -> None:
    assert told.client["said"] == ["Nice to meet you, Ada.", "You are Ada."]


def _audio(told: Told) -> None:
    _heard(told, "he was not an ill disposed young man")
    assert len(_received(told, "input_audio_buffer.speech_stopped")) == 1
    assert _sent(told, "input_audio_buffer.commit") == []


def _push_to_talk(told: Told) -> None:
    _heard(told, "ten of clubs")
    assert _received(told, "input_audio_buffer.speech_started") == []
    assert len(_sent(told, "input_audio_buffer.commit")) == 1


def _heard(told: Told, words: str) -> None:
    (heard,), (said,) = told.client["heard"], told.client["said"]
    assert alike(heard, words)
    assert plain(heard) in plain(said)  # the rules say back what they heard
    _assert_spoken(told, said)


def _tool(told: Told) -> None:
    assert told.client["calls"] == [{"name": "get_weather", "arguments": {"city": "London"}}]
    assert "cloudy" in told.client["said"][-1]
    assert "cloudy" in load_stt().transcribe(told.audio, 24_000).lower()
    (output,) = [
        event["item"]
        for event in _sent(told, "conversation.item.create")
        if event["item"]["type"] == "function_call_output"
    ]
    (call,) = [
        event["item"]
        for event in _received(told, "conversation.item.done")
        if event["item"]["type"] == "function_call"
    ]
    assert output["call_id"] == call["call_id"]


def _interruption(told: Told) -> None:
    assert told.client["interrupted"]
    (asked,) = _sent(told, "conversation.item.truncate")
    (truncated,) = _received(told, "conversation.item.truncated")
    assert truncated["item_id"] == asked["item_id"]
    assert truncated["audio_end_ms"] == asked["audio_end_ms"]
    # The client heard a part: it played for a second and then until the user's voice was noticed.
    assert 500 < truncated["audio_end_ms"] < 6_000
    deltas = _received(told, "response.output_audio.delta")
    story = [d for d in deltas if d["item_id"] == truncated["item_id"]]
    arrived_ms = sum(len(d["delta"]) * 3 / 4 for d in story) / 48
    assert truncated["audio_end_ms"] < arrived_ms
    # The turn that interrupted is answered, and it is not the story that goes on.
    last = _received(told, "response.done")[-1]["response"]
    assert last["status"] == "completed"
    assert "seven of clubs" in plain(told.client["said"][-1])


def _out_of_band(told: Told) -> None:
    assert told.client["aside"]["said"] == "You have not told me your name."
    assert told.client["said"] == ["Nice to meet you, Ada.", "You are Ada."]
    (aside,) = [
        event["response"]
        for event in _received(told, "response.done")
        if event["response"]["conversation_id"] is None
    ]
    assert aside["metadata"]["topic"] == told.client["aside"]["metadata"]["topic"] == "aside"
    added = {event["item"]["id"] for event in _received(told, "conversation.item.added")}
    assert not added & {item["id"] for item in aside["output"]}


def _transcription(told: Told) -> None:
    (heard,) = told.client["heard"]
    assert "have been made amiable" in plain(heard)
    assert not any(
        event["type"].startswith("response.")
        for wire in told.tap.sessions
        for event in wire.server.events
    )


CHECKS = {
    "text": _text,
    "audio": _audio,
    "push_to_talk": _push_to_talk,
    "tool": _tool,
    "interruption": _interruption,
    "out_of_band": _out_of_band,
    "transcription": _transcription,
}
assert set(CHECKS) == set(SCENARIOS)
