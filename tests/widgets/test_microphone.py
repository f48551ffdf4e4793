from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import ConfigurationError
from realtime_nb.widgets.microphone import Lateness, Microphone
from tests.widgets.conftest import FakePage

CHUNK = 960


class Clock:
    """Stands in for time.monotonic."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


class Heard:
    def __init__(self) -> None:
        self.chunks: list[tuple[int, bytes]] = []
        self.captured_s: list[float] = []
        self._sent_position = 0
        self.problems: list[str] = []
        self.microphone = Microphone(self._take, self.problems.append)
        self.page = FakePage(self.microphone)
        self.page.hello()

    def send(
        self, position: int, sent_ms: float = 0, capture: str = "c", samples: int = CHUNK
    ) -> None:
        self._sent_position = position
        pcm = np.arange(position, position + samples).astype("<i2").tobytes()
        head = {"kind": "audio", "capture": capture}
        self.page.send({**head, "position": position, "t": sent_ms}, [pcm])

    def _take(self, pcm: bytes, captured_s: float) -> None:
        """Samples tell their position, but for whole turns of their 16 bits."""
        first = int(np.frombuffer(pcm, "<u2")[0])
        position = self._sent_position + (first - self._sent_position) % 65_536
        self.chunks.append((position, pcm))
        self.captured_s.append(captured_s)

    def positions(self) -> list[int]:
        return [position for position, _ in self.chunks]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("realtime_nb.widgets.microphone.time.monotonic", clock)
    return clock


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.microphone.close()


def test_chunks_come_with_their_positions_and_are_counted(heard: Heard) -> None:
    for i in range(3):
        heard.send(i * CHUNK)
    assert heard.positions() == [0, 960, 1920]
    assert heard.chunks[1][1] == np.arange(960, 1920).astype("<i2").tobytes()
    statistics = heard.microphone.statistics
    assert (statistics.chunks, statistics.samples, statistics.lost_samples) == (3, 2880, 0)


def test_a_gap_is_counted_and_what_comes_twice_is_left_out(heard: Heard) -> None:
    for position in (0, 2 * CHUNK, 2 * CHUNK, 3 * CHUNK - 100):
        heard.send(position)
    assert heard.positions() == [0, 1920, 2880]
    assert len(heard.chunks[2][1]) == 2 * (CHUNK - 100)
    statistics = heard.microphone.statistics
    assert (statistics.lost_samples, statistics.repeated_samples) == (960, 960 + 100)


def test_a_new_capture_begins_at_zero(heard: Heard) -> None:
    heard.send(0)
    heard.send(960)
    heard.send(0, capture="d")
    assert heard.positions() == [0, 960, 0]
    assert heard.microphone.statistics.lost_samples == 0


def test_what_a_stalled_kernel_gets_too_late_is_left_out_and_told(
    heard: Heard, clock: Clock
) -> None:
    for i in range(25):  # in time
        clock.s += 0.04
        heard.send(i * CHUNK, i * 40)
    stalled_s = clock.s + 3
    for i in range(25, 100):  # 3 s of audio at once
        clock.s = stalled_s + i / 1e6
        heard.send(i * CHUNK, i * 40)
    for i in range(100, 110):
        clock.s += 0.04
        heard.send(i * CHUNK, i * 40)
    fresh = [position // CHUNK for position in heard.positions()]
    assert fresh[:25] == list(range(25))
    assert fresh[25:] == list(range(75, 110)), "the last second is still worth saying"
    statistics = heard.microphone.statistics
    assert statistics.stale_dropped_ms == 2000
    assert statistics.lost_samples == 0
    assert statistics.max_late_ms == pytest.approx(2960, abs=1)
    assert statistics.late_ms == pytest.approx(0, abs=1)
    assert len(heard.problems) == 1
    assert "2.0 s of microphone audio came too late" in heard.problems[0]


def test_chunks_tell_when_they_were_captured(heard: Heard, clock: Clock) -> None:
    clock.s = 100.0
    heard.send(0, 0)
    clock.s = 100.3
    heard.send(CHUNK, 40)
    assert heard.captured_s == pytest.approx([100.0, 100.04])


@given(st.lists(st.floats(0, 200), min_size=1, max_size=50), st.floats(-1e9, 1e9))
def test_lateness_needs_no_common_clock(delays: list[float], offset: float) -> None:
    lateness = Lateness()
    lateness.late_ms(offset, 1000.0)
    for i, delay in enumerate(delays, 1):
        late = lateness.late_ms(offset + 40 * i, 1000 + (40 * i + delay) / 1000)
        assert late == pytest.approx(delay, abs=0.01)


def test_a_clock_that_jumps_is_forgiven_after_ten_seconds_of_audio() -> None:
    lateness = Lateness()
    lates = [
        lateness.late_ms(40 * i - (60_000 if i >= 100 else 0), 1000 + 0.04 * i) for i in range(500)
    ]
    assert lates[99] == pytest.approx(0)
    assert lates[100] == pytest.approx(60_000)
    assert lates[-1] == pytest.approx(0)


def test_states_of_the_page_become_traits_and_problems_are_told_once(heard: Heard) -> None:
    state = {"kind": "state", "devices": [{"id": "1", "label": "Desk"}], "applied": {"x": True}}
    heard.page.send({**state, "status": "denied", "error": "Allow it."})
    heard.page.send({**state, "status": "denied", "error": "Allow it."})
    microphone = heard.microphone
    assert (microphone.status, microphone.error) == ("denied", "Allow it.")
    assert microphone.devices == [{"id": "1", "label": "Desk"}]
    assert microphone.applied == {"x": True}
    assert heard.problems == ["Allow it."]
    heard.page.send({**state, "status": "on", "error": ""})
    assert (microphone.status, microphone.error) == ("on", "")


def test_while_a_microphone_is_on_threads_take_quick_turns() -> None:
    usual = sys.getswitchinterval()
    state = {"kind": "state", "devices": [], "applied": {}, "error": ""}
    several = [Heard(), Heard()]
    for heard in several:
        heard.page.send({**state, "status": "on"})
        heard.page.send({**state, "status": "on"})
    assert sys.getswitchinterval() == pytest.approx(0.001)
    several[0].page.send({**state, "status": "ended"})
    assert sys.getswitchinterval() == pytest.approx(0.001), "the other one is still on"
    several[1].microphone.close()
    assert sys.getswitchinterval() == pytest.approx(usual)


def test_another_page_is_not_listened_to_and_a_new_one_starts_off(heard: Heard) -> None:
    state = {"kind": "state", "devices": [], "applied": {}, "status": "on", "error": ""}
    heard.page.send(state)
    other = FakePage(heard.microphone, "other")
    other.send({**state, "status": "ended"})
    other.send({"kind": "audio", "capture": "o", "position": 0}, [bytes(1920)])
    assert heard.microphone.status == "on"
    assert heard.chunks == []
    other.send({"kind": "link-claim"})
    assert heard.microphone.status == "off"
    assert heard.microphone.level_dbfs == -100


def test_level_follows_the_audio_ten_times_a_second(heard: Heard, clock: Clock) -> None:
    levels: list[float] = []
    heard.microphone.observe(lambda change: levels.append(change["new"]), "level_dbfs")
    loud = np.full(CHUNK, 16384, "<i2").tobytes()
    for i in range(50):
        clock.s += 0.04
        position = {"position": i * CHUNK, "t": i * 40.0}
        heard.page.send({"kind": "audio", "capture": "c", **position}, [loud])
    assert heard.microphone.level_dbfs == pytest.approx(-6.02, abs=0.01)
    assert levels == [heard.microphone.level_dbfs]


def test_orders_reach_the_page(heard: Heard) -> None:
    heard.microphone.start()
    heard.microphone.stop()
    assert heard.page.got("start") == [{"kind": "start", "page": "page"}]
    assert heard.page.got("stop") == [{"kind": "stop"}]
    heard.microphone.close()
    assert len(heard.page.got("stop")) == 2


@pytest.mark.parametrize("chunk_ms", [19, 101, 40.0, True, "40"])
def test_chunk_ms_has_a_range(chunk_ms: object) -> None:
    with pytest.raises(ConfigurationError, match="chunk_ms goes from 20 to 100"):
        Microphone(chunk_ms=chunk_ms)


def test_settings_are_named() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'echo_cancellation'"):
        Microphone(echo_cancelation=False)
    assert Microphone(echo_cancellation=False, muted=True).echo_cancellation is False


def test_without_a_listener_audio_is_only_counted() -> None:
    microphone = Microphone()
    page = FakePage(microphone)
    page.hello()
    page.send({"kind": "audio", "capture": "c", "position": 0}, [bytes(1920)])
    assert microphone.statistics.samples == 960


def test_saved_state_holds_no_audio_and_no_names_of_devices(heard: Heard) -> None:
    heard.send(0)
    devices = [{"id": "1", "label": "Ann's headset"}]
    state = {"kind": "state", "status": "on", "error": "", "applied": {"device": "Ann's headset"}}
    heard.page.send({**state, "devices": devices})
    saved = json.dumps(heard.microphone._get_embed_state())
    assert "headset" not in saved + str(heard.microphone._repr_mimebundle_())
    assert "echo_cancellation" in saved
    heard.microphone.close()
