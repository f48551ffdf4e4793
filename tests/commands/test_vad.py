from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from realtime_nb.commands import cli
from realtime_nb.commands.vad import speech_in_file
from realtime_nb.protocol.turns import TurnSettings
from tests.paths import DATA

CLUBS = str(DATA / "cards_001.wav")

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_quiet_speech_beside_a_loud_click() -> None:
    samples, rate = soundfile.read(CLUBS, dtype="float32")
    samples = np.concatenate([np.zeros(rate), 0.004 * samples, np.zeros(rate)])
    samples[100] = 0.9
    soundfile.write("x.wav", samples, rate)
    found = speech_in_file(Path("x.wav"), TurnSettings())
    assert found.audio.peak_dbfs == pytest.approx(-0.9, abs=0.1)
    assert "speech is very quiet" in " ".join(found.notes)


def test_vad_of_two_sides(capsys: Capture) -> None:
    """The user left, the agent right: what one says is not the other's."""
    user, rate = soundfile.read(CLUBS, dtype="float32")
    agent = np.zeros((3 * rate, 2), np.float32)
    agent[: len(user), 0] = user
    agent[2 * rate : 2 * rate + len(user) // 2, 1] = user[: len(user) // 2]
    soundfile.write("call.wav", agent, rate)

    found = {}
    for channel in (None, "left", "0", "right", "1", "mix"):
        options = [] if channel is None else ["--channel", channel]
        assert cli.main(["vad", "call.wav", "--json", *options]) == 0
        found[channel] = json.loads(capsys.readouterr().out)

    starts = {
        channel: [segment["start_ms"] // 1_000 for segment in result["segments"]]
        for channel, result in found.items()
    }
    assert starts == {None: [0], "left": [0], "0": [0], "right": [2], "1": [2], "mix": [0, 2]}
    assert {result["channels_differ"] for result in found.values()} == {True}
    assert [found[channel]["channel"] for channel in (None, "1", "mix")] == [0, 1, "mix"]
    assert found[None]["notes"] == [
        "Its 2 channels differ: channel 0 (left) was taken (channel: left, right or mix)."
    ]
    assert cli.main(["vad", "call.wav"]) == 0
    assert "channel 0 (left) was taken" in capsys.readouterr().out


def test_vad_of_damaged_files_is_a_result_or_one_line(capsys: Capture) -> None:
    samples, rate = soundfile.read(CLUBS, dtype="int16")
    soundfile.write("whole.wav", samples[: rate // 5], rate)
    whole = Path("whole.wav").read_bytes()
    random = np.random.default_rng(4)
    for i in range(60):
        content = bytearray(whole[: random.integers(1, len(whole)) if i % 2 else len(whole)])
        for bit in random.integers(0, 8 * min(64, len(content)), random.integers(0, 6)):
            content[bit // 8] ^= 1 << bit % 8
        Path("x.wav").write_bytes(content)
        code = cli.main(["vad", "x.wav", "--engine", "energy", "--json"])
        printed = capsys.readouterr()
        if code == 0:
            assert json.loads(printed.out)["duration_ms"] >= 0
        else:
            assert code == 2
            assert re.fullmatch(r"realtime-nb: .+\n", printed.err)


@pytest.mark.parametrize(
    ("gain", "subtype", "share", "words", "keys"),
    [
        (1.0, "PCM_16", 1.0, "", {"clipped_samples": 0, "cut_off": False, "missing_ms": 0}),
        (0.005, "PCM_16", 1.0, "very quiet", {"clipped_samples": 0}),
        (30.0, "PCM_16", 1.0, "clipped", {"peak_dbfs": 0.0}),
        (30.0, "ULAW", 1.0, "clipped", {"peak_dbfs": -0.2}),
        (1.0, "PCM_16", 0.75, "is cut off: by its header it lasts 2.10 s", {"cut_off": True}),
    ],
)
def test_vad_says_what_ails_the_file(
    capsys: Capture,
    gain: float,
    subtype: str,
    share: float,
    words: str,
    keys: dict[str, object],
) -> None:
    samples, rate = soundfile.read(CLUBS, dtype="float32")
    samples = np.clip(gain * np.concatenate([samples, np.zeros(rate, np.float32)]), -1, 1)
    soundfile.write("x.wav", samples, rate, subtype=subtype)
    content = Path("x.wav").read_bytes()
    Path("x.wav").write_bytes(content[: round(share * len(content))])

    assert cli.main(["vad", "x.wav", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert cli.main(["vad", "x.wav"]) == 0
    printed = capsys.readouterr().out

    assert keys.items() <= found.items()
    assert len(found["segments"]) == 1
    if words:
        assert words in " ".join(found["notes"]) and words in printed
    else:
        assert found["notes"] == []
    if keys.get("cut_off"):
        whole_ms = 1000 * len(samples) / rate
        assert found["duration_ms"] + found["missing_ms"] == pytest.approx(whole_ms, abs=2)


@pytest.mark.parametrize(
    ("ending", "begins"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")],
)
def test_vad_draws_a_picture(capsys: Capture, ending: str, begins: bytes) -> None:
    assert cli.main(["vad", CLUBS, "--plot", f"out.{ending}"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"out.{ending}"
    assert Path(f"out.{ending}").read_bytes().startswith(begins)


def test_vad_tells_other_programs_where_the_picture_is(capsys: Capture) -> None:
    assert cli.main(["vad", CLUBS, "--json", "--plot", "out.svg"]) == 0
    assert json.loads(capsys.readouterr().out)["plot"] == "out.svg"
    svg = Path("out.svg").read_text()
    assert "1 turn at threshold 0.5, silence 500 ms, padding 300 ms." in svg
    assert "cards_001.wav" in svg


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("out.gif", "--plot out.gif ends in '.gif'; give a path that ends in .png, .svg or .pdf."),
        ("out", "--plot out has no ending; give a path that ends in .png, .svg or .pdf."),
        ("none/out.png", "there is no folder none. Give --plot another path."),
        ("folder.png", "it is a folder. Give --plot another path."),
        pytest.param(
            *("/proc/out.png", "The picture /proc/out.png can't be written: "),
            marks=pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc"),
        ),
    ],
)
def test_vad_says_why_a_picture_can_not_be_written(capsys: Capture, path: str, words: str) -> None:
    Path("folder.png").mkdir()
    assert cli.main(["vad", CLUBS, "--plot", path]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--threshold", "1.5", "threshold is 1.5; give a number from 0 to 1"),
        ("--threshold", "nan", "threshold is nan; give a number from 0 to 1"),
        ("--silence-ms", "-1", "silence_duration_ms is -1; give milliseconds from 0 to 60000"),
        ("--prefix-ms", "9999999", "prefix_padding_ms is 9999999; give milliseconds from 0 to"),
    ],
)
def test_vad_says_what_a_setting_may_be(
    capsys: Capture, option: str, value: str, words: str
) -> None:
    assert cli.main(["vad", CLUBS, option, value, "--plot", "out.png"]) == 2
    assert words in capsys.readouterr().err
    assert not Path("out.png").exists()
