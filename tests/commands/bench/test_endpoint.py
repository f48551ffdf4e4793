from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.audio.turn_model import NO_TURN_MODEL
from realtime_nb.commands.bench import endpoint
from realtime_nb.commands.bench.endpoint import EndedTurn
from realtime_nb.commands.bench.endpoint_sources import SPEECH_VARIABLE
from realtime_nb.protocol.turns import SpeechSpan
from tests.commands.bench.endpoint_scene import PAUSE_MS, lay_out


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_RESAMPLED", 50)


def test_a_pause_cuts_off_what_waits_less_than_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path, monkeypatch)
    figures = endpoint.run()
    assert set(figures) == {"choosing", "reported", "acted"}
    for group in figures.values():
        assert isinstance(group, dict)
        assert (group["voices"], group["sentences"]) == (1, 1)
        rows = group["settings"]
        for ms in (200, 300, 500, 700, 1_000):
            row = rows[f"server_vad {ms} ms"]
            # Silence is rounded up to frames of 32 ms; the detector hears the voice's last a while.
            assert row["cut_off"] == (1.0 if ms < PAUSE_MS - 60 else 0.0)
            assert -60 < row["wait_p50_ms"] - math.ceil(ms / 32) * 32 < 132
        assert rows["semantic_vad low"]["cut_off"] <= rows["semantic_vad high"]["cut_off"]
    printed = capsys.readouterr().out
    assert "Not there: pocketsphinx-testdata" in printed
    assert "asterisk-core-sounds-en-wav 1.6.1-1," not in printed  # that one is
    assert "1 voice, 1 sentence with 1 pause of 200 ms or more" in printed
    assert "at a pause where the transcript has a mark" in printed
    assert printed.count("with no more cut-offs than server_vad 700 ms: ") == 1


def test_without_the_packages_it_says_how_to_get_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(SPEECH_VARIABLE, str(tmp_path))
    assert endpoint.run() == {}
    printed = capsys.readouterr().out
    assert "apt-get download flight-of-the-amazon-queen" in printed
    assert f'export {SPEECH_VARIABLE}="$PWD"' in printed


def test_without_onnxruntime_only_server_vad_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_out(tmp_path, monkeypatch)
    monkeypatch.setattr(endpoint, "turn_model", lambda: None)
    figures = endpoint.run()
    printed = capsys.readouterr().out
    assert NO_TURN_MODEL in printed
    assert "“complete”" not in printed
    reported = figures["reported"]
    assert isinstance(reported, dict)
    assert not any(name.startswith("semantic") for name in reported["settings"])


@pytest.mark.parametrize(
    ("ends_ms", "outcome"),
    [
        ((1_300,), (False, 300.0)),
        ((900,), (True, math.nan)),
        ((500, 900, 1_200), (True, 200.0)),
        ((), (False, math.nan)),
        ((1_000,), (False, 0.0)),
    ],
)
def test_an_end_before_the_sentence_is_a_cut_off_and_waiting_begins_behind_it(
    ends_ms: tuple[int, ...], outcome: tuple[bool, float]
) -> None:
    turns = [SpeechSpan(0, 0, end, end, cut=False) for end in ends_ms]
    turns.append(SpeechSpan(0, 0, 5_000, 5_000, cut=True))  # open when the audio is over
    found = endpoint._outcome(turns, 1_000.0)
    assert found.cut_off == outcome[0]
    assert found.wait_ms == pytest.approx(outcome[1], nan_ok=True)


def test_intervals_draw_voices_and_then_their_sentences() -> None:
    rng = np.random.default_rng(0)
    endpoint_draws = endpoint._draws(["a"] * 50 + ["b"] * 2, rng)
    assert len(endpoint_draws) == 50
    whole = {(int(np.sum(at < 50)), int(np.sum(at >= 50))) for at in endpoint_draws}
    assert whole <= {(100, 0), (50, 2), (0, 4)}  # a voice is drawn whole, and as often as it is
    assert len(whole) > 1
    told = [EndedTurn(cut_off=True, wait_ms=300.0)] * 50
    row = endpoint._row(
        [*told, EndedTurn(False, 500.0), EndedTurn(False, math.nan)], endpoint_draws
    )
    assert row.cut_off == pytest.approx(50 / 52)
    assert row.cut_off_interval == (0.0, 1.0)
    assert (row.wait_p50_ms, row.wait_interval_ms) == (300.0, (300.0, 500.0))


def test_the_goal_is_both_short_waits_and_few_cut_offs() -> None:
    def row(cut_off: float, wait_ms: float) -> endpoint.Row:
        return endpoint.Row(cut_off, (0, 1), wait_ms, (0, 1), wait_ms)

    rows = {
        "server_vad 700 ms": row(0.3, 750),
        "semantic_vad low": row(0.3, 350),
        "semantic_vad auto": row(0.31, 250),
        "semantic_vad high": row(0.1, 351),
    }
    assert endpoint._goal(rows) == {
        "semantic_vad low": True,
        "semantic_vad auto": False,
        "semantic_vad high": False,
    }


@pytest.mark.parametrize(
    ("waits_ms", "words"),
    [((300.0, 900.0), "semantic_vad high"), ((400.0, 900.0), "reached by no eagerness")],
)
def test_the_goal_is_told(
    waits_ms: tuple[float, float], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("semantic_vad high", "server_vad 700 ms")
    rows = {
        name: endpoint.Row(0.1, (0, 1), wait_ms, (0, 1), wait_ms)
        for name, wait_ms in zip(names, waits_ms, strict=True)
    }
    endpoint._print_goal(rows)
    assert capsys.readouterr().out.endswith(f": {words}\n")


def test_one_is_told_in_the_singular() -> None:
    assert [endpoint.counted(count, "voice") for count in (0, 1, 2_000)] == [
        "0 voices",
        "1 voice",
        "2,000 voices",
    ]
