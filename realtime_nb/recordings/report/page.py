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
from urllib.parse import quote

from realtime_nb import plots
from realtime_nb.analysis.findings.findings import findings
from realtime_nb.errors import RecordingError
from realtime_nb.protocol.wire import encodable
from realtime_nb.recordings.progress import progress_bar
from realtime_nb.recordings.report import parts
from realtime_nb.recordings.report.pictures import svg_of
from realtime_nb.recordings.report.sound import encoded_beside, sound_blocks
from realtime_nb.recordings.summary import Summarised, key_figures

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["ReportPath", "report_html", "write_report"]

_HERE = Path(__file__).parent
_SECTIONS = 10
"""About so many does a page have."""


class ReportPath(type(Path())):  # type: ignore[misc]
    """The path of a report, which a notebook shows as a link; otherwise like any other."""

    def _repr_html_(self) -> str | None:
        if not self.is_file():
            return None
        # Front ends look for links from the notebook's folder, where its kernel began.
        link = quote(Path(os.path.relpath(self)).as_posix())
        text = html.escape(encodable(str(self)))
        return f'<a href="{html.escape(link)}" target="_blank">{text}</a>'


def write_report(rec: Summarised, path: str | os.PathLike[str]) -> Path:
    """Writes the report of a recording; see :func:`report_html`.

    Returns:
        The file.

    Raises:
        RecordingError: it can't be written there.
    """
    file = ReportPath(path)
    page = report_html(rec)
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"The report can't be written to {file} ({error.strerror}). Give another path."
        ) from error
    return file


def report_html(rec: Summarised) -> str:
    """Returns a page with the recording's key figures, findings, audio, pictures and tables.

    It needs nothing but a browser: styles, pictures and the audio (MP3, the user on the left, the
    agent on the right) are inside, and its content policy lets nothing else in.
    """
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    name = html.escape(encodable(rec.path.name))
    sections: list[str] = []
    parts_of_it = _SECTIONS + sound_blocks(rec)
    with (
        progress_bar(parts_of_it, "part", desc="report") as bar,
        encoded_beside(rec, bar.update) as encoding,
    ):
        facts = _facts(rec)
        for section in _sections(rec):
            sections.append(section)
            bar.update()
        sound = encoding.result()
    player = _player(sound, rec.input_clock.begins_s) if sound else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_policy(script)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{style}</style></head><body>"
        f"<header><h1>{name}</h1>{facts}</header><main>{''.join(sections)}"
        f'</main>{player}<script type="module">{script}</script></body></html>\n'
    )


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'"
    )


def _player(sound: str, begins_s: float) -> str:
    """Returns a player of sound that begins then, on the session's clock."""
    begins = f' data-begins="{begins_s:.3f}"' if begins_s else ""
    return f'<div class="player"><audio controls{begins} src="{sound}"></audio></div>'


def _facts(rec: Summarised) -> str:
    facts = [*rec.facts().values()]
    began = rec.header.get("began")
    if isinstance(began, str):
        facts.insert(0, began[:19].replace("T", " ") + " UTC")
    if rec.simulated:
        facts.append("answered by the local server: its latencies are its own")
    lines = [" · ".join(facts), *rec.problems]
    return "".join(f'<p class="quiet">{html.escape(line)}</p>' for line in lines)


def _sections(rec: Summarised) -> Iterator[str]:
    measured, latency = rec.metrics(), rec.latency
    yield parts.figures([*key_figures(rec), *_audible_figures(measured)])
    yield parts.section("Findings", parts.findings(findings(rec)))
    if rec.duration_s > 0:
        timeline = _picture(lambda: plots.plot_timeline(rec.timeline_data), "Who spoke when")
        yield parts.section("What was heard", timeline)
    yield parts.section("Conversation", parts.conversation(rec))
    answered = "From the end of speech to the first sound of the answer"
    if latency["latency_ms"].notna().any():
        yield parts.section(
            answered,
            _picture(
                lambda: plots.plot_waterfall(latency, simulated=rec.simulated),
                "Parts of each turn's latency",
            ),
            _picture(
                lambda: plots.plot_latency(latency, simulated=rec.simulated),
                "Distribution of the latency",
            ),
        )
    else:
        yield parts.section(answered, parts.latency_parts(latency))
    yield parts.section("Functions", parts.calls(rec.calls))
    if rec.usage["total_tokens"].notna().any():
        usage = _picture(lambda: plots.plot_usage(rec.usage), "Tokens of each response")
        yield parts.section("Tokens and cost", usage, parts.cost(rec.cost()))
    yield parts.section("Refused by the server", parts.errors(rec.conversation))
    yield parts.section("Metrics", parts.metrics(measured))
    yield parts.section("Tables", parts.tables(rec))


def _picture(draw: Callable[[], Axes], title: str) -> str:
    return f'<div class="picture">{svg_of(draw, title)}</div>'


def _audible_figures(metrics: pd.DataFrame) -> Iterator[tuple[str, str]]:
    """Yields what listening to the audio tells, beside the figures of the summary."""
    for name, shown in (
        ("false_interruptions", "false interruptions"),
        ("missed_barge_ins", "missed barge-ins"),
    ):
        value = float(metrics["value"][name])
        if not math.isnan(value):
            yield shown, f"{value:.0f}"
