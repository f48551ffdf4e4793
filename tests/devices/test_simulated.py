"""The simulated devices on virtual time: when each sample leaves, and how much was heard."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime_nb.devices.simulated import Clock, SimulatedMicrophone, SimulatedSpeaker
from realtime_nb.errors import SessionClosedError
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.testing import run_on_virtual_clock, tone
from tests.virtual import virtual


def pcm(duration_ms: float) -> bytes:
    return b"\x01\x02" * round(duration_ms * BYTES_PER_MS / 2)


class Heard:
    """A speaker on the loop's clock, and what it says of itself."""

    def __init__(self, pace: float = 1.0) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.clock: Clock = lambda: (loop.time() - began) * pace
        self.reports: list[PlaybackReport] = []
        self.pieces: list[tuple[str, bytes, float]] = []
        self.speaker = SimulatedSpeaker(
            self.clock, pace, self.reports.append, lambda *piece: self.pieces.append(piece)
        )

    def kinds(self) -> list[tuple[str, str, float]]:
        return [(r.kind, r.item_id, round(r.played_ms)) for r in self.reports]

    def played_ms(self, item_id: str) -> float:
        return sum(len(piece) for name, piece, _ in self.pieces if name == item_id) / BYTES_PER_MS

    def check_pieces(self) -> None:
        """No two pieces overlap: a speaker plays one sample at a time."""
        end_s = 0.0
        for _, piece, start_s in self.pieces:
            assert start_s >= end_s - 1e-6
            end_s = start_s + len(piece) / BYTES_PER_MS / 1000


@virtual
async def test_an_item_is_played_from_when_it_is_there_to_its_end() -> None:
    heard = Heard()
    await asyncio.sleep(1.0)
    heard.speaker.write("a", pcm(500))
    heard.speaker.end("a")
    seen = [heard.speaker.playing]
    await asyncio.sleep(1.0)
    assert [*seen, heard.speaker.playing] == [True, False]
    assert heard.kinds() == [("started", "a", 0), ("finished", "a", 500)]
    started, finished = heard.reports
    assert started.t_s == pytest.approx(1.0, abs=0.001)
    assert finished.t_s == pytest.approx(1.5, abs=0.001)
    assert b"".join(piece for _, piece, _ in heard.pieces) == pcm(500)
    await heard.speaker.close()


@virtual
async def test_audio_that_comes_in_pieces_is_played_without_a_gap() -> None:
    heard = Heard()
    for _ in range(10):
        heard.speaker.write("a", pcm(100))
        await asyncio.sleep(0.05)
    heard.speaker.end("a")
    await asyncio.sleep(2)
    assert heard.kinds() == [("started", "a", 0), ("finished", "a", 1_000)]
    assert heard.reports[-1].t_s == pytest.approx(1.0, abs=0.001)
    heard.check_pieces()
    await heard.speaker.close()


@virtual
async def test_items_are_played_one_after_the_other_without_a_gap() -> None:
    heard = Heard()
    for name in ("a", "b", "c"):
        heard.speaker.write(name, pcm(300))
        heard.speaker.end(name)
    await asyncio.sleep(2)
    assert heard.kinds() == [
        (kind, name, ms)
        for name in ("a", "b", "c")
        for kind, ms in (("started", 0), ("finished", 300))
    ]
    assert [r.t_s for r in heard.reports] == pytest.approx([0, 0.3, 0.3, 0.6, 0.6, 0.9], abs=0.001)
    await heard.speaker.close()


@virtual
async def test_running_dry_is_reported_once_and_playing_goes_on_later() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(200))
    await asyncio.sleep(1.0)
    assert heard.kinds() == [("started", "a", 0), ("underrun", "a", 200)]
    assert heard.reports[-1].t_s == pytest.approx(0.2, abs=0.001)
    assert heard.speaker.playing  # more may come
    heard.speaker.write("a", pcm(300))
    heard.speaker.end("a")
    await asyncio.sleep(1.0)
    assert heard.kinds()[2:] == [("finished", "a", 500)]
    assert heard.reports[-1].t_s == pytest.approx(1.3, abs=0.05)
    heard.check_pieces()
    await heard.speaker.close()


@virtual
async def test_an_item_that_ends_after_its_audio_was_played_is_finished_then() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(200))
    await asyncio.sleep(1.0)
    heard.speaker.end("a")
    await asyncio.sleep(0.1)
    assert not heard.speaker.playing
    assert heard.kinds()[-1] == ("finished", "a", 200)
    await heard.speaker.close()


@virtual
async def test_ends_without_audio_leave_nothing_to_play() -> None:
    heard = Heard()
    heard.speaker.end("a")
    heard.speaker.write("b", b"")
    heard.speaker.end("b")
    await asyncio.sleep(0.2)
    assert not heard.speaker.playing
    assert heard.reports == []
    await heard.speaker.close()


@virtual
async def test_half_a_sample_at_the_end_does_not_hold_the_item_up() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(100) + b"\0")
    heard.speaker.end("a")
    await asyncio.sleep(0.5)
    assert heard.kinds()[-1] == ("finished", "a", 100)
    await heard.speaker.close()


@virtual
async def test_a_flush_says_what_was_heard_of_each_item() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(300))
    heard.speaker.end("a")
    heard.speaker.write("b", pcm(500))
    heard.speaker.write("c", pcm(500))
    await asyncio.sleep(0.4213)
    flushed = await heard.speaker.flush()
    assert [name for name, _ in flushed] == ["b", "c"]
    assert dict(flushed)["b"] == pytest.approx(121.3, abs=0.05)
    assert dict(flushed)["c"] == 0
    assert heard.played_ms("b") == dict(flushed)["b"]
    assert not heard.speaker.playing
    await asyncio.sleep(1)
    assert [kind for kind, _, _ in heard.kinds()][-2:] == ["flushed", "flushed"]
    assert {r.t_s for r in heard.reports[-2:]} == {0.4213}
    await heard.speaker.close()


@virtual
async def test_a_flush_while_nothing_plays_says_nothing() -> None:
    heard = Heard()
    assert await heard.speaker.flush() == []
    heard.speaker.write("a", pcm(100))
    heard.speaker.end("a")
    await asyncio.sleep(1)
    assert await heard.speaker.flush() == []
    assert [kind for kind, _, _ in heard.kinds()] == ["started", "finished"]
    await heard.speaker.close()


@virtual
async def test_a_flush_stops_before_it_is_awaited() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(500))
    await asyncio.sleep(0.1)
    stopped = heard.speaker.flush()
    heard.speaker.write("b", pcm(200))
    heard.speaker.end("b")
    assert [name for name, _ in await stopped] == ["a"]
    await asyncio.sleep(1)
    assert heard.kinds()[-1] == ("finished", "b", 200)
    heard.check_pieces()
    await heard.speaker.close()


@virtual
async def test_closing_counts_what_was_heard_until_then() -> None:
    heard = Heard()
    heard.speaker.write("a", pcm(1_000))
    await asyncio.sleep(0.333)
    await heard.speaker.close()
    assert heard.played_ms("a") == pytest.approx(333, abs=0.05)
    assert heard.kinds() == [("started", "a", 0), ("flushed", "a", 333)]
    assert asyncio.all_tasks() == {asyncio.current_task()}


@virtual
async def test_at_a_higher_pace_all_times_are_of_the_session() -> None:
    heard = Heard(pace=10)
    heard.speaker.write("a", pcm(2_000))
    heard.speaker.end("a")
    await asyncio.sleep(0.1)
    assert heard.played_ms("a") == pytest.approx(1_000, abs=50)
    await asyncio.sleep(0.2)
    assert heard.reports[-1].t_s == pytest.approx(2.0, abs=0.001)
    await heard.speaker.close()


@given(st.integers(0, 2**32))
@settings(max_examples=50, deadline=None)
def test_whatever_is_written_ended_and_flushed_the_counts_agree(seed: int) -> None:
    run_on_virtual_clock(random_playback(random.Random(seed)))


async def random_playback(chance: random.Random) -> None:
    heard = Heard()
    written = dict.fromkeys("abcdef", 0.0)
    flushed: dict[str, float] = {}
    for name in written:
        for _ in range(chance.randrange(4)):
            size_ms = chance.choice([10.0, 100.0, 250.0])
            heard.speaker.write(name, pcm(size_ms))
            written[name] += size_ms
            await asyncio.sleep(chance.choice([0, 0.03, 0.4]))
        heard.speaker.end(name)
        if chance.random() < 0.3:
            flushed |= dict(await heard.speaker.flush())
    await asyncio.sleep(10)
    assert not heard.speaker.playing
    heard.check_pieces()
    for name, whole_ms in written.items():
        assert heard.played_ms(name) == pytest.approx(flushed.get(name, whole_ms), abs=0.1)
    last = {report.item_id: report for report in heard.reports}
    for name, report in last.items():
        assert report.played_ms == pytest.approx(heard.played_ms(name))
    await heard.speaker.close()


# --- microphone ---


class Sent:
    """A microphone on the loop's clock, and what it sends."""

    def __init__(self, pace: float = 1.0, start_ms: float = 0.0) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        self.clock: Clock = lambda: (loop.time() - began) * pace
        self.chunks: list[tuple[float, bytes]] = []
        self.captured_s: list[float] = []
        self.stall_s: dict[int, float] = {}
        self.fail_at: int | None = None
        self.microphone = SimulatedMicrophone(self.clock, pace, self.take, start_ms=start_ms)

    async def take(self, chunk: bytes, captured_s: float) -> None:
        if len(self.chunks) == self.fail_at:
            raise SessionClosedError("over")
        self.chunks.append((self.clock(), chunk))
        self.captured_s.append(captured_s)
        await asyncio.sleep(self.stall_s.get(len(self.chunks), 0))

    @property
    def audio(self) -> bytes:
        return b"".join(chunk for _, chunk in self.chunks)

    @property
    def worst_late_ms(self) -> float:
        """How late the latest chunk of all was."""
        times = [t_s for t_s, _ in self.chunks]
        return 1000 * max(t - c for t, c in zip(times, self.captured_s, strict=True))


@virtual
async def test_chunks_leave_when_their_last_sample_would_have_been_recorded() -> None:
    sent = Sent()
    end_ms = await sent.microphone.speak(pcm(1_000))
    assert end_ms == 1_000
    times = [t_s for t_s, _ in sent.chunks]
    assert times == pytest.approx([0.04 * n for n in range(1, 26)])
    assert sent.audio == pcm(1_000)
    assert sent.worst_late_ms < 0.01
    await sent.microphone.close()


@virtual
async def test_silence_goes_on_between_clips_and_clips_follow_each_other_exactly() -> None:
    sent = Sent(start_ms=500)
    await asyncio.sleep(1.0)
    first = asyncio.create_task(sent.microphone.speak(tone(130)))
    second = asyncio.create_task(sent.microphone.speak(tone(70)))
    ends = [await first, await second]
    await asyncio.sleep(1.0)
    begin = sent.audio.index(tone(130)[2:]) - 2  # a tone begins with a zero
    assert sent.audio[begin:].startswith(tone(130) + tone(70))
    assert set(sent.audio[begin + 200 * BYTES_PER_MS :]) == {0}
    begin_ms = begin / BYTES_PER_MS
    assert ends == [500 + begin_ms + 130, 500 + begin_ms + 200]
    assert len(sent.audio) == round(2.2 / 0.04 - 0.5) * 40 * BYTES_PER_MS
    await sent.microphone.close()


@virtual
async def test_a_stall_is_caught_up_with_so_that_no_error_adds_up() -> None:
    sent = Sent()
    sent.stall_s = {5: 0.5}
    await sent.microphone.speak(pcm(2_000))
    assert [t_s for t_s, _ in sent.chunks][-1] == pytest.approx(2.0)
    assert sent.audio == pcm(2_000)
    assert sent.worst_late_ms == pytest.approx(460)
    assert sent.captured_s == pytest.approx([0.04 * n for n in range(1, 51)])  # nonetheless
    await sent.microphone.close()


@virtual
async def test_a_microphone_may_run_faster_than_life() -> None:
    sent = Sent(pace=20)
    await sent.microphone.speak(pcm(4_000))
    assert asyncio.get_running_loop().time() == pytest.approx(0.2)
    await sent.microphone.close()


@virtual
async def test_an_empty_clip_is_over_with_the_next_chunk() -> None:
    sent = Sent()
    assert await sent.microphone.speak(b"") == 0
    assert set(sent.audio) == {0}
    await sent.microphone.close()


@virtual
async def test_who_speaks_learns_what_ended_the_stream() -> None:
    sent = Sent()
    sent.fail_at = 3
    with pytest.raises(SessionClosedError):
        await sent.microphone.speak(pcm(1_000))
    with pytest.raises(SessionClosedError):
        await sent.microphone.speak(pcm(1_000))
    await sent.microphone.close()


@virtual
async def test_closing_gives_up_what_was_not_spoken() -> None:
    sent = Sent()
    speaking = asyncio.create_task(sent.microphone.speak(pcm(1_000)))
    await asyncio.sleep(0.3)
    await sent.microphone.close()
    with pytest.raises(asyncio.CancelledError):
        await speaking
    count = len(sent.chunks)
    await asyncio.sleep(1)
    assert len(sent.chunks) == count == 7
    assert asyncio.all_tasks() == {asyncio.current_task()}
