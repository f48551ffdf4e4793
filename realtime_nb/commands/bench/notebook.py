"""Sound between a page and its kernel, in a real JupyterLab with a real browser."""

from __future__ import annotations

import json
import math
import os
import tempfile
import time
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import soundfile

from realtime_nb.audio.files import load_audio
from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.lab_page import LabPage, open_notebook, running_lab
from realtime_nb.commands.samples import SAMPLES
from realtime_nb.errors import ConfigurationError

__all__ = ["PHASES", "run"]

Figures: TypeAlias = dict[str, float]

PHASES = {
    "idle": "",
    "time.sleep": "time.sleep({seconds})",
    "busy loop": "until = time.monotonic() + {seconds}\n"
    "while time.monotonic() < until: sum(range(1000))",
}
"""What the notebook does meanwhile: cells, in which ``{seconds}`` is filled in."""

_MICROPHONE_RATE = 44_100  # of Chromium's fake microphone
_FLUSHES = 20
_COLUMNS = {"capture → kernel": "capture", "capture → server": "server", "flush": "flush"}

# Page and kernel share a machine, hence a clock: the time of a chunk is that of its last sample.
_SETUP = """
import json, threading, time
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.speaker import SpeakerWidget

ways, flushes = [], []

class Timed(Microphone):
    def on_message(self, message, buffers):
        if message["kind"] == "audio":
            ways.append(time.time() * 1000 - message["t"])
        super().on_message(message, buffers)

microphone, speaker = Timed(chunk_ms={chunk_ms}), SpeakerWidget()
display(microphone, speaker)
"""
_SPEAK = """
def speak(seconds, count=[0]):
    count[0] += 1
    began, item = time.monotonic(), f"answer {count[0]}"
    for i in range(int(seconds * 10)):  # a model that is 0.3 s ahead
        speaker.write(item, bytes(4800))
        time.sleep(max(0, began + (i - 2) * 0.1 - time.monotonic()))
    speaker.end(item)

def stop(times):
    for i in range(times):
        item = f"stopped {i} {time.time()}"
        speaker.write(item, bytes(96000))
        while not speaker.played_ms(item):
            time.sleep(0.005)
        time.sleep(0.037 + i % 5 * 0.01)  # at no fixed place between two chunks
        began = time.perf_counter()
        speaker.flush().result(5)
        flushes.append((time.perf_counter() - began) * 1000)
"""

# The local server runs in this process: what it takes from its socket is met there, and looked up
# among what the page sent. Chunks that nobody wanted (the session was not ready) are passed over.
_AGENT = """
import base64, collections, json, time
import realtime_nb as rt
from realtime_nb.protocol.server import ServerProtocol

sent, ways = collections.deque(maxlen=1000), []
agent = rt.Agent("local", record=None)
microphone, receive = agent._audio.microphone, ServerProtocol.receive
take = microphone.on_message

def taken(message, buffers):
    if message["kind"] == "audio":
        sent.append((message["t"], bytes(buffers[0])))
    take(message, buffers)

def received(server, event):
    if event["type"] == "input_audio_buffer.append":
        now, pcm = time.time() * 1000, base64.b64decode(event["audio"])
        while sent:
            t, chunk = sent.popleft()
            if chunk == pcm:
                ways.append(now - t)
                break
    receive(server, event)

microphone.on_message, ServerProtocol.receive = taken, received
display(agent)
"""


def run(seconds: float = 8.0, chunk_ms: int = 40) -> dict[str, Figures]:
    """Measures the way of the audio and prints a table.

    In each phase the microphone and the speaker are on. Capture → kernel is the time from a
    chunk's last sample to its handler in Python; a flush is timed from its call to the page's
    answer, while the microphone streams. Capture → server goes on to the moment when the server of
    ``rt.Agent("local")`` takes that chunk from its socket, in a conversation: the agent hears,
    answers and speaks meanwhile. Page, kernel and server share this machine's clock.

    Args:
        seconds: length of each phase.
        chunk_ms: length of a microphone chunk.

    Returns:
        Of each phase ``capture_p50_ms``, ``capture_p95_ms``, ``server_p50_ms``, ``server_p95_ms``,
        ``lost_samples``, ``underruns_per_minute``, ``page_cpu`` (of one core, 1 is all); of the
        idle and the busy one also ``flush_p50_ms`` and ``flush_p95_ms``.

    Raises:
        MissingExtraError: Playwright or JupyterLab is missing.
        ConfigurationError: there is no Chromium, or a length of nothing.
    """
    if not 1 <= seconds < math.inf:
        raise ConfigurationError(f"seconds is {seconds}; give a length of at least 1")
    with (
        start_playwright() as playwright,
        tempfile.TemporaryDirectory(prefix="realtime_nb-") as folder,
        running_lab(Path(folder) / "lab") as lab,
        open_browser(playwright, _recording(Path(folder), 6 * seconds + 60)) as browser,
    ):
        page = open_notebook(browser, lab, lab.notebook("bench.ipynb"))
        figures = _measure(page, seconds, chunk_ms)
        _leave(page)
        page = open_notebook(browser, lab, lab.notebook("agent.ipynb"))
        for name, row in _measure_agent(page, seconds).items():
            figures[name] |= row
        _leave(page)
    _print_table(figures, seconds, chunk_ms)
    return figures


def _recording(folder: Path, seconds: float) -> Path:
    speech = [load_audio(file, _MICROPHONE_RATE) for file in SAMPLES]
    path = folder / "microphone.wav"
    samples = np.resize(np.concatenate(speech), int(seconds * _MICROPHONE_RATE))
    soundfile.write(path, samples, _MICROPHONE_RATE, subtype="PCM_16")
    return path


def _measure(page: LabPage, seconds: float, chunk_ms: int) -> dict[str, Figures]:
    page.run(_SETUP.replace("{chunk_ms}", str(chunk_ms)))
    page.run(_SPEAK)
    page.page.get_by_role("button", name="Talk").click()
    page.wait_for("len(ways) > 20")
    figures = {name: _phase(page, cell, seconds) for name, cell in PHASES.items()}
    page.run("flushes.clear(); stop(3); flushes.clear()")
    for name, cell in PHASES.items():
        if name != "time.sleep":
            figures[name] |= _flushes(page, cell)
    return figures


def _leave(page: LabPage) -> None:
    page.shut_down_kernel()
    page.page.context.close()


def _measure_agent(page: LabPage, seconds: float) -> dict[str, Figures]:
    page.run(_AGENT)
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.wait_for("agent.connected", timeout_s=60)
    page.page.get_by_role("button", name="Talk", exact=True).click()
    page.wait_for("len(ways) > 20")
    return {name: _to_server(page, cell, seconds) for name, cell in PHASES.items()}


def _to_server(page: LabPage, cell: str, seconds: float) -> Figures:
    page.run("ways.clear()")
    _meanwhile(page, cell, seconds)
    way_ms = _told(page, "print(json.dumps(ways))")
    return {
        "server_p50_ms": float(np.percentile(way_ms, 50)),
        "server_p95_ms": float(np.percentile(way_ms, 95)),
    }


def _meanwhile(page: LabPage, cell: str, seconds: float) -> None:
    if cell:
        page.run(cell.format(seconds=seconds))
    else:
        page.page.wait_for_timeout(seconds * 1000)


def _phase(page: LabPage, cell: str, seconds: float) -> Figures:
    page.run(
        f"speaking = threading.Thread(target=speak, args=({seconds},)); speaking.start()\n"
        "before = speaker.statistics.underruns, microphone.statistics.lost_samples\n"
        "ways.clear()"
    )
    began_s, cpu_s = time.monotonic(), _renderer_cpu_s(page)
    _meanwhile(page, cell, seconds)
    cpu = (_renderer_cpu_s(page) - cpu_s) / (time.monotonic() - began_s)
    way_ms, underruns, lost = _told(
        page,
        "taken = list(ways); speaking.join()\n"
        "after = speaker.statistics.underruns, microphone.statistics.lost_samples\n"
        "print(json.dumps([taken, after[0] - before[0], after[1] - before[1]]))",
    )
    return {
        "capture_p50_ms": float(np.percentile(way_ms, 50)),
        "capture_p95_ms": float(np.percentile(way_ms, 95)),
        "lost_samples": lost,
        "underruns_per_minute": 60 * underruns / seconds,
        "page_cpu": cpu,
    }


def _flushes(page: LabPage, cell: str) -> Figures:
    page.run(
        "flushes.clear()\n"
        f"stopping = threading.Thread(target=stop, args=({_FLUSHES},)); stopping.start()"
    )
    if cell:
        page.run("while stopping.is_alive(): sum(range(1000))")
    else:  # no cell runs meanwhile
        page.page.wait_for_timeout(_FLUSHES * 400)
    flush_ms = _told(page, "stopping.join(); print(json.dumps(flushes))")
    return {
        "flush_p50_ms": float(np.percentile(flush_ms, 50)),
        "flush_p95_ms": float(np.percentile(flush_ms, 95)),
    }


def _told(page: LabPage, cell: str) -> Any:
    return json.loads(page.run(cell))


def _renderer_cpu_s(page: LabPage) -> float:
    """Returns the processor time of the page, its audio threads included."""
    browser = page.page.context.browser
    assert browser is not None
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return math.fsum(process["cpuTime"] for process in processes if process["type"] == "renderer")


def _print_table(figures: dict[str, Figures], seconds: float, chunk_ms: int) -> None:
    print(f"page and kernel, {chunk_ms}-ms chunks, {seconds:.0f} s of each")
    head = "".join(f"{title:>18}" for title in _COLUMNS)
    print(f"  {'':12}{head}{'underruns':>12}{'lost':>9}{'page CPU':>10}")
    units = "".join(f"{'p50 / p95 ms':>18}" for _ in _COLUMNS)
    print(f"  {'':12}{units}{'per minute':>12}{'samples':>9}{'of a core':>10}")
    for name, row in figures.items():
        pairs = (_pair(row, figure) for figure in _COLUMNS.values())
        print(f"  {name:12}{''.join(pairs)}{row['underruns_per_minute']:>12.1f}", end="")
        print(f"{row['lost_samples']:>9.0f}{row['page_cpu']:>10.0%}")
    if hasattr(os, "getloadavg"):
        print(f"  load of the machine, last minute: {os.getloadavg()[0]:.1f}")


def _pair(row: Figures, figure: str) -> str:
    told = "–"
    if f"{figure}_p50_ms" in row:
        told = f"{row[f'{figure}_p50_ms']:.0f} / {row[f'{figure}_p95_ms']:.0f}"
    return f"{told:>18}"
