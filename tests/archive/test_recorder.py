from __future__ import annotations

import base64
import json
import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.archive import recorder as recorder_module
from realtime_nb.archive import recorder_files
from realtime_nb.archive.recorder import Recorder
from realtime_nb.audio.wav import GrowingWav, read_wav_pcm
from realtime_nb.errors import ConfigurationError, RecordingError
from realtime_nb.protocol.conversation import PlaybackReport, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.recordings.recording import load
from tests.archive.written_files import lines, recorded, stored

PCM = bytes(range(256)) * 4


def base64_of(pcm: bytes) -> str:
    return base64.b64encode(pcm).decode()


def test_folder_holds_what_the_format_promises(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"endpoint": "local", "dialect": "ga"})
    recorder.event(WireEvent("sent", {"type": "response.create"}, 0.25))
    recorder.event(
        WireEvent("received", {"type": "response.created", "response": {"id": "r"}}, 0.5)
    )
    recorder.playback(PlaybackReport("item_1", 12.5, "started", 0.75))
    recorder.tool(ToolReport("call_1", "ended", 0.8, "timeout"))
    recorder.label(1.0, "not me ✓")
    recorder.close(duration_s=2.5, close_code=1000)

    header = json.loads((recorder.path / "session.json").read_text())
    assert header["format"] == "realtime_nb recording"
    assert header["format_version"] == 1
    assert header["endpoint"] == "local"
    assert header["sample_rates"]["input.wav"] == 24_000
    assert (header["complete"], header["duration_s"], header["close_code"]) == (True, 2.5, 1000)
    assert lines(recorder.path / "events.jsonl") == [
        {"seq": 0, "t": 0.25, "dir": "sent", "event": {"type": "response.create"}},
        {
            "seq": 1,
            "t": 0.5,
            "dir": "received",
            "event": {"type": "response.created", "response": {"id": "r"}},
        },
    ]
    assert lines(recorder.path / "playback.jsonl") == [
        {"t": 0.75, "item_id": "item_1", "played_ms": 12.5, "kind": "started", "after": 1}
    ]
    assert lines(recorder.path / "tools.jsonl") == [
        {"t": 0.8, "call_id": "call_1", "kind": "ended", "outcome": "timeout", "after": 1}
    ]
    assert lines(recorder.path / "labels.jsonl") == [{"t": 1.0, "text": "not me ✓"}]
    assert {file.name for file in recorder.path.iterdir()} == {
        *("session.json", "events.jsonl", "playback.jsonl", "tools.jsonl"),
        *("connections.jsonl", "labels.jsonl"),
        *("input.wav", "output.wav", "received.wav"),
    }


def test_what_is_noted_is_in_the_header_soon_and_at_the_end(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {"model": "m"})
    file = recorder.path / "session.json"
    recorder.event(WireEvent("sent", {"type": "response.create"}, 0.1))

    recorder.note(microphone={"sample_rate": 48_000}, api_key="sk-1234567890abcdef1234")
    recorder.note(microphone={"sample_rate": 44_100})
    soon = _header_with("microphone", file)
    recorder.note(seen="late")
    recorder.close(duration_s=1.0)
    end = json.loads(file.read_text())

    assert (soon["model"], soon["complete"]) == ("m", False)
    assert soon["microphone"] == end["microphone"] == {"sample_rate": 44_100}
    assert (end["seen"], end["complete"], end["duration_s"]) == ("late", True, 1.0)
    assert "sk-1234567890abcdef1234" not in file.read_text()


def _header_with(name: str, file: Path) -> dict[str, Any]:
    """The header as soon as it has that field."""
    until_s = time.monotonic() + 10
    while time.monotonic() < until_s:
        header: dict[str, Any] = json.loads(file.read_text())
        if name in header:
            return header
        time.sleep(0.005)
    raise AssertionError(f"{name} is not in the header")


def test_what_is_the_recorders_own_is_not_to_be_noted(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})

    with pytest.raises(ConfigurationError, match=r"'format' in .* is the recorder's own"):
        recorder.note(format="another")
    recorder.close()
    with pytest.raises(RecordingError, match="is closed"):
        recorder.note(seen="too late")
    assert json.loads((recorder.path / "session.json").read_text())["format"] != "another"


@pytest.mark.parametrize(
    ("type", "key", "file"),
    [
        ("input_audio_buffer.append", "audio", "input.wav"),
        ("response.output_audio.delta", "delta", "received.wav"),
        ("response.audio.delta", "delta", "received.wav"),
    ],
)
def test_audio_goes_to_its_file_and_leaves_a_reference(
    tmp_path: Path, type: str, key: str, file: str
) -> None:
    event = {"type": type, key: base64_of(PCM), "item_id": "item_1"}

    path = recorded(tmp_path, event, event)

    assert read_wav_pcm(path / file) == (PCM + PCM, 24_000)
    assert stored(path) == [
        {"type": type, key: {"file": file, "start": 0, "samples": 512}, "item_id": "item_1"},
        {"type": type, key: {"file": file, "start": 512, "samples": 512}, "item_id": "item_1"},
    ]
    assert event[key] == base64_of(PCM)


def test_given_pcm_is_stored_and_the_size_on_the_wire_kept(tmp_path: Path) -> None:
    event = {"type": "input_audio_buffer.append", "audio": base64_of(bytes(160))}

    path = recorded(tmp_path, event, pcm=PCM)

    assert read_wav_pcm(path / "input.wav")[0] == PCM
    assert stored(path)[0]["audio"] == {
        "file": "input.wav",
        "start": 0,
        "samples": 512,
        "bytes": 160,
    }


def test_time_of_capture_is_kept_where_it_is_known(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    event = {"type": "input_audio_buffer.append", "audio": base64_of(PCM)}
    recorder.event(WireEvent("sent", event, 1.25, captured_s=1.2000004))
    recorder.event(WireEvent("sent", event, 1.27))
    recorder.close()

    assert [line.get("captured") for line in lines(recorder.path / "events.jsonl")] == [1.2, None]
    assert [event.captured_s for event in load(recorder.path).raw_events()] == [1.2, None]


def test_half_a_sample_waits_for_the_next_chunk(tmp_path: Path) -> None:
    pieces = [PCM[:5], PCM[5:6], PCM[6:]]
    events = [{"type": "response.output_audio.delta", "delta": base64_of(p)} for p in pieces]

    path = recorded(tmp_path, *events)

    assert read_wav_pcm(path / "received.wav")[0] == PCM
    assert [event["delta"]["samples"] for event in stored(path)] == [2, 1, 509]


def test_audio_inside_items_goes_to_items_wav(tmp_path: Path) -> None:
    part = {"type": "input_audio", "audio": base64_of(PCM), "transcript": "hello"}
    item = {"id": "item_1", "type": "message", "role": "user", "content": [part]}
    created = {"type": "conversation.item.create", "item": item}
    in_response = {"type": "response.create", "response": {"input": [item]}}

    path = recorded(tmp_path, created, in_response)

    assert read_wav_pcm(path / "items.wav")[0] == PCM + PCM
    kept = stored(path)[1]["response"]["input"][0]["content"][0]
    assert kept["audio"] == {"file": "items.wav", "start": 512, "samples": 512}
    assert kept["transcript"] == "hello"
    assert part["audio"] == base64_of(PCM)


@pytest.mark.parametrize("payload", ["***", "AAA", ""])
def test_payload_that_is_no_base64_is_not_stored(tmp_path: Path, payload: str) -> None:
    path = recorded(tmp_path, {"type": "input_audio_buffer.append", "audio": payload})

    assert stored(path)[0]["audio"]["samples"] == 0


def test_event_that_json_is_reluctant_to_hold(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = [
        {"type": "text", "delta": "half a pair: \ud83d"},
        {"type": "number", "value": 10**30},
        {"type": ["not", "a", "name"], "audio": 3},
    ]

    assert stored(recorded(tmp_path, *events)) == events


def test_played_audio_lies_at_its_time_and_chunks_join(tmp_path: Path) -> None:
    second = 48_000
    recorder = Recorder(tmp_path, {})
    recorder.played("a", b"\1\0" * 24_000, 1.0)
    recorder.played("a", b"\2\0" * 24_000, 2.049)  # 49 ms late: no gap
    recorder.played("a", b"\3\0" * 24_000, 2.99)  # early: no overlap
    recorder.played("a", b"\4\0" * 24_000, 5.0)
    recorder.played("b", b"\5\0" * 24_000, 6.01)  # another item: where it is
    recorder.close()

    pcm, _ = read_wav_pcm(recorder.path / "output.wav")
    assert pcm[:second] == bytes(second)
    assert pcm[second : 4 * second : second] == b"\1\2\3"
    assert pcm[4 * second : 5 * second] == bytes(second)
    assert pcm[5 * second : 6 * second] == b"\4\0" * 24_000
    assert pcm[6 * second : 6 * second + 480] == bytes(480)
    assert pcm[6 * second + 480 :] == b"\5\0" * 24_000


def test_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RecordingError, match=r"file: .*Choose a folder"):
        Recorder(tmp_path / "file", {})


def test_after_close_nothing_is_taken(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    recorder.close(duration_s=1.0)
    recorder.close(duration_s=9.0)

    with pytest.raises(RecordingError, match="is closed"):
        recorder.event(WireEvent("sent", {"type": "response.create"}, 0.0))
    assert json.loads((recorder.path / "session.json").read_text())["duration_s"] == 1.0


def test_many_threads_write_whole_lines_in_order(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {})
    delta = base64_of(PCM)

    def record() -> None:
        for _ in range(200):
            event = {"type": "response.output_audio.delta", "delta": delta}
            recorder.event(WireEvent("received", event, 0.0, PCM))

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()

    kept = lines(recorder.path / "events.jsonl")
    assert [line["seq"] for line in kept] == list(range(800))
    assert [line["event"]["delta"]["start"] for line in kept] == list(range(0, 800 * 512, 512))
    assert read_wav_pcm(recorder.path / "received.wav")[0] == PCM * 800


class HeldWav(GrowingWav):
    """A disk that takes nothing until it is released."""

    released = threading.Event()
    reached = threading.Event()

    def append(self, pcm: bytes) -> None:
        HeldWav.reached.set()
        assert HeldWav.released.wait(30)
        super().append(pcm)


def test_slow_disk_ends_the_recording_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_files, "GrowingWav", HeldWav)
    monkeypatch.setattr(recorder_module, "QUEUE_BYTES", 10 * len(PCM))
    HeldWav.released.clear()
    HeldWav.reached.clear()
    recorder = Recorder(tmp_path, {})
    event = {"type": "response.output_audio.delta", "delta": base64_of(PCM)}
    recorder.event(WireEvent("received", event, 0.0))
    assert HeldWav.reached.wait(30)
    taken = 1

    with pytest.raises(RecordingError, match="the disk is too slow"):
        for _ in range(20):
            recorder.event(WireEvent("received", event, 0.0))
            taken += 1
    assert taken < 10
    statistics = recorder.statistics()
    assert statistics.events == taken
    assert 0 < statistics.queued_bytes <= 10 * len(PCM)
    assert statistics.behind_s > 0

    with pytest.raises(RecordingError, match="begin a new recording"):
        recorder.label(0.0, "still there?")
    HeldWav.released.set()
    recorder.close()

    assert read_wav_pcm(recorder.path / "received.wav")[0] == PCM * taken
    assert len(stored(recorder.path)) == taken
    header = json.loads((recorder.path / "session.json").read_text())
    assert header["complete"] is False
    assert "too slow" in header["problem"]


def test_disk_error_is_raised_by_close_when_no_call_came_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullWav(GrowingWav):
        def append(self, pcm: bytes) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder_files, "GrowingWav", FullWav)
    recorder = Recorder(tmp_path, {})
    recorder.event(
        WireEvent("sent", {"type": "input_audio_buffer.append", "audio": base64_of(PCM)}, 0.0)
    )

    with pytest.raises(RecordingError, match=r"No space left on device.*begin a new recording"):
        recorder.close()
    recorder.close()
    assert not recorder.path.exists()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_nobody_else_may_read_a_new_recording(tmp_path: Path, umask: int) -> None:
    above = tmp_path / "recordings"
    above.mkdir()
    before = os.umask(umask)
    try:
        recorder = Recorder(above, {})
        nested = {"type": "x", "item": {"content": [{"audio": base64_of(PCM)}]}}
        recorder.event(WireEvent("sent", nested, 0.0))
        recorder.note(something=1)
        recorder.close()
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in recorder.path.iterdir()}
    assert stat.S_IMODE(recorder.path.stat().st_mode) == 0o700
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"session.json", "events.jsonl", "items.wav", "output.wav"} <= set(modes)


@pytest.mark.parametrize("failing", ["session.part", "input.wav", "events.jsonl", "tools.jsonl"])
def test_a_disk_that_is_full_from_the_start_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    opened = recorder_files.open_private

    def full(path: Path, mode: str, buffering: int = -1) -> Any:
        if path.name == failing:
            raise OSError(28, "No space left on device")
        return opened(path, mode, buffering)

    monkeypatch.setattr(recorder_files, "open_private", full)
    folder = tmp_path / "new"
    with pytest.raises(RecordingError, match="No space left on device"):
        Recorder(folder, {})
    assert not folder.exists()


def test_a_disk_that_is_full_before_the_first_event_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: Any, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder_files, "_write_all", full)
    recorder = Recorder(tmp_path, {})
    recorder.event(WireEvent("sent", {"type": "x"}, 0.0))
    with pytest.raises(RecordingError, match=r"No space left.*holds nothing"):
        recorder.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_keeps_what_it_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, {})
    recorder.event(WireEvent("sent", {"type": "x"}, 0.0))
    until_s = time.monotonic() + 10
    while recorder.statistics().queued_bytes and time.monotonic() < until_s:
        time.sleep(0.01)

    def full(file: Any, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(recorder_files, "_write_all", full)
    with suppress(RecordingError):
        recorder.event(WireEvent("sent", {"type": "y"}, 0.1))
    with suppress(RecordingError):
        recorder.close()
    assert [event["type"] for event in stored(recorder.path)] == ["x"]
    assert (
        "What it holds can be loaded"
        in json.loads((recorder.path / "session.json").read_text())["problem"]
    )


@pytest.mark.parametrize(
    "name", ["a\0b", "x" * 5000, "a\udcffb\0", "/proc/none/at/all", "/dev/null/x"]
)
def test_a_folder_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="Choose a folder") as raised:
        Recorder(tmp_path / name, {})
    str(raised.value).encode()
    assert list(tmp_path.iterdir()) == []
