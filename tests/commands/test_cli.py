from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import typer

import realtime_nb as rt
from realtime_nb.commands import bench, cli
from realtime_nb.commands.appointments import AppointmentBook
from realtime_nb.commands.bench import inspector
from realtime_nb.commands.bench.inspector import InspectorFigures
from realtime_nb.commands.doctor import Check, DoctorReport
from tests.commands.command_line import Capture, elsewhere, refused
from tests.paths import DATA

__all__ = ["elsewhere"]  # a fixture

CLUBS = str(DATA / "cards_001.wav")
COMMANDS = typer.main.get_command(cli.app).commands  # type: ignore[attr-defined]
"""Each command of the parser, by name."""


# --- help and start-up ----------------------------------------------------------------------------


def test_help_is_light_and_quick() -> None:
    """No command's imports are paid for by the others."""
    code = (
        "import sys\nfrom realtime_nb.commands import cli\ncli.main(['--help'])\n"
        "heavy = {'numpy', 'pandas', 'websockets', 'onnxruntime', 'matplotlib', 'pydantic'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert all(command in done.stdout for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: Capture) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"realtime-nb {command}" in capsys.readouterr().out


def test_nothing_at_all_is_help(capsys: Capture) -> None:
    assert cli.main([]) == 0
    assert "Usage:" in capsys.readouterr().out


def test_version(capsys: Capture) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"realtime-nb {rt.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("tolk",), "Did you mean 'talk'?"),
        (("talk", CLUBS, "--sped", "2"), "--speed"),
        (("vad", CLUBS, "--treshold", "0.4"), "--threshold"),
        (("vad", CLUBS, CLUBS), "unexpected extra argument"),
        (("talk",), "AUDIO"),
        (("vad",), "AUDIO"),
        (("talk", CLUBS, "--speed", "fast"), "--speed"),
    ],
)
def test_what_is_mistyped(capsys: Capture, arguments: tuple[str, ...], hint: str) -> None:
    code, line = refused(capsys, *arguments)
    assert code == 2
    assert hint in line


def _parameters(kind: str) -> list[Any]:
    return [
        pytest.param(name, one, id=f"{name} {one.opts[0]}")
        for name, command in COMMANDS.items()
        for one in command.params
        if one.param_type_name == kind
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_what_no_command_knows(capsys: Capture, command: str) -> None:
    needed = [CLUBS for one in COMMANDS[command].params if one.required]
    assert refused(capsys, command, *needed, "--no-such-option")[0] == 2
    if not any(one.nargs == -1 for one in COMMANDS[command].params):
        assert refused(capsys, command, *needed, "one", "too", "many")[0] == 2


@pytest.mark.parametrize(("command", "argument"), _parameters("argument"))
@pytest.mark.parametrize("given", ["missing.wav", "no/such/folder", "", "\N{SNOWMAN}.wav"])
def test_what_is_not_there(capsys: Capture, command: str, argument: Any, given: str) -> None:
    assert refused(capsys, command, given)[0] == 2
    if argument.nargs == -1 and argument.required:
        assert refused(capsys, command, CLUBS, given)[0] == 2


TEXTS = ("--api-key", "--model", "--instructions", "--voice", "--token", "--llm-url", "--llm-model")
"""Options that take any text: who gets it says what is wrong with it."""
FOLDERS = ("--out", "--db")


@pytest.mark.parametrize(("command", "option"), _parameters("option"))
def test_values_that_cant_be(capsys: Capture, command: str, option: Any) -> None:
    name = option.opts[0]
    needed = [CLUBS for one in COMMANDS[command].params if one.required]
    if option.is_flag:
        assert refused(capsys, command, *needed, f"{name}=wrong")[0] == 2
        return
    assert refused(capsys, command, *needed, name)[0] == 2  # no value at all
    if name not in (*TEXTS, *FOLDERS):
        assert refused(capsys, command, *needed, name, "wrong")[0] == 2


@pytest.mark.parametrize("out", ["folder", "no/such/folder/page.html"])
def test_a_report_that_has_no_place_is_not_made(capsys: Capture, out: str) -> None:
    Path("folder").mkdir()
    code, line = refused(capsys, "report", CLUBS, "--out", out)
    assert code == 2
    assert "folder" in line


# --- audio ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["talk", "vad"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.wav", None, "does not exist"),
        ("empty.wav", b"", "is empty"),
        ("empty.raw", b"", "is empty"),
        ("notes.wav", b"buy milk", "is not audio"),
        ("header.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ", "is not audio"),
        (".", None, "is a directory"),
    ],
)
def test_files_that_are_no_audio(
    capsys: Capture, command: str, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    code, line = refused(capsys, command, name)
    assert code == 2
    assert words in line


def test_the_last_of_several_files_is_looked_at_first(capsys: Capture) -> None:
    assert refused(capsys, "talk", CLUBS, "missing.wav", "--tools", "appointments")[0] == 2


@pytest.mark.parametrize(
    ("name", "sample_rate", "channels"),
    [("a.wav", 8_000, 1), ("b.wav", 48_000, 2), ("c.flac", 44_100, 2), ("d.wav", 22_050, 1)],
)
def test_other_rates_channels_and_formats(
    capsys: Capture, name: str, sample_rate: int, channels: int
) -> None:
    import soxr

    samples, rate = soundfile.read(CLUBS)
    resampled = soxr.resample(samples, rate, sample_rate)
    soundfile.write(name, np.column_stack([resampled] * channels), sample_rate)

    assert cli.main(["vad", name, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["duration_ms"] == pytest.approx(1_095, abs=2)
    assert [found["segments"][0][key] for key in ("start_ms", "end_ms")] == [
        pytest.approx(224, abs=64),
        pytest.approx(992, abs=64),  # as the whole clip sounds until 1.0 s
    ]


# --- vad ------------------------------------------------------------------------------------------


def test_vad_tells_where_speech_is(capsys: Capture) -> None:
    assert cli.main(["vad", str(DATA / "cards_003.wav"), "--json", "--prefix-ms", "100"]) == 0
    printed = capsys.readouterr()
    assert printed.out.count("\n") == 1 and printed.err == ""
    (segment,) = json.loads(printed.out)["segments"]
    assert set(segment) == {"start_ms", "end_ms", "audio_start_ms", "audio_end_ms", "cut"}
    assert segment["audio_start_ms"] == segment["start_ms"] - 100


def test_vad_settings_and_headerless_audio(capsys: Capture) -> None:
    samples, rate = soundfile.read(DATA / "cards_005.wav", dtype="int16")
    Path("cards.raw").write_bytes(samples.tobytes())
    found = []
    for options in (["--silence-ms", "32"], ["--threshold", "0.9"], ["--engine", "energy"]):
        assert cli.main(["vad", "cards.raw", "--raw-rate", str(rate), "--json", *options]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert {result["duration_ms"] for result in found} == {round(1000 * len(samples) / rate)}
    assert len(found[0]["segments"]) == 2
    assert len({json.dumps(result) for result in found}) == 3


def test_vad_for_people(capsys: Capture) -> None:
    assert cli.main(["vad", CLUBS]) == 0
    header, row, timeline, peak, note = capsys.readouterr().out.splitlines()
    assert header.split() == ["start", "end", "audio", "start", "audio", "end", "ms"]
    assert row.split() == ["224", "992", "0", "1088", "cut"]
    assert re.fullmatch(r"0 ·+█+·+ 1.1 s", timeline)
    assert re.fullmatch(r"peak -\d+\.\d dBFS, 0 samples clipped", peak)
    assert "file ends before" in note


def test_vad_of_silence(capsys: Capture) -> None:
    soundfile.write("silence.wav", np.zeros(48_000), 48_000)
    assert cli.main(["vad", "silence.wav"]) == 0
    _, timeline, peak, note = capsys.readouterr().out.splitlines()
    assert set(timeline) == set("0 ·1.s")
    assert peak == "peak -inf dBFS, 0 samples clipped"
    assert "digital silence" in note


# --- report ---------------------------------------------------------------------------------------


def test_a_report_of_headerless_audio(capsys: Capture) -> None:
    samples, rate = soundfile.read(CLUBS, dtype="int16")
    Path("call.raw").write_bytes(samples.tobytes())
    assert cli.main(["report", "call.raw", "--raw-rate", str(rate), "--out", "page.html"]) == 0
    assert capsys.readouterr().out.strip() == "page.html"
    assert "1.1 s" in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *((".", None), ("nothing.wav", None), ("x.wav", b""), ("x.wav", b"a text of words" * 9)),
        *(("x.pcm", b"a text of words" * 9), ("x.txt", b"a text of words" * 9), ("x.wav", b"\0")),
        ("x.raw", b"\0"),
    ],
)
def test_a_report_of_what_is_no_recording(
    capsys: Capture, name: str, content: bytes | None
) -> None:
    if content is not None:
        Path(name).write_bytes(content)
    assert refused(capsys, "report", name)[0] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--threshold", "1.5"), "threshold is 1.5"),
        (("--threshold", "nan"), "threshold is nan"),
        (("--silence-ms", "-1"), "silence_duration_ms is -1"),
        (("--prefix-ms", "-1"), "prefix_padding_ms is -1"),
        (("--engine", "ears"), "Unknown engine 'ears'; choose from silero, "),
        (("--raw-rate", "0"), "--raw-rate"),
    ],
)
def test_vad_settings_that_cant_be(capsys: Capture, options: tuple[str, ...], words: str) -> None:
    code, line = refused(capsys, "vad", CLUBS, *options)
    assert code == 2
    assert words in line


# --- talk -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--endpoint", "openai"), "OPENAI_API_KEY"),
        (("--endpoint", "closedai"), "Unknown endpoint"),
        (("--endpoint", "http://127.0.0.1/v1"), "not a Realtime URL"),
        (("--endpoint", "ws://127.0.0.1:1/v1/realtime", "--speed", "2"), "local server only"),
        (("--speed", "0"), "speed is 0"),
        (("--speed", "-1"), "speed is -1"),
        (("--tools", "nonsense"), "'nonsense'"),
        (("--tools", "appointments", "--db", "."), "appointment book"),
        (("--threshold", "3"), "threshold"),
        (("--vad", "telepathy"), "'telepathy'"),
        (("--vad", "none", "--threshold", "0.4"), "--vad server"),
        (("--vad", "semantic", "--silence-ms", "300"), "--vad server"),
        (("--barge-in", "-1"), "barge-in"),
        (("--out", CLUBS), "is a file"),
    ],
)
def test_talk_settings_that_cant_be(capsys: Capture, options: tuple[str, ...], words: str) -> None:
    code, line = refused(capsys, "talk", CLUBS, *options)
    assert code == 2
    assert words in line


def test_an_endpoint_where_nobody_listens(capsys: Capture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    code, line = refused(capsys, "talk", CLUBS, "--endpoint", f"ws://127.0.0.1:{port}/v1/realtime")
    assert code == 1
    assert f"Can't connect to ws://127.0.0.1:{port}/v1/realtime" in line


def test_talk_books_and_prints(capsys: Capture) -> None:
    from realtime_nb.audio.pcm import samples_from_pcm
    from realtime_nb.local.tts import load_tts

    words = "What times are free next Tuesday?"
    soundfile.write("ask.wav", samples_from_pcm(load_tts().speak(words)), 24_000)

    arguments = ["talk", "ask.wav", "--tools", "appointments", "--out", "kept", "--speed", "4"]
    assert cli.main([*arguments, "--json"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()

    assert [line.split()[1] for line in lines] == ["user", "tool", "agent"]
    assert re.search(r" check_appointment_availability\(\w+=.*\) → \w+: ", lines[1])
    result = json.loads(last)
    latency = {"latency_ms", "latency_average"}
    assert set(result) == {"recording", "turns", "errors", "usage", "notes"} | latency
    (turn,) = result["turns"]
    assert [call["name"] for call in turn["calls"]] == ["check_appointment_availability"]
    assert turn["latency_ms"] is None and "speed" in turn["latency_note"]
    assert rt.load(result["recording"]).complete
    assert AppointmentBook(Path("kept") / "appointments.sqlite").bookings() == []


def test_a_latency_that_is_not_known_has_its_reason(capsys: Capture) -> None:
    assert cli.main(["talk", CLUBS, "--speed", "4"]) == 0
    *_, why, recorded = capsys.readouterr().out.splitlines()
    assert why.startswith("      no latency: ")
    assert "speed" in why
    (recording,) = Path("recordings").iterdir()
    assert recorded == f"      recorded in {recording.absolute()}"


def test_talk_that_is_not_heard_fails(capsys: Capture) -> None:
    soundfile.write("silence.wav", np.zeros(4_800), 24_000)
    assert cli.main(["talk", "silence.wav", "--speed", "4", "--json"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "realtime-nb: No speech was heard in silence.wav.\n"
    assert json.loads(printed.out)["turns"] == []


def test_push_to_talk_and_detection_settings(capsys: Capture) -> None:
    for options, expected in (
        (["--vad", "none"], None),
        (["--vad", "semantic"], {"type": "semantic_vad"}),
        (["--threshold", "0.6"], {"type": "server_vad", "threshold": 0.6}),
        (["--silence-ms", "300"], {"silence_duration_ms": 300}),
        (["--prefix-ms", "50"], {"prefix_padding_ms": 50}),
    ):
        assert cli.main(["talk", CLUBS, "--speed", "8", "--json", *options]) == 0
        result = json.loads(capsys.readouterr().out.splitlines()[-1])
        detection = rt.load(result["recording"]).conversation.turn_detection
        assert (expected is None) == (detection is None)
        assert (expected or {}).items() <= (detection or {}).items()
        assert "clubs" in result["turns"][0]["user"]


# --- doctor, lab, bench ---------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("missing", 1)])
def test_doctor(capsys: Capture, monkeypatch: pytest.MonkeyPatch, status: str, code: int) -> None:
    report = DoctorReport((Check("voice", status, "hibari"),))  # type: ignore[arg-type]
    monkeypatch.setattr("realtime_nb.commands.doctor.doctor", lambda: report)

    assert cli.main(["doctor"]) == code
    assert "voice" in capsys.readouterr().out
    assert cli.main(["doctor", "--json"]) == code
    assert json.loads(capsys.readouterr().out) == report.to_dict()


def test_lab_passes_on_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, object]] = []

    def open_lab(**options: object) -> int:
        told.append(options)
        return 7

    monkeypatch.setattr("realtime_nb.commands.lab.open_lab", open_lab)
    assert cli.main(["lab", "--no-browser", "--port", "8899"]) == 7
    assert told == [{"browser": False, "port": 8899}]


def test_lab_without_jupyterlab(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.commands.lab.find_spec", lambda name: None)
    code, line = refused(capsys, "lab")
    assert code == 1
    assert "pip install 'realtime_nb[lab]'" in line


def test_bench(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def run() -> dict[str, float]:
        print("a table")
        return {"p50_ms": 1.5}

    for name in cli.BENCHMARKS:
        monkeypatch.setattr(f"realtime_nb.commands.bench.{name}.run", run)

    assert cli.main(["bench", "vad"]) == 0
    assert capsys.readouterr().out == "a table\n"
    assert cli.main(["bench", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures == {name: {"p50_ms": 1.5} for name in cli.BENCHMARKS}


def test_figures_with_names_are_json_too(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = InspectorFigures(*[1] * len(fields(InspectorFigures)))
    monkeypatch.setattr(inspector, "run", lambda: figures)
    assert cli.main(["bench", "inspector", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"inspector": asdict(figures)}


def test_every_benchmark_has_its_name() -> None:
    files = Path(bench.__path__[0]).glob("*.py")
    modules = {path.stem for path in files if "\ndef run(" in path.read_text("utf-8")}
    assert modules == set(cli.BENCHMARKS)


def test_an_unknown_benchmark(capsys: Capture) -> None:
    code, line = refused(capsys, "bench", "vad", "speed")
    assert code == 2
    assert "'speed'" in line


# --- whatever happens -----------------------------------------------------------------------------


def test_ctrl_c(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("realtime_nb.commands.doctor.doctor", interrupt)
    assert refused(capsys, "doctor") == (130, "realtime-nb: interrupted.\n")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_ctrl_c_in_a_conversation() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime_nb", "talk", CLUBS, CLUBS, CLUBS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # What a shell runs in the background ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    with process:
        try:
            assert "clubs" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            assert (process.returncode, err) == (130, "realtime-nb: interrupted.\n")
            assert "recorded in" not in out
        finally:
            process.kill()
    (recording,) = Path("recordings").iterdir()
    assert not rt.load(recording).complete


@pytest.mark.skipif(os.name != "posix", reason="needs a shell's pipe")
def test_a_reader_that_has_gone() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime_nb", "vad", CLUBS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process, process.stderr:
        assert process.stderr.read() == ""
    assert process.returncode == 1
