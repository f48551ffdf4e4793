import assert from "node:assert/strict";
import test from "node:test";
import { load, randomness, signal, sine, workletScope } from "./load.mjs";

const processors = workletScope(48000);
const { Capture, Gate } = await load("capture.worklet.js");

const pcmOf = (samples) => Int16Array.from(samples, (sample) => Math.round(sample * 32768));

function capture(rate = 24000, chunkMs = 40) {
  const events = [];
  const made = new Capture(rate, chunkMs, (event) => events.push(event));
  return { made, events, chunks: () => events.filter(({ kind }) => kind === "chunk") };
}

/** @param {any} made @param {Float32Array} samples */
function speak(made, samples, frames = 128) {
  for (let at = 0; at < samples.length; at += frames) {
    made.push([samples.subarray(at, at + frames)], Math.min(frames, samples.length - at));
  }
}

test("chunks have positions, are of the asked length, and join without a gap", () => {
  const { made, chunks } = capture();
  const samples = signal(24000 + 100, sine(300, 24000));
  speak(made, samples);
  made.end();
  const list = chunks();
  assert.deepEqual(
    list.map(({ position }) => position),
    list.map((_, i) => i * 960),
  );
  assert.deepEqual(
    list.slice(0, -1).map(({ pcm }) => pcm.length),
    Array(25).fill(960),
  );
  const joined = list.flatMap(({ pcm }) => [...pcm]);
  assert.deepEqual(joined, [...pcmOf(samples)]);
  assert.equal(list.at(-1).position + list.at(-1).pcm.length, 24100);
});

test("60 s at 48 kHz: 24 000 samples a second, none lost or twice", () => {
  const { made, chunks } = capture(48000);
  const block = new Float32Array(128);
  for (let i = 0; i < (60 * 48000) / 128; i++) made.push([block], 128);
  made.end();
  const list = chunks();
  let next = 0;
  for (const { position, pcm } of list) {
    assert.equal(position, next);
    next += pcm.length;
  }
  assert.equal(next, 60 * 24000 - 24); // the filter waits for 48 samples beyond its place
});

test("a 16-bit signal at 24 kHz comes out bit by bit; beyond full scale it is clipped", () => {
  const { made, chunks } = capture(24000, 20);
  const values = [-32768, -1, 0, 1, 32767];
  speak(made, Float32Array.from([...values.map((value) => value / 32768), 1.5, -1.5]));
  made.end();
  assert.deepEqual([...chunks()[0].pcm], [...values, 32767, -32768]);
});

test("two channels are averaged, and no channel is silence", () => {
  const { made, chunks } = capture();
  made.push([new Float32Array(4).fill(0.5), new Float32Array(4).fill(0.25)], 4);
  made.push([], 4);
  made.end();
  assert.deepEqual([...chunks()[0].pcm], [...Array(4).fill(12288), 0, 0, 0, 0]);
});

test("muted: silence of the same length, and no gate", () => {
  const { made, events, chunks } = capture();
  made.muted = true;
  speak(made, signal(9600, sine(300, 24000)));
  assert.equal(chunks().length, 10);
  assert.ok(chunks().every(({ pcm }) => pcm.every((value) => value === 0)));
  assert.ok(events.every(({ kind }) => kind === "chunk"));
});

test("a new chunk length holds from the next chunk on", () => {
  const { made, chunks } = capture();
  speak(made, new Float32Array(128));
  made.chunkMs = 20;
  speak(made, new Float32Array(2000));
  assert.deepEqual(
    chunks().map(({ pcm }) => pcm.length),
    [960, 480, 480],
  );
});

test("the gate opens within 40 ms of speech and closes after it, in any steady noise", () => {
  for (const noise of [0, 0.001, 0.004]) {
    const random = randomness(3);
    const gate = new Gate();
    const changes = [];
    for (let i = 0; i < 4 * 24000; i++) {
      const speaks = i >= 48000 && i < 72000;
      const tone = speaks ? 0.1 * Math.sin(i / 5) : 0;
      if (gate.push(tone + noise * (random() - 0.5))) changes.push([gate.open, i / 24]);
    }
    assert.deepEqual(
      changes.map(([open]) => open),
      [true, false],
      `noise ${noise}`,
    );
    assert.ok(changes[0][1] >= 2000 && changes[0][1] <= 2040, `opened at ${changes[0][1]}`);
    assert.ok(changes[1][1] >= 3200 && changes[1][1] <= 3300, `closed at ${changes[1][1]}`);
  }
});

test("the processor hands chunks over, obeys, and ends", () => {
  const Processor = processors.get("realtime-nb-capture");
  const processor = new Processor({ processorOptions: { chunkMs: 20 } });
  const input = [[new Float32Array(128).fill(0.5)]];
  const output = [[new Float32Array(128)]];
  processor.port.onmessage({ data: { kind: "mute", on: true } });
  for (let i = 0; i < 20; i++) assert.equal(processor.process(input, output), true);
  processor.port.onmessage({ data: { kind: "stop" } });
  processor.port.onmessage({ data: { kind: "stop" } });
  assert.equal(processor.process(input, output), false);
  const kinds = processor.port.sent.map(({ kind }) => kind);
  assert.deepEqual(kinds, ["chunk", "chunk", "chunk"]);
  assert.ok(processor.port.sent[0].pcm.every((value) => value === 0));
  assert.ok(
    output[0][0].every((value) => value === 0),
    "the microphone must not be heard",
  );
});
