"""The command ``realtime-nb``.

Every failure is one line on stderr: exit code 2 when what was asked for can't be done as asked, 1
when it was tried and failed. Whatever is heavy is imported by the command that needs it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from realtime_nb.commands.models import models
from realtime_nb.commands.options import AsJson, Channel, Llm, RawRate, Stt, Tts, print_json
from realtime_nb.commands.serve import serve
from realtime_nb.errors import (
    AudioError,
    ConfigurationError,
    ConnectionFailedError,
    MissingExtraError,
    RealtimeError,
    RecordingError,
    ToolError,
)
from realtime_nb.protocol.turn_detection import CLIENT_SILENCE_MS
from realtime_nb.protocol.turns import TurnSettings

if TYPE_CHECKING:
    from realtime_nb.commands.talk import TalkResult, TalkTurn
    from realtime_nb.commands.vad import FoundSpeech
    from realtime_nb.protocol.turns import SpeechSpan
    from realtime_nb.tools import Tool

__all__ = ["main", "run"]

PROGRAM = "realtime-nb"
BENCHMARKS = (
    *("endpoint", "faults", "heard", "hostile", "hour"),
    *("inspector", "notebook", "pipelines", "recording", "vad", "voice"),
)
TOKEN_VARIABLE = "REALTIME_NB_TOKEN"
_UNAUTHORISED = ("401", "403", "invalid_api_key")
_KEY_REMEDY = (
    f"Give the key or token with --api-key, or set {TOKEN_VARIABLE} for a URL, OPENAI_API_KEY for "
    "openai."
)
_TIMELINE_CELLS = 72
_TURNS = TurnSettings()
_INTERRUPTED = 128 + 2  # as shells report the signal of Ctrl-C

# Some releases of typer bring their own click, so the base of its errors is taken from typer.
_UsageProblem = cast("type[Exception]", typer.BadParameter.__mro__[2])

app = typer.Typer(
    help="Build, tune and study voice agents that speak the OpenAI Realtime protocol.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def run() -> None:
    """Runs the command line and exits."""
    sys.exit(main())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code.

    Args:
        arguments: those of the command line unless given.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(
            args=given or ["--help"],
            prog_name=PROGRAM,
            standalone_mode=False,
        )
        sys.stdout.flush()
    except (_UsageProblem, RealtimeError, OSError) as error:
        return _failed(error)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    if code == _INTERRUPTED:  # also typer's own way to say it
        _complain("interrupted.")
    return code if isinstance(code, int) else 0


def _failed(error: Exception) -> int:
    if isinstance(error, BrokenPipeError):
        # Whoever read our output has gone; Python must not fail again on flushing it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    message = getattr(error, "format_message", error.__str__)()
    remedies = [_KEY_REMEDY] if _is_unauthorised(error) else []
    _complain(" ".join([message, *getattr(error, "__notes__", []), *remedies]))
    wrong_input = isinstance(error, _UsageProblem | ConfigurationError | AudioError | ToolError)
    return 2 if wrong_input and not isinstance(error, MissingExtraError) else 1


def _is_unauthorised(error: Exception) -> bool:
    if not isinstance(error, ConnectionFailedError):
        return False
    return error.code in _UNAUTHORISED or "authentication" in str(
        error
    )  # a missing key has no code


def _complain(message: str) -> None:
    print(f"{PROGRAM}: {' '.join(message.split())}", file=sys.stderr)


def _version(wanted: bool) -> None:
    if wanted:
        from realtime_nb import __version__

        print(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


# --- talk -----------------------------------------------------------------------------------------


class Detection(StrEnum):
    """Who decides when the user's turn is over."""

    SERVER = "server"
    SEMANTIC = "semantic"
    NONE = "none"


@app.command()
def talk(
    audio: Annotated[
        list[Path], typer.Argument(metavar="AUDIO...", help="Files to speak, in this order.")
    ],
    endpoint: Annotated[
        str, typer.Option(help="local, openai, or a ws:// or wss:// URL.")
    ] = "local",
    api_key: Annotated[
        str | None,
        typer.Option(help=f"Key or token; for URLs {TOKEN_VARIABLE} is used, if it is set."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Model; the endpoint's default if left out.")
    ] = None,
    tools: Annotated[
        str | None, typer.Option(help="Functions that the agent may call: appointments.")
    ] = None,
    db: Annotated[
        Path | None,
        typer.Option(
            help="The appointments, an SQLite file. "
            "[default: appointments.sqlite, in --out if that is given]"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the recordings. [default: recordings]")
    ] = None,
    speed: Annotated[
        float, typer.Option(help="Session seconds per second; with the local server only.")
    ] = 1.0,
    barge_in: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            help="Speak each further file this long after the agent began to be heard.",
        ),
    ] = None,
    instructions: Annotated[str | None, typer.Option(help="What the agent is and does.")] = None,
    voice: Annotated[str | None, typer.Option(help="The agent's voice.")] = None,
    vad: Annotated[
        Detection | None,
        typer.Option(help="Who ends a turn: the server's VAD, semantic VAD, or push-to-talk."),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Speech probability that opens a turn, 0 to 1.")
    ] = None,
    silence_ms: Annotated[
        int | None,
        typer.Option(help=f"Silence that ends a turn ({CLIENT_SILENCE_MS})."),
    ] = None,
    prefix_ms: Annotated[
        int | None, typer.Option(help="Audio kept from before the speech.")
    ] = None,
    stt: Stt = None,
    llm: Llm = None,
    tts: Tts = None,
    raw_rate: RawRate = None,
    channel: Channel = None,
    as_json: AsJson = False,
) -> None:
    """Holds a conversation: speaks the files in turn, hears the answers, keeps the recording.

    --stt, --llm and --tts are engines of the local server. With --json, the last line is the
    result.
    """
    from realtime_nb.commands.live_lines import LiveLines
    from realtime_nb.commands.talk import TalkLine
    from realtime_nb.commands.talk import talk as hold

    options = _turn_detection(vad, threshold, silence_ms, prefix_ms)
    options |= _given(instructions=instructions, voice=voice, stt=stt, llm=llm, tts=tts)
    if "://" in endpoint:
        api_key = api_key or os.environ.get(TOKEN_VARIABLE)
    lines = LiveLines(sys.stdout)
    lines.grow(TalkLine(0.0, "note", "connecting; then the files are spoken"))
    try:
        result = asyncio.run(
            hold(
                audio,
                endpoint,
                model=model,
                api_key=api_key,
                tools=_tools(tools, db or (out or Path()) / "appointments.sqlite"),
                out=out or Path("recordings"),
                speed=speed,
                barge_in_s=barge_in,
                raw_sample_rate=raw_rate,
                channel=channel,
                on_line=lines.add,
                on_words=lines.grow,
                **options,
            )
        )
    finally:
        lines.end()
    if as_json:
        print_json(result.to_dict())
    else:
        _print_result(result, local=endpoint == "local")
    if not result.complete:
        _complain(result.errors[-1])
        raise typer.Exit(1)


def _given(**options: object) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def _turn_detection(
    vad: Detection | None, threshold: float | None, silence_ms: int | None, prefix_ms: int | None
) -> dict[str, Any]:
    """Returns the session option, or nothing where the usual one is to stay."""
    from realtime_nb.protocol.fields import SemanticVAD, ServerVAD

    numbers = _given(
        threshold=threshold, silence_duration_ms=silence_ms, prefix_padding_ms=prefix_ms
    )
    if vad in (Detection.SEMANTIC, Detection.NONE):
        if numbers:
            raise ConfigurationError(
                "--threshold, --silence-ms and --prefix-ms are settings of --vad server."
            )
        return {"turn_detection": SemanticVAD() if vad is Detection.SEMANTIC else None}
    return {"turn_detection": ServerVAD(**numbers)} if vad or numbers else {}


def _tools(name: str | None, db: Path) -> Iterable[Tool]:
    if name not in (None, "appointments"):
        raise ConfigurationError(f"Unknown tools {name!r}. There is one set: appointments.")
    return () if name is None else _appointments(db)


def _appointments(db: Path) -> Iterator[Tool]:
    """Yields the tools; the book is opened, and perhaps made, only when they are first looked
    at."""
    from realtime_nb.commands.appointments import AppointmentBook

    yield from AppointmentBook(db).tools()


def _print_result(result: TalkResult, local: bool) -> None:
    if any(turn.latency_ms is not None for turn in result.turns):
        whose = " (the local server's)" if local else ""
        print(f"      answered after {', '.join(map(_latency, result.turns))}{whose}")
    else:
        reasons = dict.fromkeys(turn.latency_note or "unknown" for turn in result.turns)
        print(f"      no latency: {', '.join(reasons) or 'nothing was said'}")
    if result.latency.turns > 1:
        print(f"      {result.latency.average}: {result.latency.ms:.0f} ms")
    print(f"      recorded in {result.recording}")


def _latency(turn: TalkTurn) -> str:
    if turn.latency_ms is None:
        return f"unknown ({turn.latency_note})"
    return f"{turn.latency_ms:.0f} ms"


app.command()(serve)
app.add_typer(models, name="models")


# --- vad ------------------------------------------------------------------------------------------


@app.command()
def vad(
    audio: Annotated[Path, typer.Argument(metavar="AUDIO", help="An audio file.")],
    threshold: Annotated[
        float, typer.Option(help="Speech probability that opens a turn, 0 to 1.")
    ] = _TURNS.threshold,
    silence_ms: Annotated[int, typer.Option(help="Silence that ends a turn.")] = CLIENT_SILENCE_MS,
    prefix_ms: Annotated[
        int, typer.Option(help="Audio kept from before the speech.")
    ] = _TURNS.prefix_padding_ms,
    engine: Annotated[
        str,
        typer.Option(
            help="silero; earshot or webrtc (extra 'vad'); energy for contrast; or of a plug-in."
        ),
    ] = "silero",
    raw_rate: RawRate = None,
    channel: Channel = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw it, too: a .png, .svg or .pdf to write.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Shows where speech starts and stops in a file, as the local server hears it in a session
    that asks for nothing else.

    Start and end are the speech as detected; audio start and audio end are the positions that the
    protocol reports, with the padding and the closing silence.
    """
    from realtime_nb.commands.vad import check_picture, speech_in_file, write_picture

    settings = TurnSettings(
        threshold=threshold, silence_duration_ms=silence_ms, prefix_padding_ms=prefix_ms
    )
    if plot is not None:
        check_picture(plot)
    if as_json:
        found = speech_in_file(audio, settings, engine, raw_rate, channel).to_dict()
    else:
        rows = _SpanRows()
        _print_speech(speech_in_file(audio, settings, engine, raw_rate, channel, rows.add), rows)
    if plot is not None:
        write_picture(plot, audio, settings, engine, raw_rate, channel)
    if as_json:
        print_json(found if plot is None else {**found, "plot": str(plot)})
    elif plot is not None:
        print(plot)


class _SpanRows:
    """Rows of spans, printed as they come; nothing before a file is known to be audio."""

    def __init__(self) -> None:
        self._begun = False

    def head(self) -> None:
        """Prints the names of the columns, once."""
        if not self._begun:
            self._begun = True
            print(f"{'start':>9}{'end':>9}{'audio start':>13}{'audio end':>11}   ms")

    def add(self, span: SpeechSpan) -> None:
        """Prints a row."""
        self.head()
        mark = "   cut" if span.cut else ""
        print(
            f"{span.onset_ms:>9}{span.offset_ms:>9}{span.audio_start_ms:>13}{span.audio_end_ms:>11}"
            f"{mark}",
            flush=True,
        )


def _print_speech(found: FoundSpeech, rows: _SpanRows) -> None:
    rows.head()
    duration_ms = found.duration_ms
    print(f"0 {_timeline(found.spans, duration_ms)} {duration_ms / 1000:.1f} s")
    print(f"peak {found.audio.peak_dbfs:.1f} dBFS, {found.audio.clipped_samples} samples clipped")
    for note in found.notes:
        print(note)


def _timeline(turns: Sequence[SpeechSpan], duration_ms: int) -> str:
    """Returns speech over time as one line of text: dark where there is any in a cell's time."""
    cell_ms = duration_ms / _TIMELINE_CELLS
    return "".join(
        "█"
        if any(t.onset_ms < (i + 1) * cell_ms and t.offset_ms > i * cell_ms for t in turns)
        else "·"
        for i in range(_TIMELINE_CELLS)
    )


# --- report, doctor, lab, bench -------------------------------------------------------------------


@app.command()
def report(
    recording: Annotated[
        Path, typer.Argument(help="A recording's folder, a log of events, or an audio file.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The page; NAME.html here unless given.")
    ] = None,
    raw_rate: RawRate = None,
    channel: Channel = None,
) -> None:
    """Writes one page about a recording: findings, audio, pictures, tables."""
    from realtime_nb.recordings.recording import load
    from realtime_nb.recordings.report import write_report

    try:
        loaded = load(recording, raw_sample_rate=raw_rate, channel=channel)
    except RecordingError as error:  # what was named is none
        raise ConfigurationError(str(error)) from error
    page = out or Path(f"{loaded.path.resolve().name}.html")
    if page.is_dir() or not page.parent.is_dir():
        place = f"{page} is a folder" if page.is_dir() else f"there is no folder {page.parent}"
        raise ConfigurationError(f"The report can't be written: {place}. Give --out another path.")
    print(write_report(loaded, page))


@app.command()
def doctor(
    endpoint: Annotated[
        str | None, typer.Option(help="Examine this server instead: a name or a URL.")
    ] = None,
    api_key: Annotated[str | None, typer.Option(help="Its key or token.")] = None,
    as_json: AsJson = False,
) -> None:
    """Says what works here, and what to do about the rest.

    The exit code is 0 when a conversation with the local server, or that of --endpoint, works.
    """
    from realtime_nb.commands.doctor import doctor as examine
    from realtime_nb.session.endpoints import resolve

    if endpoint is not None and "://" in endpoint:
        api_key = api_key or os.environ.get(TOKEN_VARIABLE)
    known = endpoint and (resolve(endpoint, api_key=api_key) or endpoint)
    report = examine(known) if known else examine()
    if as_json:
        print_json(report.to_dict())
    else:
        from rich.console import Console

        Console().print(report)
    if not report.works:
        raise typer.Exit(1)


@app.command()
def lab(
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser window.")
    ] = True,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="Port of JupyterLab.")] = None,
) -> None:
    """Opens JupyterLab on the index of the tutorials."""
    from realtime_nb.commands.lab import open_lab

    raise typer.Exit(open_lab(browser=browser, port=port))


@app.command()
def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help=f"Of {', '.join(BENCHMARKS)}; all if left out."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measures this package on this machine."""
    wanted = names or list(BENCHMARKS)
    for name in wanted:
        if name not in BENCHMARKS:
            raise ConfigurationError(
                f"Unknown benchmark {name!r}. Choose from {', '.join(BENCHMARKS)}."
            )
    figures: dict[str, Any] = {}
    with redirect_stdout(sys.stderr) if as_json else nullcontext():
        for name in wanted:
            figures[name] = import_module(f"realtime_nb.commands.bench.{name}").run()
    if as_json:
        print_json(figures)
