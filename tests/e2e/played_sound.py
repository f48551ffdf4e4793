"""What a page gave to its sound device."""

from __future__ import annotations

import base64

import numpy as np
import numpy.typing as npt

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.commands.bench.lab_page import LabPage

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


def played(page: LabPage) -> Pcm:
    """What left the worklet, from the first sound to the last."""
    pcm = np.frombuffer(base64.b64decode(page.page.evaluate(PLAYED)), "<i2")
    sound = np.flatnonzero(pcm)
    return pcm[sound[0] : sound[-1] + 1] if len(sound) else pcm[:0]


def interrupted_ms(heard: Pcm, rest_s: float = 0.5) -> float:
    """Length of the first of the answers that were played: up to the first rest of that length."""
    sounds = np.concatenate([[0], np.cumsum(heard != 0)])
    length = int(rest_s * SAMPLE_RATE)
    quiet = sounds[length:] == sounds[:-length]
    rest = np.flatnonzero(quiet)
    return float(rest[0] if len(rest) else len(heard)) / 24
