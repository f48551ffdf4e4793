from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio import long_sound
from realtime_nb.audio.long_sound import LongSound, PcmFileSound, blocks, joined, part_of, spooled
from realtime_nb.audio.pcm import Samples, pcm_from_samples, samples_from_pcm

SOUND = np.random.default_rng(0).uniform(-1, 1, 5_000).astype(np.float32)
PCM = pcm_from_samples(SOUND)


@pytest.fixture(scope="module")
def in_file(tmp_path_factory: pytest.TempPathFactory) -> PcmFileSound:
    path = tmp_path_factory.mktemp("sound") / "sound"
    path.write_bytes(b"head" + PCM + b"tail")
    return PcmFileSound(path, 4, len(SOUND))


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> LongSound:
    monkeypatch.setattr(long_sound, "_HELD", 1_000)
    return spooled(SOUND[start : start + 700] for start in range(0, 5_000, 700))


slices = st.builds(
    slice, st.none() | st.integers(-6_000, 6_000), st.none() | st.integers(-6_000, 6_000)
)


@given(part=slices)
def test_a_stretch_of_a_file_is_that_of_an_array(in_file: PcmFileSound, part: slice) -> None:
    assert np.array_equal(in_file[part], samples_from_pcm(PCM)[part])


def test_what_is_long_is_read_from_disk(on_disk: LongSound) -> None:
    assert not isinstance(on_disk, np.ndarray)
    assert len(on_disk) == 5_000
    for part in (slice(None), slice(10, 20), slice(690, 710), slice(-5, None), slice(30, 20)):
        assert np.array_equal(on_disk[part], SOUND[part])
    short = spooled([SOUND[:400], SOUND[400:900]])
    assert isinstance(short, np.ndarray) and np.array_equal(short, SOUND[:900])
    assert len(spooled([])) == 0


def test_several_threads_read_at_once(on_disk: LongSound) -> None:
    wrong: list[int] = []

    def read(seed: int) -> None:
        rng = np.random.default_rng(seed)
        wrong.extend(
            start
            for start in rng.integers(0, 4_900, 300).tolist()
            if not np.array_equal(on_disk[start : start + 100], SOUND[start : start + 100])
        )

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize("size", [1, 700, 5_000, 9_000])
def test_blocks_are_all_of_it(in_file: PcmFileSound, size: int) -> None:
    found: list[Samples] = list(blocks(in_file, size))
    assert {len(block) for block in found[:-1]} <= {size}
    assert np.array_equal(np.concatenate(found), samples_from_pcm(PCM))


def test_a_file_that_is_shorter_by_now(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(PCM[:2_001])
    assert len(PcmFileSound(path, 0, 5_000)[900:1_200]) == 100


@given(first=st.integers(0, 5_200), last=st.integers(0, 5_200), part=slices)
def test_a_part_of_a_file_is_that_of_an_array(
    in_file: PcmFileSound, first: int, last: int, part: slice
) -> None:
    of_file, of_array = part_of(in_file, first, last), samples_from_pcm(PCM)[first:last]
    assert len(of_file) == len(of_array)
    assert np.array_equal(of_file[part], of_array[part])


@given(
    cuts=st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 5_000)), max_size=5), part=slices
)
def test_joined_sounds_are_as_arrays_joined(
    in_file: PcmFileSound, cuts: list[tuple[int, int]], part: slice
) -> None:
    whole = samples_from_pcm(PCM)
    sound = joined([part_of(in_file, *cut) for cut in cuts])
    array = np.concatenate([np.zeros(0, np.float32), *(whole[a:b] for a, b in cuts)])
    assert len(sound) == len(array)
    assert np.array_equal(sound[part], array[part])
