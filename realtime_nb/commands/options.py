"""Options that several commands have, and how they print JSON."""

from __future__ import annotations

from typing import Annotated

import typer

from realtime_nb.protocol.plain_json import json_text

__all__ = ["AsJson", "Channel", "Llm", "RawRate", "Stt", "Tts", "Vad", "print_json"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for other programs.")]
RawRate = Annotated[
    int | None,
    typer.Option(
        "--raw-rate",
        min=1,
        help="Sample rate of headerless files. [default: 24000; 8000 of .ulaw, .alaw, .sln]",
    ),
]
Channel = Annotated[
    str | None,
    typer.Option(
        help="Of files with several: a number from 0, left, right or mix. "
        "[default: the first that is not silent]"
    ),
]
Vad = Annotated[
    str | None,
    typer.Option(help="What hears speech: silero, earshot, webrtc, energy. [default: silero]"),
]
Stt = Annotated[
    str | None, typer.Option(help="Speech to text: moonshine, whisper. [default: moonshine]")
]
Llm = Annotated[
    str | None,
    typer.Option(
        help="What answers: rules, smollm2, or rules+NAME, where the rules come before another "
        "model. [default: rules]"
    ),
]
Tts = Annotated[str | None, typer.Option(help="The voice: hibari, espeak. [default: hibari]")]


def print_json(value: object) -> None:
    """Prints a value as one line of JSON, at once."""
    print(json_text(value), flush=True)
