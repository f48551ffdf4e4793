"""What the page's capture worklet was given, to the sample, and where that comes from."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from realtime_nb.widgets.page_text import module_text

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["Given", "Stretch", "given", "stretches", "tap_capture"]

_PATTERN = 64  # samples of noise: they are in the file once

# Wraps the capture worklet's processor: what its process() is called with while it runs is kept.
_TAP = """
() => {
  const tap = `
    const register = globalThis.registerProcessor;
    globalThis.registerProcessor = (name, Processor) => register(name, class extends Processor {
      quanta = [];
      process(inputs, outputs, parameters) {
        const [channels] = inputs;
        const samples = channels[0]?.slice() ?? new Float32Array(outputs[0][0].length);
        const same = channels.every((other) => other.every((value, i) => value === samples[i]));
        const goesOn = super.process(inputs, outputs, parameters);
        if (goesOn) this.quanta.push({at: currentFrame, samples, same});
        if (!goesOn || this.quanta.length === 64) {
          this.port.postMessage({kind: "given", rate: sampleRate, quanta: this.quanta});
          this.quanta = [];
        }
        return goesOn;
      }
    });`;
  const url = URL.createObjectURL(new Blob([tap], {type: "text/javascript"}));
  const add = AudioWorklet.prototype.addModule;
  AudioWorklet.prototype.addModule = async function (module) {
    if (this.tapped === undefined) await add.call(this, url);
    this.tapped = true;
    await add.call(this, module);
  };
  globalThis.given = {rate: 0, quanta: []};
  const Node = globalThis.AudioWorkletNode;
  globalThis.AudioWorkletNode = class extends Node {
    constructor(context, name, options) {
      super(context, name, options);
      if (name !== "realtime-nb-capture") return;
      this.port.addEventListener("message", ({data}) => {
        if (data.kind !== "given") return;
        given.rate = data.rate;
        given.quanta.push(...data.quanta);
      });
    }
  };
}
"""

# The same once more, from what was kept and at leisure: the worklet's own code makes PCM16 of it.
_GIVEN = """
async ([code, chunkMs]) => {
  const {rate, quanta} = given;
  Object.assign(globalThis, {AudioWorkletProcessor: class {}, registerProcessor: () => {}});
  const url = URL.createObjectURL(new Blob([code], {type: "text/javascript"}));
  const {Capture} = await import(url);
  const pieces = [];
  const capture = new Capture(rate, chunkMs, (event) => {
    if (event.kind === "chunk") pieces.push(event.pcm);
  });
  for (const {samples} of quanta) capture.push([samples], samples.length);
  capture.end();
  const text = (arrays, Type) => {
    const all = new Type(arrays.reduce((sum, one) => sum + one.length, 0));
    let filled = 0;
    for (const one of arrays) { all.set(one, filled); filled += one.length; }
    const bytes = new Uint8Array(all.buffer);
    let letters = "";
    for (let at = 0; at < bytes.length; at += 32768) {
      letters += String.fromCharCode(...bytes.subarray(at, at + 32768));
    }
    return btoa(letters);
  };
  return {
    rate,
    samples: text(quanta.map(({samples}) => samples), Float32Array),
    pcm: text(pieces, Int16Array),
    mono: quanta.every(({same}) => same),
    skipped: quanta.flatMap(({at, samples}, i) => {
      const next = quanta[i + 1]?.at ?? at + samples.length;
      return next === at + samples.length ? [] : [[i, next - at - samples.length]];
    }),
  };
}
"""


@dataclass(frozen=True)
class Given:
    """What a capture worklet was called with from its start to its end.

    Attributes:
        sample_rate: Of the audio device.
        samples: float32, (n,).
        pcm: What the worklet's code makes of it: PCM16 at 24 kHz.
        skipped: Before which quantum the browser rendered nothing, and for how many frames.
    """

    sample_rate: int
    samples: npt.NDArray[np.float32]
    pcm: bytes
    skipped: list[tuple[int, int]]


def tap_capture(page: Page) -> None:
    """Keeps what capture worklets that start later are given."""
    page.evaluate(_TAP)


def given(page: Page, chunk_ms: int = 40) -> Given:
    """What the capture worklet of a tapped page was given; it has stopped."""
    found = page.evaluate(_GIVEN, [module_text("capture.worklet.js"), chunk_ms])
    assert found["mono"], "its channels differ"
    samples = np.frombuffer(base64.b64decode(found["samples"]), "<f4")
    pcm = base64.b64decode(found["pcm"])
    return Given(found["rate"], samples, pcm, [(at, frames) for at, frames in found["skipped"]])


@dataclass(frozen=True)
class Stretch:
    """Samples that follow each other here as they do in a file.

    Attributes:
        start, end: Where it is among the samples.
        file_start: Where it begins in the file; None: it is silence that is not from there.
    """

    start: int
    end: int
    file_start: int | None

    @property
    def lag(self) -> int | None:
        """How much further on it is in the file."""
        return None if self.file_start is None else self.file_start - self.start


def stretches(samples: npt.NDArray[np.float32], file: npt.NDArray[np.int16]) -> list[Stretch]:
    """Takes samples apart into stretches of a PCM16 file and silence.

    The file has no silence but at its beginning and its end; silence before the first sound is
    left out.

    Raises:
        AssertionError: something is not from the file.
    """
    heard = np.round(samples * 32768.0).astype("<i2")
    kept, bytes_of_file = heard.tobytes(), file.astype("<i2").tobytes()
    found: list[Stretch] = []
    at = _run(heard == 0, 0)
    while at < len(heard):
        place: int | None = None
        run = _run(heard == 0, at)
        if run < _PATTERN:
            place = _find(bytes_of_file, kept[2 * at : 2 * (at + _PATTERN)])
            assert place is not None, f"sample {at} is not from the file; until then: {found}"
            length = min(len(heard) - at, len(file) - place)
            run = _run(heard[at : at + length] == file[place : place + length], 0)
        found.append(Stretch(at, at + run, place))
        at += run
    return found


def _run(same: npt.NDArray[np.bool_], start: int) -> int:
    """How many are true from ``start`` on."""
    other = np.flatnonzero(~same[start:])
    return int(other[0]) if len(other) else len(same) - start


def _find(file: bytes, pattern: bytes) -> int | None:
    """Where a pattern of samples begins in a file, in samples."""
    at = file.find(pattern)
    while at > 0 and at % 2:
        at = file.find(pattern, at + 1)
    return at // 2 if at >= 0 else None
