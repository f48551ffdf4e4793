from __future__ import annotations

import re
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.errors import AudioError, ConfigurationError, MissingExtraError
from realtime_nb.local import stt as stt_module
from realtime_nb.local.stt import MoonshineSTT, WhisperSTT, load_stt
from tests.paths import DATA

WORDS = {
    "austen_0870.wav": "and mister john dashwood had then leisure to consider how much there might "
    "be prudently in his power to do for them",
    "austen_0880.wav": "he was not an ill disposed young man",
    "austen_0890.wav": "unless to be rather cold hearted and rather selfish is to be ill disposed",
    "austen_0920.wav": "had he married a more amiable woman he might have been made still more "
    "respectable than he was",
    "austen_0930.wav": "he might even have been made amiable himself",
    "cards_001.wav": "ten of clubs",
    "cards_002.wav": "four queen of clubs",
    "cards_003.wav": "seven of clubs",
    "cards_005.wav": "eight of spades four of clubs seven of hearts",
    "goforward.raw": "go forward ten meters",
}


SPELLED = {"mr": "mister", "4": "four", "7": "seven", "8": "eight", "10": "ten"}


def words_of(text: str) -> list[str]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return [SPELLED.get(word, word) for word in words]


def word_errors(expected: list[str], actual: list[str]) -> int:
    """Smallest number of words to insert, delete or replace (Levenshtein, 1966)."""
    row = list(range(len(actual) + 1))
    for i, word in enumerate(expected, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(actual, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (word != other))
    return row[-1]


def word_error_rate(texts: list[tuple[str, str]]) -> float:
    """Word error rate of (expected, actual) texts taken together."""
    pairs = [(words_of(expected), words_of(actual)) for expected, actual in texts]
    return sum(word_errors(*pair) for pair in pairs) / sum(len(expected) for expected, _ in pairs)


def clip(name: str, sample_rate: int = 16_000) -> bytes:
    return pcm_from_samples(load_audio(DATA / name, sample_rate, raw_sample_rate=16_000))


@pytest.fixture(scope="module")
def stt() -> MoonshineSTT:
    engine = MoonshineSTT()
    engine.warm_up()
    return engine


def test_word_errors_are_counted() -> None:
    assert word_errors(["a", "b", "c"], ["a", "b", "c"]) == 0
    assert word_errors(["a", "b", "c"], ["x", "b"]) == 2
    assert word_errors(["a", "b"], ["a", "x", "b", "y"]) == 2
    assert word_error_rate([("Mr. One two-four", "mister one, to 4"), ("five", "")]) == 2 / 5


@pytest.mark.parametrize("sample_rate", [16_000, 24_000])
def test_recorded_speech_is_understood(stt: MoonshineSTT, sample_rate: int) -> None:
    heard = [
        (text, stt.transcribe(clip(name, sample_rate), sample_rate)) for name, text in WORDS.items()
    ]

    assert word_error_rate(heard) <= 0.10, heard


def test_telephone_speech_is_understood(stt: MoonshineSTT) -> None:
    heard = [(text, stt.transcribe(clip(name, 8_000), 8_000)) for name, text in WORDS.items()]

    assert word_error_rate(heard) <= 0.15, heard


def test_threads_get_the_same_words(stt: MoonshineSTT) -> None:
    names = ["cards_001.wav", "cards_003.wav", "goforward.raw", "cards_005.wav"] * 2
    alone = [stt.transcribe(clip(name), 16_000) for name in names]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda name: stt.transcribe(clip(name), 16_000), names))

    assert alone == together
    assert len(set(alone)) == 4


def test_engines_share_one_model(stt: MoonshineSTT) -> None:
    with ThreadPoolExecutor(4) as pool:
        engines = list(pool.map(lambda _: load_stt(), range(4)))

    assert {id(engine._model) for engine in engines} == {id(stt._model)}
    assert {engine.name for engine in engines} == {"moonshine-tiny-en"}


def test_the_package_with_the_weights_is_not_imported(stt: MoonshineSTT) -> None:
    assert "moonshine_voice" not in sys.modules


@pytest.mark.parametrize("samples", [0, 1, 1_599, 16_000])
@pytest.mark.parametrize("sample_rate", [16_000, 24_000])
def test_silence_and_scraps_have_no_words(
    stt: MoonshineSTT, samples: int, sample_rate: int
) -> None:
    assert stt.transcribe(bytes(2 * samples), sample_rate) == ""


def test_a_faint_hiss_has_no_words(stt: MoonshineSTT) -> None:
    hiss = np.random.default_rng(1).normal(0, 1e-4, 16_000)

    assert stt.transcribe(pcm_from_samples(hiss), 16_000) == ""


def test_quiet_speech_has_words(stt: MoonshineSTT) -> None:
    quiet = samples_from_pcm(clip("cards_003.wav")) * 10 ** (-30 / 20)

    assert words_of(stt.transcribe(pcm_from_samples(quiet), 16_000)) == ["seven", "of", "clubs"]


def test_long_speech_is_understood_to_its_end(stt: MoonshineSTT) -> None:
    names = [name for name in WORDS if name.startswith("austen")] * 2
    pause = bytes(2 * 8_000)
    heard = stt.transcribe(pause.join(clip(name) for name in names), 16_000)

    assert word_error_rate([(" ".join(WORDS[name] for name in names), heard)]) <= 0.10, heard


@given(st.lists(st.floats(0, 1, width=32), min_size=1, max_size=80), st.integers(0, 16_000))
def test_pieces_lose_nothing_and_are_short(levels: list[float], extra: int) -> None:
    samples = np.concatenate(
        [np.repeat(np.array(levels, np.float32), 16_000), np.zeros(extra, np.float32)]
    )
    pieces = stt_module._pieces(samples)

    assert np.array_equal(np.concatenate(pieces), samples)
    assert max(map(len, pieces)) <= 30 * 16_000
    assert all(len(piece) >= 20 * 16_000 for piece in pieces[:-1])


def test_a_long_piece_is_cut_in_its_pause() -> None:
    samples = np.ones(40 * 16_000, np.float32)
    samples[25 * 16_000 : 26 * 16_000] = 0

    first, _ = stt_module._pieces(samples)

    assert 25 * 16_000 <= len(first) <= 26 * 16_000


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ([], []),
        ([1, 2, 3], [1, 2, 3]),
        ([7, 8, 8, 8, 8], [7, 8, 8, 8, 8]),
        ([7] + [8] * 16, [7, 8]),
        ([7] + [1, 2, 3, 4] * 4, [7, 1, 2, 3, 4]),
        ([7] + [1, 2, 3, 4] * 4 + [1, 2], [7, 1, 2, 3, 4]),
        ([1, 2, 3, 4] * 3, [1, 2, 3, 4] * 3),
    ],
)
def test_repetition_loops_are_cut(tokens: list[int], kept: list[int]) -> None:
    assert stt_module._without_loop(tokens) == kept


def test_the_vocabulary_is_read_whole(stt: MoonshineSTT) -> None:
    vocabulary = stt._model._vocabulary

    assert len(vocabulary) == 32_768
    assert vocabulary[:3] == [b"<unk>", b"<s>", b"</s>"]
    assert vocabulary[-1] == b"<<ST_767>>"


def test_half_a_sample_is_refused(stt: MoonshineSTT) -> None:
    with pytest.raises(AudioError):
        stt.transcribe(bytes(16_001), 16_000)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'moonshine' or 'whisper'"):
        load_stt("parrot")


def test_a_missing_engine_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stt_module, "_moonshine", stt_module._moonshine.__wrapped__)
    monkeypatch.setattr(stt_module, "_whisper", stt_module._whisper.__wrapped__)
    monkeypatch.setattr(stt_module, "find_spec", lambda _: None)
    monkeypatch.setitem(sys.modules, "faster_whisper", None)

    with pytest.raises(MissingExtraError, match=r"moonshine-voice.*realtime_nb\[local\]"):
        load_stt()
    with pytest.raises(MissingExtraError, match=r"faster-whisper.*realtime_nb\[whisper\]"):
        load_stt("whisper")


def test_a_missing_onnxruntime_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stt_module, "_moonshine", stt_module._moonshine.__wrapped__)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    with pytest.raises(MissingExtraError, match=r"onnxruntime.*realtime_nb\[local\]"):
        MoonshineSTT()


def test_whisper_stands_in_for_a_missing_moonshine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stt_module, "_moonshine", stt_module._moonshine.__wrapped__)
    monkeypatch.setattr(stt_module, "find_spec", lambda _: None)
    monkeypatch.setattr(stt_module, "_whisper", object)

    assert load_stt().name == "whisper-tiny.en"


@pytest.mark.skipif(find_spec("faster_whisper") is None, reason="needs realtime_nb[whisper]")
def test_whisper_understands_recorded_speech() -> None:
    whisper = WhisperSTT()
    whisper.warm_up()
    heard = [(text, whisper.transcribe(clip(name), 16_000)) for name, text in WORDS.items()]

    assert word_error_rate(heard) <= 0.10, heard
    assert whisper.transcribe(bytes(32_000), 16_000) == ""
