"""The event inspector in Chromium: very many events, scrolling, and events that stream in."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from realtime_nb.commands.bench.browser import open_browser, start_playwright
from realtime_nb.commands.bench.view_page import ViewPage, open_view
from realtime_nb.protocol.events import JsonObject
from realtime_nb.widgets.event_inspector import EventInspector

__all__ = ["InspectorFigures", "run", "stream"]

_SHOWN = """(wanted) => {
  const text = document.querySelector(".rtnb-events-count").textContent;
  return text.startsWith(`${wanted.toLocaleString("en")} events`);
}"""

# From the first row to the last in equal steps, one a frame. The time between frames goes in steps
# of the screen's 16.7 ms; what a frame costs tells more. Work: from the event that tells of the
# scrolling to the first task after the frame, hence scripts, style, layout and paint.
_SCROLL = """async (frames) => {
  const scroller = document.querySelector(".rtnb-events-scroller");
  const ask = window.requestAnimationFrame.bind(window);
  const frame = () => new Promise((resolve) => ask(resolve));
  const times = [], scripts = [], works = [];
  let script = 0, began = 0, most = 0;
  window.requestAnimationFrame = (callback) => ask((now) => {
    const start = performance.now();
    callback(now);
    script += performance.now() - start;
  });
  const after = new MessageChannel();
  after.port1.onmessage = () => {
    if (began > 0) works.push(performance.now() - began);
    began = 0;
  };
  const abort = new AbortController();
  window.addEventListener("scroll", () => {
    began = performance.now();
    ask(() => after.port2.postMessage(null));
  }, {capture: true, signal: abort.signal});
  scroller.addEventListener("scroll", () => (script += performance.now() - began),
    {signal: abort.signal});
  scroller.scrollTop = 0;
  for (let n = 0; n < 10; n++) await frame();
  let before = await frame();
  works.length = 0;
  for (let n = 1; n <= frames; n++) {
    script = 0;
    scroller.scrollTop = (scroller.scrollHeight - scroller.clientHeight) * n / frames;
    const now = await frame();
    times.push(now - before);
    scripts.push(script);
    before = now;
    if (n % 20 === 0) most = Math.max(most, document.querySelectorAll("#view *").length);
  }
  window.requestAnimationFrame = ask;
  abort.abort();
  const share = (all, part) => all.sort((a, b) => a - b)[Math.floor(part * (all.length - 1))];
  return {
    p50: share(times, 0.5), p95: share(times, 0.95), max: share(times, 1), nodes: most,
    late: times.filter((time) => time > 17).length / times.length,
    script: share(scripts, 0.95), work: share(works, 0.95),
  };
}"""


@dataclass(frozen=True, slots=True)
class InspectorFigures:
    """What :func:`run` measured; times in ms.

    Attributes:
        load_ms: From showing the inspector to all events being in the page.
        frame_p50_ms, frame_p95_ms, frame_max_ms: Time between frames while scrolling; at 60
            pictures a second none is shorter than 16.7.
        late_frames: Share of the frames that came later than after 17 ms.
        script_p95_ms: What the inspector's own code takes of a frame.
        work_p95_ms: What a frame costs the page's main thread: that code, style, layout and paint.
        nodes: Most elements in the document, while scrolling.
        streamed, arrived: Events that were added while it was shown, and those that the page got.
        load_average: Of the machine, when it was over: how many processes wanted its cores.
    """

    events: int
    load_ms: float
    frame_p50_ms: float
    frame_p95_ms: float
    frame_max_ms: float
    late_frames: float
    script_p95_ms: float
    work_p95_ms: float
    nodes: int
    streamed: int
    arrived: int
    load_average: float


def stream(count: int) -> Iterator[tuple[str, JsonObject]]:
    """Yields events as a session has them: microphone, deltas, answers, errors."""
    for n in range(count):
        response = f"resp_{n // 50:06}"
        ids = {"response_id": response, "item_id": f"item_{n // 50:06}", "content_index": 0}
        match n % 50:
            case 0:
                yield "received", {"type": "response.created", "response": {"id": response}}
            case 48:
                raw: JsonObject = {"type": "error", "event_id": f"event_{n}"}
                raw["error"] = {"code": "invalid_value", "message": "No.", "event_id": f"mine_{n}"}
                yield "received", raw
            case 49:
                yield "received", {"type": "response.done", "response": {"id": response}}
            case step if step % 3 == 0:
                yield "sent", {"type": "input_audio_buffer.append", "audio": "AAAA" * 480}
            case step if step % 3 == 1:
                delta = {"type": "response.output_audio.delta", "delta": "AAAA" * 800}
                yield "received", {**delta, **ids}
            case step:
                delta = {"type": "response.output_audio_transcript.delta", "delta": f" word{step}"}
                yield "received", {**delta, **ids}


def run(events: int = 100_000, frames: int = 300, live_s: float = 5.0) -> InspectorFigures:
    """Measures the inspector in Chromium, prints the figures and returns them.

    Raises:
        MissingExtraError: Playwright is missing.
        ConfigurationError: Chromium is.
    """
    inspector = EventInspector()
    with start_playwright() as playwright, open_browser(playwright) as browser:
        for n, (direction, event) in enumerate(stream(events)):
            inspector.add("sent" if direction == "sent" else "received", event, n / 200)
        began_s = time.perf_counter()
        with open_view(browser, inspector) as view:
            view.until(_SHOWN, events)
            load_ms = (time.perf_counter() - began_s) * 1000
            view.page.get_by_role("button", name="Fold").click()  # a row for every event
            scrolled = view.page.evaluate(_SCROLL, frames)
            streamed = _add_live(view, inspector, events, live_s)
            text = view.page.locator(".rtnb-events-count").text_content() or "0"
            arrived = int(text.split(" ")[0].replace(",", "")) - events
    inspector.close()
    figures = InspectorFigures(
        events=events,
        load_ms=load_ms,
        frame_p50_ms=scrolled["p50"],
        frame_p95_ms=scrolled["p95"],
        frame_max_ms=scrolled["max"],
        late_frames=scrolled["late"],
        script_p95_ms=scrolled["script"],
        work_p95_ms=scrolled["work"],
        nodes=scrolled["nodes"],
        streamed=streamed,
        arrived=arrived,
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan,
    )
    _print(figures, live_s)
    return figures


def _add_live(view: ViewPage, inspector: EventInspector, first: int, live_s: float) -> int:
    """Adds 200 events a second, and waits until the page has them all."""
    count = round(200 * live_s)
    began_s = time.monotonic()
    for n, (direction, event) in enumerate(stream(count)):
        inspector.add("sent" if direction == "sent" else "received", event, (first + n) / 200)
        ahead_s = began_s + (n + 1) / 200 - time.monotonic()
        if ahead_s > 0.02:
            view.pump()
            view.page.wait_for_timeout(ahead_s * 1000)
    view.until(_SHOWN, first + count)
    return count


def _print(figures: InspectorFigures, live_s: float) -> None:
    print("Event inspector in Chromium")
    print(f"  {figures.events:,} events in the page after     {figures.load_ms:8.0f} ms")
    print(
        f"  scrolling, time per frame p50/p95/max  {figures.frame_p50_ms:.1f} / "
        f"{figures.frame_p95_ms:.1f} / {figures.frame_max_ms:.1f} ms"
    )
    print(f"  frames later than after 17 ms          {figures.late_frames:.1%}")
    print(
        f"  cost of a frame, p95                   {figures.work_p95_ms:.1f} ms of the main "
        f"thread, {figures.script_p95_ms:.1f} ms of it the inspector's code"
    )
    print(f"  elements in the document, at most      {figures.nodes}")
    print(
        f"  live, {figures.streamed / live_s:.0f} events/s for {live_s:g} s: "
        f"{figures.arrived:,} of {figures.streamed:,} arrived"
    )
    print(f"  load of the machine, last minute       {figures.load_average:.1f}")
