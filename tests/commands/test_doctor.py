from __future__ import annotations

import io
import json
import sys
import types
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from rich.console import Console

import realtime_nb as rt
from realtime_nb.commands import doctor as module
from realtime_nb.commands.doctor import Check, DoctorReport
from realtime_nb.errors import MissingExtraError
from tests.local.llama_here import needs_llama

NEEDED = ["python", "disk", "speech detection", "text to speech", "speech to text"]
NEEDED += ["loopback", "local server"]


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    return rt.doctor()


def _named(report: DoctorReport, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


def test_the_local_conversation_works_here(report: DoctorReport) -> None:
    assert report.works
    assert [check.name for check in report.checks if check.needed] == NEEDED
    assert {check.status for check in report.checks if check.needed} == {"ok"}
    assert "answered “Hello!”" in _named(report, "local server").words
    assert "--strict-ga" in _named(report, "beta interface").words
    assert all(check.words for check in report.checks)


def test_the_report_as_json(report: DoctorReport) -> None:
    content = json.loads(json.dumps(report.to_dict()))
    assert content["works"] is True
    assert set(content["checks"][0]) == {"name", "status", "words", "remedy", "needed"}


@pytest.mark.parametrize(
    ("today", "status", "words"),
    [
        (date(2026, 1, 1), "ok", "2027-02-26"),
        (date(2026, 11, 29), "warning", "in 89 days"),
        (date(2027, 2, 25), "warning", "tomorrow"),
        (date(2027, 2, 26), "missing", "shut gpt-4o-mini-transcribe"),
        (date(2028, 1, 1), "missing", "2027-02-26"),
    ],
)
def test_the_end_of_the_default_transcriber_is_told_in_time(
    today: date, status: str, words: str
) -> None:
    check = module._transcriber(today)
    assert (check.status, check.needed) == (status, False)
    assert words in check.words
    assert ("gpt-transcribe" in check.remedy) == (status != "ok")
    assert rt.Endpoint("ws://a").transcription_model == module._TRANSCRIBER


async def test_it_runs_where_a_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook."""
    monkeypatch.setattr(module, "_conversation", _refused)
    assert _named(rt.doctor(), "local server").words == "started by a thread of its own"


async def _refused() -> tuple[str, str, str]:
    return "missing", "started by a thread of its own", ""


def test_keys_are_told_of_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.delenv("AZURE_OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(module, "_checks", lambda: [module._key(*key) for key in module._KEYS])

    report = rt.doctor()

    assert [check.status for check in report.checks] == ["ok", "missing"]
    shown = f"{report!r}{report._repr_html_()}{json.dumps(report.to_dict())}"
    assert "secret" not in shown
    assert report.works  # a key is not needed


def test_what_fails_is_a_finding_with_a_remedy() -> None:
    def absent() -> module._Found:
        raise MissingExtraError("hibari-tts", "local")

    def broken() -> module._Found:
        raise ValueError("two\nlines")

    checks = (
        module._tried("voice", absent, "pip install it"),
        module._tried("other", broken, needed=False),
    )
    report = DoctorReport(checks)

    assert not report.works
    assert [check.status for check in checks] == ["missing", "missing"]
    assert "hibari-tts is not installed" in checks[0].text
    assert checks[0].text.endswith("→ pip install it")
    assert checks[1].text == "ValueError('two\\nlines') (optional)"
    assert "does not work here: voice." in repr(report)
    assert DoctorReport(checks[1:]).works


def test_it_shows_itself_everywhere() -> None:
    report = DoctorReport((Check("<b>", "warning", "a & b [red]", "do <this>", needed=False),))

    assert "<b>" not in report._repr_html_()
    assert "a &amp; b [red] (optional) → do &lt;this&gt;" in report._repr_html_()
    console = Console(file=io.StringIO(), width=100)
    console.print(report)
    assert isinstance(console.file, io.StringIO)
    assert "a & b [red] (optional) → do <this>" in console.file.getvalue()
    assert repr(report).startswith("! <b>  a & b")
    assert "The local conversation works here." in repr(report)


def test_missing_engines_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str = "") -> None:
        raise MissingExtraError(name or "hibari-tts", "local")

    monkeypatch.setattr("realtime_nb.local.tts.load_tts", absent)
    voice = module._Voice()
    assert "hibari-tts is not installed" in module._tried("tts", voice.speak).words
    heard = module._tried("stt", lambda: module._speech_to_text(voice))
    assert heard.status == "ok" and "no voice to listen to" in heard.words
    monkeypatch.setattr("realtime_nb.local.stt.load_stt", absent)
    assert "moonshine is not installed" in module._tried("stt", _stt(voice)).words


def _stt(voice: module._Voice) -> Callable[[], module._Found]:
    return lambda: module._speech_to_text(voice)


def test_a_voice_that_is_not_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    voice = module._Voice()
    voice.speak()
    monkeypatch.setattr(module, "SENTENCE", "Something else was said here.")
    status, words, remedy = module._speech_to_text(voice)
    assert (status, remedy) == ("warning", "try --stt whisper")
    assert "fox" in words


def test_a_folder_that_cant_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    def refuse(**arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    status, words, remedy = module._disk()
    assert (status, remedy) == ("missing", "start in a folder of yours")
    assert "Permission denied" in words


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = types.SimpleNamespace(free=5_000_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    status, _, remedy = module._disk()
    assert status == "warning" and remedy.startswith("make room")


@pytest.mark.parametrize(
    ("devices", "status"),
    [
        ([(2, 0), (0, 2)], "ok"),
        ([(0, 2)], "missing"),
        ([], "missing"),
    ],
)
def test_sound_devices(
    monkeypatch: pytest.MonkeyPatch, devices: list[tuple[int, int]], status: str
) -> None:
    found = [{"max_input_channels": i, "max_output_channels": o} for i, o in devices]
    fake = types.ModuleType("sounddevice")
    fake.query_devices = lambda: found  # type: ignore[attr-defined]
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    assert module._sound_devices()[0] == status


def test_without_portaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise OSError("PortAudio library not found")

    monkeypatch.setattr(module, "find_spec", lambda name: object())
    monkeypatch.setattr(module, "import_module", absent)
    assert module._sound_devices()[1] == "the PortAudio library is not there"
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert module._sound_devices()[1] == "sounddevice is not installed"


def test_a_notebook_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_version", lambda name: "7.0" if name == "ipykernel" else "")
    check = module._notebook()
    assert check.status == "missing" and not check.needed
    assert check.words == "jupyterlab is not installed, ipykernel 7.0"


def test_an_old_kernel_has_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = {"jupyterlab": "4.4.1", "ipykernel": "6.31.0"}
    monkeypatch.setattr(module, "_version", numbers.__getitem__)
    check = module._notebook()
    assert (check.status, check.needed) == ("warning", False)
    assert check.words.startswith("jupyterlab 4.4.1, ipykernel 6.31.0, which holds up")
    assert "ipykernel>=7" in check.remedy
    numbers["ipykernel"] = "7.4.0"
    assert module._notebook().status == "ok"


def test_the_command_line_says_that_no_page_was_asked(report: DoctorReport) -> None:
    console = Console(file=io.StringIO(), width=200)
    console.print(report)
    assert isinstance(console.file, io.StringIO)
    assert "was not asked: show rt.doctor() in a notebook." in console.file.getvalue()
    assert report.to_dict()["page"]["asked"] is False


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 1))
    assert module._python().status == "warning"


def test_what_of_the_lab_works_here(report: DoctorReport, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = _named(report, "VAD lab")
    assert (lab.status, lab.remedy) == ("ok", "")
    assert "hear with silero" in lab.words
    assert "energy" in lab.words

    monkeypatch.setattr(
        "realtime_nb.audio.speech_engines.vad_engine_names", lambda: ["silero", "energy", "gone"]
    )
    monkeypatch.setattr("realtime_nb.audio.turn_model.has_turn_model", lambda: False)
    status, words, remedy = module._vad_lab()
    assert (status, remedy) == ("warning", "mend or uninstall its package")
    assert "hear with silero, energy; semantic_vad has no turn model there" in words
    assert "gone does not work (Unknown engine 'gone'" in words

    monkeypatch.setattr("realtime_nb.audio.speech_engines.vad_engine_names", lambda: ["silero"])
    status, words, _ = module._vad_lab()
    assert status == "ok"
    assert "pip install 'realtime_nb[vad]'" in words


@needs_llama
def test_the_small_language_model_is_asked(report: DoctorReport) -> None:
    check = _named(report, "language model")
    assert (check.status, check.needed) == ("ok", False)
    assert "smollm2, xllamacpp" in check.words
    assert "said its first word after" in check.words


def test_a_missing_language_model_has_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime_nb.local.llama.find_spec", lambda name: None)
    status, words, remedy = module._language_model()
    assert (status, remedy) == ("missing", "realtime-nb models add smollm2")
    assert "SmolLM2" in words
