"""The timeline in Chromium: what is seen, what is heard, and what keys and pointer do."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest

from realtime_nb.analysis.clips import RecordingClip
from realtime_nb.analysis.timeline import PlacedAudio, TimelineData
from realtime_nb.audio.pcm import Samples
from realtime_nb.commands.bench.view_page import ViewPage
from realtime_nb.protocol.conversation import PlaybackReport
from realtime_nb.recordings.recording import Recording
from realtime_nb.testing import tone
from realtime_nb.widgets.timeline import Timeline
from tests.e2e import view_pages
from tests.e2e.view_pages import EVIL, HARMLESS, Show, label, labelled, themed
from tests.scripted_session import LiveSession
from tests.widgets.pages import ToldSession

browser, recording, show = view_pages.browser, view_pages.recording, view_pages.show

# How many pixels of the canvas are close to a colour, in a part of it.
PIXELS = """([red, green, blue, left, right]) => {
  const canvas = document.querySelector("canvas");
  const begin = Math.round(left * canvas.width);
  const width = Math.max(1, Math.round((right - left) * canvas.width));
  const {data} = canvas.getContext("2d").getImageData(begin, 0, width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    const far = [red, green, blue].map((value, n) => Math.abs(data[at + n] - value));
    if (data[at + 3] > 200 && Math.max(...far) < 10) count += 1;
  }
  return count;
}"""
# Time goes on for half a second, and the mark moves with it.
POINT_AT_ERROR = """([clientX, clientY]) => {
  const event = new PointerEvent("pointermove", {clientX, clientY});
  document.querySelector("canvas").dispatchEvent(event);
  return document.querySelector(".rtnb-timeline-status").textContent.includes("onerror");
}"""
# How often the agent's lane goes over half its height, from left to right.
PEAKS = """() => {
  const canvas = document.querySelector("canvas");
  const scale = canvas.width / canvas.clientWidth;
  const left = Math.round(62 * scale);
  const {data, width} = canvas.getContext("2d").getImageData(
    left, Math.round(68 * scale), canvas.width - left, 1);
  let count = 0;
  for (let x = 0; x < width; x++) {
    if (data[4 * x] > 180 && data[4 * x + 3] > 200) count += 1;
  }
  return count;
}"""
# Keeps what goes to the loudspeakers.
TAP = """() => {
  window.heard = [];
  const {connect} = AudioNode.prototype;
  AudioNode.prototype.connect = function (target, ...more) {
    if (target === this.context.destination && !(this instanceof ScriptProcessorNode)) {
      const tap = this.context.createScriptProcessor(2048, 2, 2);
      tap.onaudioprocess = ({inputBuffer}) => {
        window.heard.push([0, 1].map((side) => inputBuffer.getChannelData(side).slice()));
      };
      connect.call(this, tap);
      connect.call(tap, target);
    }
    return connect.call(this, target, ...more);
  };
}"""
TAPPED = """async () => {
  const blob = new Blob([0, 1].flatMap((side) => window.heard.map((part) => part[side])));
  const reader = new FileReader();
  await new Promise((done) => { reader.onload = done; reader.readAsDataURL(blob); });
  return reader.result.split(",")[1];
}"""
STATUS = """(words) =>
  document.querySelector(".rtnb-timeline-status").textContent.includes(words)"""
RANGE = "document.querySelector('.rtnb-timeline-range').textContent"
AGENT = (0xD5, 0x5E, 0x00)
GUTTER = 62
CALL = (0x00, 0x9E, 0x73)


def place(view: ViewPage, t_s: float, duration_s: float) -> tuple[float, float]:
    """Where a moment of the user's lane is in the page, all being shown."""
    box = view.page.locator("canvas").bounding_box()
    assert box is not None
    return box["x"] + GUTTER + (box["width"] - GUTTER) * t_s / duration_s, box["y"] + 30


def found_at(part: Samples, whole: Samples) -> int:
    """Where the part is most alike."""
    return int(np.argmax(np.correlate(whole, part, "valid")))


def assert_same(heard: Samples, wanted: Samples) -> None:
    """But for the sound's end, which fades out."""
    length = min(len(heard), len(wanted)) - 6_000
    assert np.abs(heard[:length] - wanted[:length]).max() < 2e-3


def test_a_recordings_timeline(show: Show, recording: Recording) -> None:
    clicks: list[float] = []
    view = show(Timeline(recording, on_click=clicks.append))
    labelled(view, "0:00 to 0:16: 2 stretches of speech, 1 function call, 1 error")
    assert view.page.evaluate(PIXELS, [*AGENT, 0, 1]) > 500
    assert view.page.evaluate(PIXELS, [*CALL, 0.45, 0.6]) > 50
    assert view.page.evaluate(PIXELS, [*CALL, 0.7, 1]) == 0
    x, y = place(view, 8.0, recording.duration_s)
    view.page.mouse.click(x, y)
    view.until("document.activeElement.tagName === 'CANVAS'")
    while not clicks:
        view.page.wait_for_timeout(20)
    assert clicks == [pytest.approx(8.0, abs=0.05)]
    view.page.keyboard.press("Escape")
    view.page.mouse.wheel(0, -700)  # in, about the pointer
    labelled(view, "0:06 to 0:09")
    view.page.mouse.move(x, y + 160)  # the axis
    view.page.mouse.down()
    view.page.mouse.move(x + 380, y + 160, steps=4)
    view.page.mouse.up()
    labelled(view, "0:04 to 0:08")
    view.page.keyboard.press("ArrowRight")
    view.page.keyboard.press("End")
    labelled(view, "to 0:16")
    view.page.keyboard.press("0")
    labelled(view, "0:00 to 0:16")
    view.page.get_by_role("button", name="Zoom in").click()
    labelled(view, "0:04 to 0:12")
    assert len(clicks) == 1


def test_a_drag_selects(show: Show, recording: Recording) -> None:
    timeline = Timeline(recording)
    view = show(timeline)
    labelled(view, "0:00 to 0:16")
    duration_s = recording.duration_s
    x, y = place(view, 5.5, duration_s)
    view.page.mouse.move(x, y)
    view.page.mouse.down()
    view.page.mouse.move(place(view, 3.5, duration_s)[0], y + 20, steps=5)
    view.page.mouse.up()
    view.until("/^0:03.[45]. – 0:05.[45]. · [12].[09]. s$/.test(" + RANGE + ")")
    view.until("document.activeElement.tagName === 'CANVAS'")
    assert list(timeline.selection or ()) == pytest.approx([3.5, 5.5], abs=0.03)
    assert timeline.clip().agent.any()
    labelled(view, "0:00 to 0:16")  # it did not move
    view.page.keyboard.press("Escape")
    view.until(f"{RANGE} === ''")
    assert not bool(timeline.selection)
    for _ in range(3):
        view.page.keyboard.press("Shift+ArrowRight")
    view.until(f"{RANGE}.startsWith('0:08')")
    assert bool(timeline.selection)
    view.page.get_by_role("button", name="Clear selection").click()
    view.until(f"{RANGE} === ''")
    assert not bool(timeline.selection)


@pytest.mark.alone
def test_a_click_is_heard_the_user_left_and_the_agent_right(
    show: Show, recording: Recording
) -> None:
    """What arrives at the page's loudspeakers, sample by sample."""
    view = show(Timeline(recording))
    view.page.evaluate(TAP)
    labelled(view, "0:00 to 0:16")
    start_s = 12.2  # the agent is interrupted by the user
    view.page.mouse.click(*place(view, start_s, recording.duration_s))
    view.until("document.querySelector('button').textContent === 'Pause'")
    view.until("window.heard.length >= 20")
    view.page.keyboard.press(" ")
    view.until("document.querySelector('button').textContent === 'Listen'")
    view.page.keyboard.press("Escape")
    view.page.get_by_role("button", name="Stop").wait_for(state="hidden")
    pcm = base64.b64decode(view.page.evaluate(TAPPED))
    left, right = np.frombuffer(pcm, np.float32).reshape(2, -1)
    first = int(np.flatnonzero(np.abs(right) > 1e-3)[0])
    wanted = RecordingClip(recording, start_s - 0.05, start_s + 2.5)
    at = found_at(right[first : first + 12_000], wanted.agent)
    assert at == pytest.approx(0.05 * 24_000, abs=0.02 * 24_000)  # a pixel is 20 ms
    assert_same(right[first:], wanted.agent[at:])
    assert_same(left[first:], wanted.user[at:])
    assert np.abs(left).max() > 0.01


@pytest.mark.alone
def test_a_selection_is_heard_and_ends(show: Show, recording: Recording) -> None:
    timeline = Timeline(recording)
    timeline.on_message({"kind": "select", "range": [3.8, 4.3]}, [])
    view = show(timeline)
    view.page.evaluate(TAP)
    labelled(view, "0:00 to 0:16")
    assert "0.50 s" in view.page.get_by_role("status").inner_text()
    view.page.get_by_role("button", name="Listen to selection").click()
    view.until("window.heard.length > 0")
    view.until("document.querySelector('[title^=Stop]').hidden")
    _, right = np.frombuffer(base64.b64decode(view.page.evaluate(TAPPED)), np.float32).reshape(
        2, -1
    )
    sounding = np.flatnonzero(np.abs(right) > 1e-3)
    assert 0.3 < (sounding[-1] - sounding[0]) / 24_000 < 0.56


def test_zoomed_in_to_a_second_the_wave_has_its_shape(show: Show) -> None:
    """A click of one sample every 25 ms, 10 ms to a point at first."""
    samples = np.zeros(200 * 24_000, np.float32)
    samples[::600] = 0.5
    view = show(Timeline(TimelineData(200.0, agent=[PlacedAudio(0.0, samples)])))
    labelled(view, "0:00 to 3:20")
    assert view.page.evaluate(PEAKS) > 700  # a solid block
    view.page.locator("canvas").focus()
    for _ in range(8):
        view.page.keyboard.press("+")
    labelled(view, "1:39 to 1:40")
    view.until(f"(({PEAKS})() - 31) ** 2 <= 4")  # 0.78 s


def test_a_page_that_is_scrolled_does_not_get_stuck(show: Show, recording: Recording) -> None:
    view = show(Timeline(recording))
    labelled(view, "2 stretches")
    before = label(view)
    view.page.locator("canvas").hover()
    view.page.mouse.wheel(0, -700)
    view.page.evaluate(
        "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert label(view) == before


def test_a_live_timeline(show: Show) -> None:
    timeline = Timeline()
    live = LiveSession()
    view = show(timeline)
    view.page.evaluate("""() => {
      const {clearRect} = CanvasRenderingContext2D.prototype;
      window.draws = [];
      CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        window.draws.push(performance.now());
        return clearRect.apply(this, box);
      };
    }""")
    timeline.add_output("a", tone(2_000))
    live.conversation.apply_playback(PlaybackReport("a", 0, "started", 20.5))
    for n in range(50):
        timeline.add_input(tone(40, level=0.2), 20 + (n + 1) * 0.04)
        timeline.update(live.conversation)
        view.pump()
        view.page.wait_for_timeout(40)
    labelled(view, "0:02 to 0:22")
    # It began 1.5 s before the end of 20 s; what is not yet played is not in sight.
    assert view.page.evaluate(PIXELS, [*AGENT, 0.0, 0.9]) == 0
    assert view.page.evaluate(PIXELS, [*AGENT, 0.94, 1.0]) > 500
    gaps = view.page.evaluate("window.draws.slice(1).map((t, n) => t - window.draws[n])")
    assert len(gaps) > 10
    assert sum(gaps) / len(gaps) > 45
    live.conversation.apply_playback(PlaybackReport("a", 500, "flushed", 21.5))
    timeline.update(live.conversation, 24.0)
    labelled(view, "0:04 to 0:24")
    view.page.keyboard.press("Tab")
    view.page.keyboard.press("ArrowLeft")
    view.page.get_by_role("button", name="Live").click()
    view.page.get_by_role("button", name="Live").wait_for(state="hidden")


def test_words_in_a_timeline_are_only_words(show: Show, recording: Recording) -> None:
    timeline = Timeline()
    live = LiveSession()
    live.received(1.0, "error", error={"code": "x", "message": EVIL})
    timeline.update(live.conversation, 20.0)
    view = show(timeline)
    labelled(view, "1 error")
    x, y = place(view, 0.5, 20.0)
    view.until(POINT_AT_ERROR, [x, y + 104])
    assert view.page.evaluate(HARMLESS)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1_200, 400])
def test_pictures_of_listening(
    show: Show, recording: Recording, screenshots: Path, theme: str, width: int
) -> None:
    """Zoomed in, with a selection that is played."""
    timeline = Timeline(recording)
    timeline.on_message({"kind": "select", "range": [12.2, 13.4]}, [])
    view = show(timeline, width=width, height=300, head=themed(theme))
    labelled(view, "0:00 to 0:16")
    view.page.mouse.click(*place(view, 12.7, recording.duration_s))
    for _ in range(2):
        view.page.keyboard.press("+")
    view.page.get_by_role("button", name="Listen to selection").click()
    view.until("document.querySelector('button').textContent === 'Pause'")
    labelled(view, "0:09 to 0:13")
    view.page.wait_for_timeout(300)
    assert view.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    view.page.screenshot(path=screenshots / f"timeline-listening-{theme}-{width}.png")


def test_hovering_tells_the_words(show: Show, recording: Recording) -> None:
    view = show(Timeline(recording))
    labelled(view, "0:00 to 0:16")
    conversation, turns = recording.conversation, recording.turns
    answer = next(item for item in conversation.items.values() if item.played_s is not None)
    assert answer.played_s is not None
    x, y = place(view, answer.played_s + 0.3, recording.duration_s)
    view.page.mouse.move(x, y + 70)
    view.until(STATUS, answer.text)
    onset_s = recording.input_clock.wall(turns.onset_ms.iloc[0])
    view.page.mouse.move(*place(view, onset_s + 0.3, recording.duration_s))
    view.until(STATUS, turns.user_text.iloc[0])


def test_a_selection_can_be_copied_and_saved(
    show: Show, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    timeline = Timeline(recording)
    timeline.on_message({"kind": "select", "range": [12.2004, recording.duration_s]}, [])
    view = show(timeline)
    button = view.page.get_by_role("button", name="rec.clip(")
    labelled(view, "0:00 to 0:16")
    line = (button.text_content() or "").removeprefix("Copy ")
    clip = eval(line, {"rec": recording})
    assert (clip.start_s, clip.end_s) == pytest.approx((12.2004, recording.duration_s), abs=0.001)
    view.page.evaluate("navigator.clipboard.writeText = (text) => { window.copied = text; }")
    button.click()
    view.until("(line) => window.copied === line", line)
    view.page.get_by_role("button", name="Save").click()
    view.until("document.querySelector('.rtnb-timeline-range').textContent.startsWith('Saved /')")
    view.page.get_by_role("button", name="Save").click()
    view.until("document.querySelector('.rtnb-timeline-range').textContent.includes('(2).wav')")
    first, _ = sorted(tmp_path.glob("*.wav"), key=lambda path: len(path.name))
    assert first.read_bytes() == recording.clip(12.2004, recording.duration_s).wav


@pytest.mark.parametrize("zoomed", [False, True], ids=["at its end", "zoomed into"])
def test_a_session_that_ends_is_shown_whole_and_the_next_one_at_its_end(
    show: Show, zoomed: bool
) -> None:
    session = ToldSession()
    timeline = Timeline(session)
    for n in range(70):
        session.sent(n + 1.0, "input_audio_buffer.append", tone(1000), audio="AAAA")
    view = show(timeline)
    labelled(view, "0:50 to 1:10")
    if zoomed:
        view.page.get_by_role("button", name="Zoom in").click()
        view.page.locator("canvas").press("Home")
        labelled(view, "0:00 to 0:10")
    session.closed = True  # type: ignore[attr-defined]
    timeline.session_over()
    labelled(view, "0:00 to 1:10")
    assert view.page.get_by_role("button", name="Live").is_hidden()
    view.page.get_by_role("button", name="Zoom in").click()
    labelled(view, "0:17 to 0:52")
    following = ToldSession()
    timeline.follow(following)
    for n in range(40):
        following.sent(n + 1.0, "input_audio_buffer.append", tone(1000), audio="AAAA")
    labelled(view, "0:20 to 0:40")
