"""What works on this machine, and what to do about the rest: ``rt.doctor()``.

Nothing is taken for granted: models are loaded and used, a server is started and talked with.
"""

from __future__ import annotations

import asyncio
import html
import os
import platform
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from difflib import SequenceMatcher
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from realtime_nb.commands.samples import AUSTEN, CARDS
from realtime_nb.errors import RealtimeError, at_call

if TYPE_CHECKING:
    from rich.table import Table

    from realtime_nb.local.llama import SmolLM2
    from realtime_nb.session.endpoints import Endpoint, RunningServer
    from realtime_nb.widgets.page_check import CheckLine, PageCheck

__all__ = ["Check", "DoctorReport", "doctor"]

CheckStatus = Literal["ok", "warning", "missing"]
_Found = tuple[CheckStatus, str, str]
"""How it is, what was found, and what to do about it."""

SENTENCE = "The quick brown fox jumps over the lazy dog."
LEAST_DISK_MB = 200
SLOW_START_S = 10.0
_SAMPLE_SPEECH_S = 2.6
_PACE = 8.0
_FIRST_GOOD_KERNEL = 7
_PAGE_NOT_ASKED = (
    "The page of a notebook (its microphone, its messages) was not asked: "
    "show rt.doctor() in a notebook."
)
_LOCAL_EXTRA = "pip install 'realtime_nb[local]'"
_MARKS: dict[CheckStatus, str] = {"ok": "✓", "warning": "!", "missing": "✗"}
_STATUSES: dict[str, CheckStatus] = {mark: status for status, mark in _MARKS.items()}
_COLOURS = {"✓": "green", "!": "yellow", "✗": "red", "–": "dim"}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        status: ``missing`` is also what is there and does not work.
        words: what was found.
        remedy: what to do about it; empty where there is nothing to do.
        needed: whether a conversation with the local server needs it.
    """

    name: str
    status: CheckStatus
    words: str
    remedy: str = ""
    needed: bool = True

    @property
    def mark(self) -> str:
        """The status in a character."""
        return "–" if self.status == "missing" and not self.needed else _MARKS[self.status]

    @property
    def text(self) -> str:
        """Words and remedy in a line."""
        optional = "" if self.needed or self.status == "ok" else " (optional)"
        return f"{self.words}{optional}{f' → {self.remedy}' if self.remedy else ''}"


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What :func:`doctor` found; shows itself in notebooks and on rich consoles.

    Attributes:
        of: which server was examined; empty: this machine was.
        page: what the notebook's page said of itself, once it was asked and has answered.
    """

    checks: tuple[Check, ...]
    of: str = ""
    page: list[Check] = field(default_factory=list, init=False, compare=False)

    @property
    def works(self) -> bool:
        """Whether a conversation works, with the local server unless another was examined."""
        return all(check.status != "missing" for check in self.checks if check.needed)

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as JSON can hold it."""
        page = {
            "asked": bool(self.page),
            "words": "" if self.page else _PAGE_NOT_ASKED,
            "checks": [asdict(check) for check in self.page],
        }
        checks = [asdict(check) for check in self.checks]
        return {"works": self.works, "checks": checks, "page": page}

    @property
    def _verdict(self) -> str:
        what = f"A conversation with {self.of}" if self.of else "The local conversation"
        if self.works:
            return f"{what} works here."
        broken = [c.name for c in self.checks if c.needed and c.status == "missing"]
        return f"{what} does not work here: {', '.join(broken)}."

    @property
    def _words(self) -> list[str]:
        """What is said below the lines."""
        return [self._verdict, *([] if self.page or self.of else [_PAGE_NOT_ASKED])]

    def __repr__(self) -> str:
        checks = [*self.checks, *self.page]
        width = max((len(check.name) for check in checks), default=0)
        lines = [f"{c.mark} {c.name:<{width}}  {c.text}" for c in checks]
        return "\n".join([*lines, *self._words])

    def __rich__(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        words = "\n".join(self._words)
        table = Table(box=None, show_header=False, caption=words, caption_justify="left")
        for column in ("mark", "name"):
            table.add_column(column, no_wrap=True)
        table.add_column("words", overflow="fold")
        for check in (*self.checks, *self.page):
            mark = Text(check.mark, style=_COLOURS[check.mark])
            table.add_row(mark, Text(check.name), Text(check.text))
        return table

    def _repr_html_(self) -> str:
        left = "style='text-align:left'"
        rows = "".join(
            f"<tr><td>{check.mark}</td><th {left}>{html.escape(check.name)}</th>"
            f"<td {left}>{html.escape(check.text)}</td></tr>"
            for check in (*self.checks, *self.page)
        )
        words = "".join(f"<p>{html.escape(words)}</p>" for words in self._words)
        return f"<table>{rows}</table>{words}"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """Shows what a notebook's page finds about itself, too; a saved one keeps the table."""
        asks = _has_front_end() and not self.of
        return self._page_check()._repr_mimebundle_(**kwargs) if asks else None

    def _ipython_display_(self, **kwargs: Any) -> None:
        if self.of or not _has_front_end():
            raise NotImplementedError  # IPython then shows the text
        self._page_check()._ipython_display_(**kwargs)

    def _page_check(self) -> PageCheck:
        from realtime_nb.widgets.page_check import CheckLine, PageCheck

        lines = [CheckLine(check.mark, check.name, check.text) for check in self.checks]
        return PageCheck(lines, self._verdict, self._take, self._saved)

    def _saved(self) -> tuple[str, str]:
        return repr(self), self._repr_html_()

    def _take(self, lines: list[CheckLine]) -> None:
        """Takes what the page has answered."""
        self.page[:] = [
            Check(line.name, _STATUSES[line.mark], line.words, line.remedy) for line in lines
        ]


@at_call
def doctor(endpoint: str | Endpoint | RunningServer | None = None) -> DoctorReport:
    """Looks at everything that realtime_nb uses; takes some seconds.

    Keys are looked for, and neither shown nor used; nothing leaves this machine, unless an
    ``endpoint`` is given. Then that server is examined instead: it is connected to, asked for
    settings and one short written answer (which a hosted one bills, well below a cent), and the
    report says what it does otherwise.

    Args:
        endpoint: as :func:`realtime_nb.connect` takes it: a name, a URL, an ``rt.Endpoint``.

    Raises:
        ConfigurationError: no such endpoint, or a key that it needs is missing.
    """
    if endpoint is None:
        return DoctorReport(tuple(_checks()))
    from realtime_nb.commands.doctor_endpoint import examine
    from realtime_nb.session.endpoints import resolve

    resolved = resolve(endpoint)
    name = "local" if resolved is None else resolved.shown_url
    # A notebook's thread has a running loop already.
    with ThreadPoolExecutor(1) as executor:
        found = executor.submit(lambda: asyncio.run(examine(endpoint))).result()
    return DoctorReport(tuple(Check(*one) for one in found), name)


def _checks() -> Iterator[Check]:
    yield _python()
    yield _tried("disk", _disk)
    yield _tried("speech detection", _speech_detection)
    voice = _Voice()
    yield _tried("text to speech", voice.speak, _LOCAL_EXTRA)
    yield _tried("speech to text", lambda: _speech_to_text(voice), _LOCAL_EXTRA)
    yield _tried("turn model", _turn_model, needed=False)
    yield _tried("engines", _engines, needed=False)
    yield _tried("VAD lab", _vad_lab, needed=False)
    yield _tried("language model", _language_model, needed=False)
    yield _tried("loopback", _loopback, "allow connections to 127.0.0.1")
    yield _tried("local server", _local_server, "the lines above say what it lacks")
    yield _beta()
    yield _notebook()
    yield _tried("sound devices", _sound_devices, needed=False)
    yield from (_key(name, endpoint) for name, endpoint in _KEYS)
    yield _transcriber(date.today())


def _tried(
    name: str,
    work: Callable[[], _Found],
    remedy: str = "",
    needed: bool = True,
) -> Check:
    """Returns the check's result, whatever happens in it."""
    try:
        status, words, advice = work()
    except Exception as error:
        # A doctor that falls ill helps nobody; what went wrong is the finding.
        words = str(error) if isinstance(error, RealtimeError) else f"{error!r}"
        return Check(name, "missing", " ".join(words.split()), remedy, needed)
    return Check(name, status, words, advice, needed)


def _python() -> Check:
    found = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    words = f"{found}, realtime_nb {version('realtime_nb')}, {os.cpu_count()} CPUs"
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Check("python", "ok", words)
    return Check("python", "warning", words, "use Python 3.11 to 3.13")


def _disk() -> _Found:
    folder = Path.cwd()
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"realtime_nb")
    except OSError as error:
        words = f"{folder} can't be written to ({error.strerror})"
        return "missing", words, "start in a folder of yours"
    free_mb = shutil.disk_usage(folder).free / 1e6
    words = f"{folder} can be written to, {free_mb / 1000:.1f} GB free"
    if free_mb < LEAST_DISK_MB:
        return "warning", words, "make room: a minute of conversation takes up to 9 MB"
    return "ok", words, ""


def _speech_detection() -> _Found:
    from realtime_nb.audio.vad import find_speech

    began = time.perf_counter()
    turns = find_speech(AUSTEN)
    words = f"Silero in numpy, {_since(began)} for a sample of speech"
    lengths_s = [(turn.offset_ms - turn.onset_ms) / 1000 for turn in turns]
    if len(turns) != 1 or abs(lengths_s[0] - _SAMPLE_SPEECH_S) > 0.1:
        return "missing", f"{words}, which was not recognised as such", "install realtime_nb again"
    return "ok", words, ""


class _Voice:
    """Speaks a sentence, and keeps it for who has to understand it."""

    def __init__(self) -> None:
        self.pcm = b""
        self.sample_rate = 0

    def speak(self) -> _Found:
        from realtime_nb.local.tts import load_tts

        began = time.perf_counter()
        engine = load_tts()
        engine.warm_up()
        loading = _since(began)
        began = time.perf_counter()
        self.pcm, self.sample_rate = engine.speak(SENTENCE), engine.sample_rate
        words = f"{engine.name}, loaded in {loading}, a sentence of "
        words += f"{len(self.pcm) / 2 / engine.sample_rate:.1f} s in {_since(began)}"
        return ("ok", words, "") if self.pcm else ("missing", f"{words}: silence", _LOCAL_EXTRA)


def _speech_to_text(voice: _Voice) -> _Found:
    from realtime_nb.audio.files import load_audio
    from realtime_nb.audio.pcm import pcm_from_samples
    from realtime_nb.local.stt import load_stt

    began = time.perf_counter()
    engine = load_stt("moonshine")
    engine.transcribe(bytes(32_000), 16_000)
    words = f"{engine.name}, onnxruntime {_version('onnxruntime')}, loaded in {_since(began)}"
    if not voice.pcm:
        engine.transcribe(pcm_from_samples(load_audio(AUSTEN)), 24_000)
        return "ok", f"{words}; there was no voice to listen to", ""
    began = time.perf_counter()
    heard = engine.transcribe(voice.pcm, voice.sample_rate)
    words += f", that sentence understood in {_since(began)}"
    if _likeness(heard, SENTENCE) < 0.8:
        return "warning", f"{words}, as {heard!r}", "try --stt whisper"
    return "ok", words, ""


def _vad_lab() -> _Found:
    import numpy as np

    from realtime_nb.audio.speech_engines import FRAME_SAMPLES, speech_engine, vad_engine_names
    from realtime_nb.audio.turn_model import has_turn_model

    here, ill = [], []
    for name in vad_engine_names():
        try:
            speech_engine(name).probabilities(np.zeros(FRAME_SAMPLES, np.float32))
            here.append(name)
        except Exception as error:  # an engine of another package may do anything
            ill.append(f"{name} does not work ({' '.join(str(error).split()) or repr(error)})")
    semantic = "judges its pauses by the turn model" if has_turn_model() else "has no turn model"
    words = f"rt.VADLab and rt.sweep hear with {', '.join(here)}; semantic_vad {semantic} there"
    if ill:
        return "warning", f"{words}; {'; '.join(ill)}", "mend or uninstall its package"
    if not {"earshot", "webrtc"} <= set(here):
        words += "; more engines: pip install 'realtime_nb[vad]'"
    return "ok", words, ""


def _turn_model() -> _Found:
    from realtime_nb.audio.files import load_audio
    from realtime_nb.audio.pcm import pcm_from_samples
    from realtime_nb.audio.turn_model import NO_TURN_MODEL, turn_model

    began = time.perf_counter()
    model = turn_model()
    if model is None:
        words, _, remedy = NO_TURN_MODEL.partition(". ")
        return "missing", words, remedy
    words = f"{model.name} for semantic_vad, loaded in {_since(began)}"
    audio = pcm_from_samples(load_audio(CARDS))
    began = time.perf_counter()
    if not model.completeness_of(audio) > 0.5:
        return "missing", f"{words}, took a whole sentence for half a one", "report this, please"
    return "ok", f"{words}, a pause judged in {_since(began)}", ""


def _engines() -> _Found:
    from realtime_nb.local.registry import engine_names

    kinds = (f"{kind} {', '.join(names)}" for kind, names in engine_names().items())
    return "ok", f"by name, the default first: {'; '.join(kinds)}", ""


def _language_model() -> _Found:
    from realtime_nb.local.llama import SmolLM2, smollm2_file

    if find_spec("xllamacpp") is None or smollm2_file() is None:
        words = "SmolLM2, which makes small talk beside the rules, is not installed"
        return "missing", words, "realtime-nb models add smollm2"
    llm = SmolLM2()
    began = time.perf_counter()
    llm.warm_up()
    words = f"{llm.name}, xllamacpp {_version('xllamacpp')}, loaded in {_since(began)}"
    began = time.perf_counter()
    # A notebook's thread has a running loop already.
    with ThreadPoolExecutor(1) as executor:
        executor.submit(lambda: asyncio.run(_first_word(llm))).result()
    return "ok", f"{words}, said its first word after {_since(began)}", ""


async def _first_word(llm: SmolLM2) -> None:
    from realtime_nb.local.llm import Request

    content = [{"type": "input_text", "text": "Hello!"}]
    request = Request(items=[{"type": "message", "role": "user", "content": content}])
    async for _ in llm.reply(request):
        return
    raise RealtimeError(f"{llm.name} said nothing to “Hello!”.")


def _likeness(heard: str, said: str) -> float:
    return SequenceMatcher(None, heard.lower(), said.lower()).ratio()


def _loopback() -> _Found:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address, timeout=2.0) as client:
            peer, _ = server.accept()
            with peer:
                peer.settimeout(2.0)
                client.sendall(b"?")
                peer.recv(1)
    return "ok", "127.0.0.1 can be listened on and connected to", ""


def _local_server() -> _Found:
    # A notebook's thread has a running loop already.
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, _conversation()).result()


async def _conversation() -> _Found:
    from realtime_nb.session.connect import connect

    began = time.perf_counter()
    from realtime_nb.local.server import serve

    async with serve() as server:  # which measures this before it lets anybody in
        capacity, engines = server.capacity, server.engines.names
    began = time.perf_counter()
    async with connect("local", pace=_PACE) as session:
        started_s = time.perf_counter() - began
        began = time.perf_counter()
        await session.say("Hello!")
        in_time = await session.settled(timeout_s=20.0 * _PACE)
        answers = [text for role, text in session.conversation.transcript() if role == "assistant"]
        heard = any(item.played_s is not None for item in session.conversation.items.values())
    if not (in_time and answers and heard):
        return "missing", "started, but did not answer", "report this, please"
    words = f"started in {started_s:.1f} s, answered “Hello!” with “{answers[0]}”"
    words += f"; carries {capacity} conversations at once with {', '.join(engines.values())}"
    if started_s > SLOW_START_S:
        return "warning", words, "the machine is busy or slow"
    return "ok", words, ""


def _beta() -> Check:
    words = (
        "OpenAI refuses it since 2026-05-12; the local server serves its clients with a warning, "
        "and with serve --strict-ga refuses them, too; rt.ga(…) translates what was written for it"
    )
    return Check("beta interface", "ok", words, needed=False)


def _notebook() -> Check:
    found = {name: _version(name) for name in ("jupyterlab", "ipykernel")}
    absent = [name for name, number in found.items() if not number]
    words = ", ".join(f"{name} {number or 'is not installed'}" for name, number in found.items())
    if absent:
        return Check("notebook", "missing", words, "pip install 'realtime_nb[lab]'", needed=False)
    if int(found["ipykernel"].split(".")[0]) < _FIRST_GOOD_KERNEL:
        words += ", which holds up the page's audio while a cell runs"
        remedy = f"pip install 'ipykernel>={_FIRST_GOOD_KERNEL}', then restart the kernel"
        return Check("notebook", "warning", words, remedy, needed=False)
    return Check("notebook", "ok", words, needed=False)


def _sound_devices() -> _Found:
    if find_spec("sounddevice") is None:
        return "missing", "sounddevice is not installed", "pip install sounddevice"
    try:
        devices = import_module("sounddevice").query_devices()
    except OSError:
        remedy = "install it: apt install libportaudio2, or brew install portaudio"
        return "missing", "the PortAudio library is not there", remedy
    inputs = sum(device["max_input_channels"] > 0 for device in devices)
    outputs = sum(device["max_output_channels"] > 0 for device in devices)
    words = f"{inputs} microphones and {outputs} speakers of this computer"
    if not (inputs and outputs):
        return "missing", words, "none is needed for files, nor for the browser's microphone"
    return "ok", words, ""


_KEYS = (
    ("OPENAI_API_KEY", 'endpoint "openai"'),
    ("AZURE_OPENAI_API_KEY", "rt.azure(…)"),
)


def _key(name: str, endpoint: str) -> Check:
    if os.environ.get(name):
        return Check(name, "ok", f"is set; used by {endpoint} only", needed=False)
    return Check(name, "missing", "is not set", f"only {endpoint} needs it", needed=False)


_TRANSCRIBER = "gpt-4o-mini-transcribe"
"""What ``connect("openai")`` and ``rt.Agent`` ask for to have the user's words."""

_TRANSCRIBER_ENDS = date(2027, 2, 26)
_TRANSCRIBER_WARNED = timedelta(days=120)
_OTHER_TRANSCRIBERS = (
    "give connect() and rt.Agent another one: transcription='gpt-transcribe', "
    "'gpt-live-transcribe' (it wants turn_detection=None), or None for no words of the user"
)


def _transcriber(today: date) -> Check:
    """Returns whether OpenAI still serves the transcriber that is asked for by default."""
    name, left = "transcriber", (_TRANSCRIBER_ENDS - today).days
    if left <= 0:
        words = f"OpenAI shut {_TRANSCRIBER}, the default, down on {_TRANSCRIBER_ENDS}"
        return Check(name, "missing", words, _OTHER_TRANSCRIBERS, needed=False)
    words = f"OpenAI shuts {_TRANSCRIBER}, the default, down on {_TRANSCRIBER_ENDS}"
    if left > _TRANSCRIBER_WARNED.days:
        return Check(name, "ok", words, needed=False)
    words += f", in {left} days" if left > 1 else ", tomorrow"
    return Check(name, "warning", words, _OTHER_TRANSCRIBERS, needed=False)


def _has_front_end() -> bool:
    """Tells whether this is a Jupyter kernel, whose cells are shown in a page."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return getattr(shell, "kernel", None) is not None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _since(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.0f} ms"
