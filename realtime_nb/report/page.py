"""The page: everything in one file, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.errors import RecordingError
from realtime_nb.recording import Recording
from realtime_nb.report import parts
from realtime_nb.report.pictures import svg_of
from realtime_nb.report.sound import sound_data_uri

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["report_html", "write_report"]

_HERE = Path(__file__).parent


def write_report(recording: Recording, path: str | os.PathLike[str]) -> Path:
    """Write the report of a recording; see :func:`report_html`.

    Returns:
        The file.

    Raises:
        RecordingError: it can't be written there.
    """
    file = Path(path)
    page = report_html(recording)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"The report can't be written to {file} ({error.strerror}). Give another path."
        ) from error
    return file


def report_html(recording: Recording) -> str:
    """Return a page with the recording's key figures, findings, audio, pictures and tables.

    It needs nothing but a browser: styles, pictures and the audio (MP3, the user on the left, the
    agent on the right) are inside, and its content policy lets nothing else in.
    """
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    name = html.escape(recording.path.name)
    sound = sound_data_uri(recording)
    player = f'<div class="player"><audio controls src="{sound}"></audio></div>' if sound else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{style}</style></head><body>"
        f"<header><h1>{name}</h1>{_facts(recording)}</header><main>{''.join(_sections(recording))}"
        f'</main>{player}<script type="module">{script}</script></body></html>\n'
    )


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def _facts(recording: Recording) -> str:
    facts = [f"{_clock(recording.duration_s)} min", *recording.facts().values()]
    began = recording.header.get("began")
    if isinstance(began, str):
        facts.insert(0, began[:19].replace("T", " ") + " UTC")
    if recording.simulated:
        facts.append("answered by the local server: its latencies are its own")
    lines = [" · ".join(facts), *recording.problems]
    return "".join(f'<p class="quiet">{html.escape(line)}</p>' for line in lines)


def _sections(recording: Recording) -> Iterator[str]:
    conversation = recording.conversation
    metrics = recording.metrics()
    yield parts.figures(_key_figures(recording, metrics))
    yield parts.section("Findings", parts.findings(recording.findings()))
    yield parts.section("What was heard", _picture(recording.plot_timeline, "Who spoke when"))
    latency, turns = recording.latency, recording.turns
    said = parts.conversation(conversation, latency, turns)
    yield parts.section("Conversation", said)
    if latency["latency_ms"].notna().any():
        yield parts.section(
            "From the end of speech to the first sound of the answer",
            _picture(recording.plot_waterfall, "Parts of each turn's latency"),
            _picture(recording.plot_latency, "Distribution of the latency"),
        )
    yield parts.section("Functions", parts.calls(recording.calls))
    if recording.usage["total_tokens"].notna().any():
        usage = _picture(recording.plot_usage, "Tokens of each response")
        yield parts.section("Tokens and cost", usage, parts.cost(recording.cost()))
    yield parts.section("Refused by the server", parts.errors(conversation))
    yield parts.section("Metrics", parts.metrics(metrics))


def _picture(draw: Callable[[], Axes], title: str) -> str:
    return f'<div class="picture">{svg_of(draw, title)}</div>'


def _key_figures(recording: Recording, metrics: pd.DataFrame) -> Iterator[tuple[str, str]]:
    yield "turns", str(len(recording.turns))
    known = recording.latency["latency_ms"].dropna()
    if len(known):
        yield f"voice to voice, median of {len(known)}", f"{known.median():.0f} ms"
        yield "slowest", f"{known.max():.0f} ms"
    for name, shown in (
        ("interruptions", "interruptions"),
        ("false_interruptions", "of them false"),
        ("missed_barge_ins", "missed barge-ins"),
    ):
        value = float(metrics["value"][name])
        if not math.isnan(value):
            yield shown, f"{value:.0f}"
    if len(recording.calls):
        yield "function calls", str(len(recording.calls))
    cost = recording.cost()
    if not math.isnan(cost.priced_usd):
        yield "cost", f"${cost.priced_usd:.4f}"


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"
