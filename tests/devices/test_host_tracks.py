from __future__ import annotations

from array import array

from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.pcm import Resampler
from realtime_nb.devices.host_tracks import PREBUFFER_MS, Piece, PlayedItem, Ring, Track, faded


def item_at(sample_rate: int) -> PlayedItem:
    return PlayedItem("a", 1, Resampler(24_000, sample_rate))


def whole_of(item: PlayedItem, pcm: bytes) -> bytes:
    """Writes an item to its end; returns what a device with room for it gets."""
    item.write(pcm)
    return item.feed(len(pcm)) + item.close()


def pcm(count: int, first: int = 1) -> bytes:
    return array("h", (i % 30_000 for i in range(first, first + count))).tobytes()


@given(
    st.lists(st.integers(1, 5_000), min_size=1, max_size=6),
    st.lists(st.integers(1, 1_000), min_size=1, max_size=6),
)
def test_everything_comes_out_once_and_in_order(writes: list[int], takes: list[int]) -> None:
    ring, item, track = Ring(24_000), item_at(24_000), Track(1)
    whole = pcm(sum(writes))
    for size in writes:
        start = item.source_bytes + len(item.odd)
        item.write(whole[start : start + size])
        track.write(item.feed(size + 1))
    written = whole[: sum(writes)]
    track.write(item.close())
    track.ended = True
    ring.tracks.append(track)

    pieces: list[Piece] = []
    while ring.tracks:
        for frames in takes:
            pieces += ring.take(frames * 2)
    out = b"".join(piece.pcm for piece in pieces)

    assert out == written[: len(written) // 2 * 2]
    assert [piece.kind for piece in pieces if piece.kind != "audio"] == ["end"]
    assert all(len(piece.pcm) for piece in pieces if piece.kind == "audio")


def test_a_track_that_runs_dry_waits_for_enough() -> None:
    ring, track = Ring(24_000), Track(1)
    ring.tracks.append(track)
    enough = PREBUFFER_MS * 24
    track.write(pcm(enough))

    kinds = [piece.kind for piece in ring.take(enough * 2 + 2)]
    assert kinds == ["audio", "dry"]
    assert ring.running is None
    track.write(pcm(enough - 1))
    assert ring.take(2) == []
    track.write(pcm(1))
    assert [piece.kind for piece in ring.take(2)] == ["audio"]
    assert ring.running is track


def test_what_was_heard_is_counted_at_24_khz() -> None:
    item = item_at(48_000)
    source = pcm(4_800)
    assert len(whole_of(item, source)) == 9_600 * 2

    heard = item.heard(4_801, 48_000)
    assert heard == source[:4_800]
    assert item.played_ms(48_000) == 4_801 / 48
    assert heard + item.heard_all() == source
    assert not item.source


def test_more_is_never_heard_than_there_was() -> None:
    item = item_at(24_000)
    assert whole_of(item, pcm(24)) == pcm(24)
    assert item.heard(48, 24_000) == pcm(24)
    assert item.played_ms(24_000) == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(-9, 400)), min_size=1, max_size=30),
    st.sampled_from([24_000, 48_000, 44_100]),
)
def test_a_device_never_has_more_than_it_is_to(steps: list[tuple[int, int]], rate: int) -> None:
    """Written, fed and heard in turn: whatever the order, all of it goes out, once."""
    item, source, out, most = item_at(rate), pcm(30_000), b"", 700
    written = heard = 0
    for frames, room in steps:
        item.write(source[2 * written : 2 * (written + frames)])
        written += frames
        out += item.feed(min(room, most - item.ahead_bytes))
        assert 0 <= item.ahead_bytes <= most
        part = item.heard((item.ahead_bytes // 4) * rate // 24_000, rate)
        assert part == source[heard : heard + len(part)]
        heard += len(part)
    while not item.fed_all:
        out += item.feed(most)
    out += item.close()
    assert heard + len(item.heard_all()) == 2 * written
    assert abs(len(out) // 2 - written * rate / 24_000) <= 2
    if rate == 24_000:
        assert out == source[: 2 * written]


def test_a_fade_ends_in_nothing() -> None:
    ring, track = Ring(24_000), Track(1)
    ring.tracks.append(track)
    assert ring.take_fade() == []
    track.write(array("h", [1_000] * 24_000).tobytes())
    assert ring.take_fade() == []  # nothing of it was heard yet
    ring.take(960)

    (piece,) = ring.take_fade()

    assert piece.kind == "fade"
    loudness = array("h", piece.pcm)
    assert len(loudness) == 120
    assert loudness[0] == 1_000 and 0 < loudness[-1] < 10
    assert list(loudness) == sorted(loudness, reverse=True)


def test_nothing_fades_to_nothing() -> None:
    assert faded(b"") == b""
