"""The agent's panel in a real page: a voice goes in at the microphone, an answer comes out."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from realtime_nb.audio import SAMPLE_RATE, load_audio
from realtime_nb.bench.lab_page import LabPage
from realtime_nb.local.stt import load_stt
from tests.e2e.conftest import OpenPage

DATA = Path(__file__).parents[1] / "data"
DEVICE_RATE = 44_100  # of Chromium's fake microphone
YOUNG_MAN = "austen_0880.wav"  # he was not an ill disposed young man
AMIABLE = "austen_0930.wav"  # he might even have been made amiable himself

Pcm = npt.NDArray[np.int16]

# Keeps what the playback worklet gives to the sound device.
TAP = """
() => {
  globalThis.played = [];
  const code = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([[samples]]) {
      if (samples) this.port.postMessage(samples.slice());
      return true;
    }
  })`;
  const url = URL.createObjectURL(new Blob([code], {type: "text/javascript"}));
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...others) {
    if (this.numberOfInputs === 0 && target === this.context.destination) {
      this.context.audioWorklet.addModule(url).then(() => {
        const tap = new AudioWorkletNode(this.context, "tap", {numberOfOutputs: 0});
        tap.port.onmessage = ({data}) => played.push(data);
        connect.call(this, tap);
      });
    }
    return connect.call(this, target, ...others);
  };
}
"""
PLAYED = """
() => {
  const bytes = new Uint8Array(Int16Array.from(
    played.flatMap((samples) => Array.from(samples, (sample) => Math.round(sample * 32767))),
  ).buffer);
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) {
    text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  }
  return btoa(text);
}
"""


@pytest.fixture
def says(tmp_path: Path) -> Callable[..., Path]:
    """Writes a WAV for the microphone: a second of silence, then clips and seconds of silence."""

    def write(*parts: str | float) -> Path:
        pieces = [
            load_audio(DATA / part, DEVICE_RATE)
            if isinstance(part, str)
            else np.zeros(int(part * DEVICE_RATE), np.float32)
            for part in (1.0, *parts, 60.0)
        ]
        path = tmp_path / "microphone.wav"
        soundfile.write(path, np.concatenate(pieces), DEVICE_RATE, subtype="PCM_16")
        return path

    return write


def press(page: LabPage, name: str) -> None:
    page.page.get_by_role("button", name=name, exact=True).click()


def show_agent(page: LabPage, arguments: str = '"local"') -> None:
    page.run(f"import time\nimport realtime_nb as rt\nagent = rt.Agent({arguments})")
    page.show("agent")
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    page.page.get_by_role("img", name="Timeline").wait_for()


def connect(page: LabPage) -> None:
    press(page, "Connect")
    page.page.get_by_text("listening", exact=True).wait_for()


def wait_for_words(page: LabPage, *words: str) -> None:
    log = page.page.get_by_role("log")
    for word in words:
        log.get_by_text(re.compile(word, re.IGNORECASE)).first.wait_for(timeout=20_000)


def played(page: LabPage) -> Pcm:
    """What left the worklet, from the first sound to the last."""
    pcm = np.frombuffer(base64.b64decode(page.page.evaluate(PLAYED)), "<i2")
    sound = np.flatnonzero(pcm)
    return pcm[sound[0] : sound[-1] + 1] if len(sound) else pcm[:0]


def ask(page: LabPage, expression: str) -> object:
    """The value of an expression in the kernel, if JSON can say it."""
    return json.loads(page.run(f"import json; print(json.dumps({expression}))"))


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def test_a_voice_goes_in_and_an_answer_comes_out(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    page.page.evaluate(TAP)
    show_agent(page)
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "he was not an", "young man", "you said")
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    answer = page.run("print(agent.conversation.transcript()[-1][1])").strip()
    reports = str(ask(page, "agent._audio.page_speaker.statistics.underruns"))
    assert reports == "0"
    heard = load_stt("moonshine").transcribe(played(page).tobytes(), SAMPLE_RATE)
    said, understood = set(words_of(answer)), set(words_of(heard))
    assert len(said & understood) >= 0.8 * len(said), (answer, heard)
    press(page, "Stop")
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    press(page, "Disconnect")
    page.page.get_by_role("button", name="Connect", exact=True).wait_for()
    assert ask(page, "rt.load(agent.recording).complete") is True
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "time.sleep(10)",
        "until = time.monotonic() + 10\nwhile time.monotonic() < until: sum(range(1000))",
    ],
    ids=["idle", "while a cell sleeps", "while a cell computes"],
)
def test_speech_stops_the_answer(open_page: OpenPage, says: Callable[..., Path], cell: str) -> None:
    page = open_page(says(YOUNG_MAN, 3.0, AMIABLE))
    page.page.evaluate(TAP)
    show_agent(page)
    connect(page)
    press(page, "Talk")
    if cell:
        page.result(page.start(f"{cell}\nended_s = agent._session.clock()"))
    wait_for_words(page, "young man", "amiable himself")
    heard = played(page)
    page.run(
        """
from realtime_nb.protocol.conversation import PlaybackReport
recording = rt.load(agent.disconnect().result(20) or agent.recording)
lines = [(line.t_s, line.event) for line in recording.raw_events()]
truncated_s, truncated = next(
    (t, e) for t, e in lines if e["type"] == "conversation.item.truncated")
started_s = max(t for t, e in lines
    if e["type"] == "input_audio_buffer.speech_started" and t < truncated_s)
item = agent.conversation.items[truncated["item_id"]]"""
    )
    facts = ask(
        page,
        "{'started_s': started_s, 'stopped_s': item.stopped_s, 'played_s': item.played_s,"
        " 'truncated_ms': truncated['audio_end_ms'], 'audio_ms': item.audio_ms,"
        f" 'ended_s': {'ended_s' if cell else 'None'}}}",
    )
    assert isinstance(facts, dict)
    print(facts, len(heard) / 24)
    assert facts["truncated_ms"] < facts["audio_ms"]
    assert facts["stopped_s"] - facts["started_s"] <= 0.2
    first = interrupted_ms(heard)
    assert abs(first - facts["truncated_ms"]) <= 100
    if cell:
        assert facts["stopped_s"] < facts["ended_s"]


def interrupted_ms(heard: Pcm) -> float:
    """Length of the first of the answers that were played: up to the first half second of rest."""
    quiet = np.convolve(heard != 0, np.ones(SAMPLE_RATE // 2), "valid") == 0
    rest = np.flatnonzero(quiet)
    return float(rest[0] if len(rest) else len(heard)) / 24
