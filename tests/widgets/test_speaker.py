from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.errors import AudioError, ConfigurationError
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.speaker import PagePlaybackReport, SpeakerWidget
from tests.widgets.conftest import FakePage

SECOND = 48_000  # bytes


class Played:
    def __init__(self) -> None:
        self.reports: list[PagePlaybackReport] = []
        self.speaker = SpeakerWidget(self.reports.append)
        self.page = FakePage(self.speaker)
        self.page.hello()

    def tell(self, kind: str, item: str, played: int, **more: Any) -> None:
        self.page.send({"kind": kind, "item": item, "played": played, "t": 5.0, **more})

    def audio(self, item: str) -> tuple[bytes, list[int]]:
        sent = [(m, b[0]) for m, b in self.page.messages() if m["kind"] == "audio"]
        mine = [(m["start"], pcm) for m, pcm in sent if m["item"] == item]
        return b"".join(pcm for _, pcm in mine), [start for start, _ in mine]

    def kinds(self) -> list[tuple[str, str, int]]:
        return [(r["kind"], r["item_id"], r["played_samples"]) for r in self.reports]


@pytest.fixture
def played() -> Iterator[Played]:
    made = Played()
    yield made
    made.speaker.close()


@given(st.lists(st.integers(0, 20_000), max_size=30))
def test_whatever_the_pieces_everything_is_sent_once_in_order(sizes: list[int]) -> None:
    played = Played()
    whole = b""
    for i, size in enumerate(sizes):
        pcm = bytes([i % 256]) * (2 * size)
        whole += pcm
        played.speaker.write("a", pcm)
    played.speaker.end("a")
    while played.page.got("end") == [] and whole:
        played.tell("progress", "a", len(played.audio("a")[0]) // 2)
    sent, starts = played.audio("a")
    assert sent == whole
    assert starts == sorted(set(starts))
    if whole:
        assert starts[0] == 0
        assert played.page.got("end")[0]["item"] == "a"
    played.speaker.close()


def test_small_pieces_are_joined_and_large_ones_cut(played: Played) -> None:
    for _ in range(1000):  # 20 s in pieces of 20 ms
        played.speaker.write("a", bytes(960))
    played.tell("progress", "a", 15 * 24_000)
    played.speaker.write("b", bytes(20 * SECOND))
    for item, at_s in (("a", 20), ("b", 10), ("b", 20)):
        played.tell("progress", item, at_s * 24_000)
    _, small = played.audio("a")
    _, large = played.audio("b")
    assert len(small) <= 210
    assert len(large) <= 14


@given(st.data())
def test_the_page_never_holds_more_than_it_is_to(data: st.DataObject) -> None:
    """Answers of minutes at once, played, flushed and followed by others in any order."""
    played = Played()
    written: dict[str, int] = {}
    heard: dict[str, int] = {}
    over: set[str] = set()  # flushed

    def left(item: str) -> int:
        return len(played.audio(item)[0]) // 2 - heard.get(item, 0)

    for _ in range(data.draw(st.integers(1, 14))):
        match data.draw(st.sampled_from(["write", "write", "end", "play", "play", "flush"])):
            case "write":
                item = data.draw(st.sampled_from("abc"))
                seconds = data.draw(st.sampled_from([0, 1, 14, 16, 40]))
                if item not in over:
                    written[item] = written.get(item, 0) + seconds * 24_000
                    played.speaker.write(item, bytes(seconds * SECOND))
            case "end":
                item = data.draw(st.sampled_from("abc"))
                if item in written:
                    played.speaker.end(item)
                    over.add(item)  # for writing
            case "play":
                for item in list(written):
                    if left(item):
                        step = data.draw(st.integers(1, left(item)))
                        heard[item] = heard.get(item, 0) + step
                        played.tell("progress", item, heard[item])
                        break
            case "flush":
                played.speaker.flush()
                for item in written:
                    heard[item] = len(played.audio(item)[0]) // 2
                    written[item] = heard[item]
                over.update(written)
        assert sum(map(left, written)) <= 15 * 24_000
    for _ in range(60):
        for item in list(written):
            heard[item] = heard.get(item, 0) + left(item)
            played.tell("progress", item, heard[item])
    for item, samples in written.items():
        assert len(played.audio(item)[0]) == 2 * samples
    played.speaker.close()


def test_the_end_comes_behind_what_waits_for_room(played: Played) -> None:
    played.speaker.write("a", bytes(20 * SECOND))
    played.speaker.end("a")
    played.speaker.write("b", bytes(SECOND))
    played.speaker.end("b")
    assert played.page.got("end") == []
    assert played.audio("b") == (b"", [])
    played.tell("progress", "a", 4 * 24_000)
    assert played.page.got("end") == []
    played.tell("progress", "a", 6 * 24_000)
    assert [message["item"] for message in played.page.got("end")] == ["a", "b"]
    assert played.speaker.flush().done() is False
    played.page.send({"kind": "flushed", "id": 1, "played": [["a", 150_000], ["b", 0]]})
    assert played.kinds()[-2:] == [("flushed", "a", 150_000), ("flushed", "b", 0)]


def test_another_page_plays_on_what_the_first_never_got(played: Played) -> None:
    played.speaker.write("a", bytes(20 * SECOND))
    played.speaker.end("a")
    played.tell("progress", "a", 24_000)
    assert played.audio("a")[1][-1] < 16 * 24_000
    FakePage(played.speaker, "second").send({"kind": "link-claim"})
    assert played.reports[-1]["unplayed_samples"] == 15 * 24_000
    assert len(played.audio("a")[0]) == 20 * SECOND
    assert len(played.page.got("end")) == 1
    played.speaker.write("b", bytes(20 * SECOND))
    FakePage(played.speaker, "second").send({"kind": "link-bye"})
    assert played.reports[-1]["item_id"] == "b"
    assert sum(r["unplayed_samples"] for r in played.reports if r["item_id"] == "b") == 480_000


def test_reports_are_kept_and_handed_on(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    played.speaker.end("a")
    playing = [played.speaker.playing]
    assert played.speaker.statistics.buffered_ms == 1000
    played.tell("started", "a", 0)
    playing.append(played.speaker.playing)
    played.tell("progress", "a", 6000)
    assert played.speaker.played_ms("a") == 250
    assert played.speaker.statistics.buffered_ms == 750
    played.tell("underrun", "a", 12000, silent=2400)
    played.tell("finished", "a", 24000)
    assert [*playing, played.speaker.playing] == [False, True, False]
    assert played.speaker.statistics.underruns == 1
    assert played.speaker.statistics.silent_ms == 100
    assert [kind for kind, _, _ in played.kinds()] == [
        "started",
        "progress",
        "underrun",
        "finished",
    ]
    assert played.reports[2]["silent_samples"] == 2400
    assert played.reports[0]["page_time_ms"] == 5.0
    assert played.speaker.played_ms("unknown") == 0


def test_a_flush_is_what_the_page_says(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    played.speaker.end("a")
    played.speaker.write("b", bytes(SECOND))
    played.tell("finished", "a", 24000)
    played.tell("started", "b", 0)
    played.speaker.write("c", bytes(SECOND))
    told = played.speaker.flush()
    assert not told.done()
    identity = played.page.got("flush")[0]["id"]
    played.page.send({"kind": "flushed", "id": identity, "played": [["b", 2400], ["c", 0]]})
    assert told.result(0) == [("b", 100.0), ("c", 0.0)]
    assert played.kinds()[-2:] == [("flushed", "b", 2400), ("flushed", "c", 0)]
    assert not played.speaker.playing
    assert played.speaker.statistics.buffered_ms == 0


def test_a_flush_with_nothing_to_stop_is_over_at_once(played: Played) -> None:
    assert played.speaker.flush().result(0) == []
    assert played.page.got("flush") == []


def test_a_page_that_does_not_answer_leaves_an_estimate(
    played: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime_nb.widgets.speaker._FLUSH_LIMIT_S", 0.05)
    played.speaker.write("a", bytes(10 * SECOND))
    played.speaker.write("b", bytes(10 * SECOND))
    played.tell("started", "a", 0)
    played.tell("progress", "a", 24000)
    ((first, at_ms), second) = played.speaker.flush().result(5)
    assert first == "a"
    assert 1000 <= at_ms < 3000
    assert second == ("b", 0.0)
    identity = played.page.got("flush")[0]["id"]
    played.page.send({"kind": "flushed", "id": identity, "played": [["a", 30000]]})  # too late


def test_audio_of_a_flushed_item_is_refused_aloud(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    played.speaker.flush()
    played.speaker.write("a", bytes(SECOND))
    played.speaker.end("a")
    assert len(played.audio("a")[0]) == SECOND
    assert played.page.got("end") == []
    assert played.reports[-1]["kind"] == "unplayed"
    assert played.reports[-1]["unplayed_samples"] == 24000
    assert played.speaker.statistics.unplayed_ms == 1000


def test_what_the_page_can_not_hold_is_told(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    played.page.send({"kind": "unplayed", "item": "a", "samples": 24000})
    assert played.reports[-1]["unplayed_samples"] == 24000


def test_after_a_reload_what_comes_is_played_at_its_position(played: Played) -> None:
    played.speaker.write("a", bytes(2 * SECOND))
    played.tell("started", "a", 0)
    played.tell("progress", "a", 12000)
    told = played.speaker.flush()
    played.speaker.write("b", bytes(2 * SECOND))
    played.page = FakePage(played.speaker, "second")
    played.page.send({"kind": "link-claim"})
    assert told.result(0)[0][0] == "a", "the old page will not answer any more"
    assert played.kinds()[-1] == ("unplayed", "b", 0)
    assert played.reports[-1]["unplayed_samples"] == 48000
    played.speaker.write("b", bytes(SECOND))
    assert played.audio("b")[1][-1] == 48000
    assert played.page.messages()[-1][0]["page"] == "second"
    FakePage(played.speaker, "third").send({"kind": "link-claim"})
    assert played.reports[-1]["unplayed_samples"] == 24000, "what went before is not lost twice"
    played.speaker.end("b")
    assert played.kinds()[-1] == ("finished", "b", 0), "no page has any of it"


def test_without_a_page_audio_is_not_piled_up_for_nobody(played: Played) -> None:
    played.page.send({"kind": "link-bye"})
    played.speaker.write("a", bytes(SECOND))
    played.speaker.end("a")
    assert played.audio("a") == (b"", [])
    assert played.kinds() == [("unplayed", "a", 0), ("finished", "a", 0)]
    played.speaker.write("b", bytes(SECOND))
    FakePage(played.speaker, "new").hello()
    played.speaker.write("b", bytes(SECOND))
    assert played.audio("b")[1] == [24000]
    assert played.speaker.statistics.unplayed_ms == 2000


def test_a_page_that_leaves_after_the_last_sound_has_finished_the_item(played: Played) -> None:
    played.speaker.write("a", bytes(4800))
    played.speaker.end("a")
    played.tell("started", "a", 0)
    played.tell("progress", "a", 2400)
    left = [played.speaker.left]
    played.page.send({"kind": "link-bye"})
    left.append(played.speaker.left)
    assert played.kinds()[-1] == ("finished", "a", 2400)
    FakePage(played.speaker, "another").hello()
    assert [*left, played.speaker.left] == [False, True, False]


def test_a_flush_is_pushed_through_the_network(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    played.speaker.flush()
    *_, flush, push = played.page.messages()
    assert flush[0]["kind"] == "flush"
    assert len(push[1][0]) > 65_000


def test_ducking_is_sent_once(played: Played) -> None:
    for on in (True, True, False):
        played.speaker.duck(on)
    assert [message["on"] for message in played.page.got("duck")] == [True, False]


def test_states_of_the_page(played: Played) -> None:
    state = {"kind": "state", "status": "suspended", "error": "Press.", "output_latency_ms": 30.0}
    played.page.send(state)
    assert (played.speaker.status, played.speaker.error) == ("suspended", "Press.")
    assert played.speaker.statistics.output_latency_ms == 30
    FakePage(played.speaker, "other").send({**state, "status": "ready"})
    assert played.speaker.status == "suspended"


def test_old_items_are_forgotten(played: Played) -> None:
    for i in range(2000):
        played.speaker.write(f"item {i}", bytes(960))
        played.speaker.end(f"item {i}")
        played.tell("finished", f"item {i}", 480)
    assert len(played.speaker._items) <= 257


def test_closing_ends_a_flush(played: Played) -> None:
    played.speaker.write("a", bytes(SECOND))
    told = played.speaker.flush()
    played.speaker.close()
    assert told.result(0) == [("a", 0.0)]
    played.speaker.write("a", bytes(SECOND))


def test_it_follows_a_microphones_gate() -> None:
    microphone = Microphone()
    assert SpeakerWidget(gate=microphone)._gate == microphone._key != ""


def test_bad_input() -> None:
    with pytest.raises(AudioError, match="two bytes per sample"):
        SpeakerWidget().write("a", b"abc")
    with pytest.raises(ConfigurationError, match="prebuffer_ms goes from 60 to 1000"):
        SpeakerWidget(prebuffer_ms=10)
    with pytest.raises(ConfigurationError, match="no setting 'volume'"):
        SpeakerWidget(volume=1)
