import assert from "node:assert/strict";
import test from "node:test";
import { load, randomness, signal, sine } from "./load.mjs";

const { Resampler } = await load("resampler.js");

/** @param {Float32Array} input @param {number[]} cuts lengths, used in turn */
function convert(input, from, to, cuts = [128]) {
  const resampler = new Resampler(from, to);
  const all = [];
  for (let at = 0, turn = 0; at < input.length; turn++) {
    const piece = input.subarray(at, (at += cuts[turn % cuts.length]));
    const output = new Float32Array(resampler.capacity(piece.length));
    const count = resampler.process(piece, output);
    assert.ok(count <= output.length);
    all.push(...output.subarray(0, count));
  }
  return { output: Float32Array.from(all), reach: resampler.reach };
}

const RATES = [8000, 11025, 16000, 22050, 32000, 44100, 48000, 88200, 96000, 192000];

for (const rate of RATES) {
  for (const [from, to] of [
    [rate, 24000],
    [24000, rate],
  ]) {
    test(`${from} → ${to} Hz: sample counts, and a sine stays that sine at its place`, () => {
      const { output, reach } = convert(signal(from, sine(440, from)), from, to);
      // Sample n is out once `reach` samples beyond n·from/to, rounded down, are there.
      assert.equal(output.length, Math.ceil(((from - reach) * to) / from));
      const expected = sine(440, to);
      const edge = Math.ceil((reach * to) / from); // the filter still sees the silence before
      for (let n = edge; n < output.length; n++) {
        assert.ok(Math.abs(output[n] - expected(n)) < 2e-4, `sample ${n}`);
      }
    });
  }
}

test("how the stream is cut changes nothing, not a bit", () => {
  const random = randomness(7);
  const input = signal(48000, () => random() - 0.5);
  for (const [from, to] of [
    [48000, 24000],
    [44100, 24000],
    [24000, 44100],
  ]) {
    const whole = convert(input, from, to, [input.length]).output;
    assert.deepEqual(convert(input, from, to, [128]).output, whole);
    assert.deepEqual(convert(input, from, to, [1, 7, 1023, 1024, 1025, 3000]).output, whole);
  }
});

test("nothing is lost over 60 s at 44.1 kHz", () => {
  const resampler = new Resampler(44100, 24000);
  const output = new Float32Array(resampler.capacity(128));
  const input = new Float32Array(128);
  let given = 0;
  let made = 0;
  while (given < 60 * 44100) {
    made += resampler.process(input, output);
    given += input.length;
  }
  assert.equal(made, Math.ceil(((given - resampler.reach) * 24000) / 44100));
});

test("what the lower rate can't hold is gone, not folded back", () => {
  const { output, reach } = convert(signal(48000, sine(14000, 48000)), 48000, 24000);
  const loudest = Math.max(...output.subarray(reach).map(Math.abs));
  assert.ok(loudest < 1e-3, `an alias of ${loudest}`);
});

test("the same rate passes unchanged", () => {
  const input = signal(1000, sine(1000, 24000));
  assert.deepEqual(convert(input, 24000, 24000).output, input);
});
