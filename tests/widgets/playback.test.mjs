import assert from "node:assert/strict";
import test from "node:test";
import { load, randomness, sine, workletScope } from "./load.mjs";

const processors = workletScope(24000);
const { Player } = await load("playback.worklet.js");

const pcm = (length, value) => Int16Array.from({ length }, (_, i) => value(i));
const ramp = (length, from = 0) => pcm(length, (i) => ((from + i) % 20000) + 1);

function player(rate = 24000, prebufferMs = 100) {
  const events = [];
  const made = new Player(rate, prebufferMs, (event) => events.push(event));
  const clear = made._clear;
  let dropped = 0; // by the last flush
  made._clear = () => {
    dropped = made._queued;
    clear.call(made);
  };
  const heard = [];
  const render = (blocks) => {
    for (let i = 0; i < blocks; i++) {
      const out = new Float32Array(128);
      made.render(out);
      heard.push(...out);
    }
  };
  const kinds = () =>
    events
      .map(({ kind, item }) => `${kind} ${item ?? ""}`.trim())
      .filter((kind) => !kind.startsWith("progress"));
  return {
    made,
    events,
    heard,
    render,
    kinds,
    dropped: () => dropped,
    of: (kind) => events.filter((event) => event.kind === kind),
  };
}

test("an item plays sample by sample, and is counted to its end", () => {
  const { made, heard, render, kinds, of } = player();
  const sound = ramp(5000);
  made.write("a", 0, sound.slice(0, 2399));
  render(3);
  assert.deepEqual(kinds(), [], "less than the pre-buffer waits");
  made.write("a", 2399, sound.slice(2399));
  made.end("a");
  render(60);
  const played = heard.slice(3 * 128, 3 * 128 + 5000).map((value) => Math.round(value * 32768));
  assert.deepEqual(played, [...sound]);
  assert.ok(heard.slice(3 * 128 + 5000).every((value) => value === 0));
  assert.deepEqual(kinds(), ["started a", "finished a"]);
  assert.equal(of("finished")[0].played, 5000);
});

test("a short item that is complete does not wait for the pre-buffer", () => {
  const { made, render, kinds } = player();
  made.write("a", 0, ramp(100));
  made.end("a");
  render(1);
  assert.deepEqual(kinds(), ["started a", "finished a"]);
});

test("a little audio without an end plays after twice the pre-buffer", () => {
  const { made, render, kinds } = player();
  made.write("a", 0, ramp(100));
  render(37);
  assert.deepEqual(kinds(), []);
  render(2);
  assert.deepEqual(kinds(), ["started a"]);
});

test("items follow one another without a gap", () => {
  const { made, heard, render, kinds } = player();
  made.write("a", 0, ramp(3000));
  made.end("a");
  made.write("b", 0, ramp(3000, 3000));
  made.end("b");
  render(50);
  assert.deepEqual(
    heard.slice(0, 6000).map((value) => Math.round(value * 32768)),
    [...ramp(6000)],
  );
  assert.deepEqual(kinds(), ["started a", "finished a", "started b", "finished b"]);
});

test("the gate lets an underrun be counted once, with its length; an end is none", () => {
  const { made, render, kinds, of } = player();
  made.write("a", 0, ramp(2432)); // 19 blocks
  render(19 + 30);
  assert.deepEqual(kinds(), ["started a"], "silence is no underrun before the item goes on");
  made.write("a", 2432, ramp(2400));
  render(1);
  assert.deepEqual(of("underrun"), [
    { kind: "underrun", item: "a", played: 2432, silent: 30 * 128 },
  ]);
  render(40);
  made.end("a");
  assert.deepEqual(kinds(), ["started a", "underrun a", "finished a"]);
  assert.equal(of("finished")[0].played, 4832);
  made.write("b", 0, ramp(2400));
  render(1);
  assert.equal(of("underrun").length, 1, "another item starts afresh");
});

for (const blocks of [0, 1, 5, 18]) {
  test(`a flush after ${blocks} blocks: exact position, a fade of 64 samples, nothing after`, () => {
    const { made, heard, render, of, dropped } = player();
    made.write(
      "a",
      0,
      pcm(4000, () => 16384),
    );
    made.write(
      "b",
      0,
      pcm(1000, () => 16384),
    );
    render(blocks);
    made.flush(7);
    render(3);
    const position = blocks === 0 ? 0 : blocks * 128 + 64;
    assert.deepEqual(of("flushed"), [
      {
        kind: "flushed",
        id: 7,
        played: [
          ["a", position],
          ["b", 0],
        ],
      },
    ]);
    assert.equal(dropped(), 5000 - position);
    const tail = heard.slice(blocks * 128);
    for (let i = 0; blocks && i < 64; i++)
      assert.ok(Math.abs(tail[i] - 0.5 * (1 - (i + 1) / 64)) < 1e-6);
    assert.ok(tail.slice(64).every((value) => value === 0));
    if (!blocks) assert.ok(tail.every((value) => value === 0));
  });
}

test("what is written before a flush was rendered plays after it", () => {
  const { made, heard, render, kinds } = player();
  made.write("a", 0, ramp(4000));
  render(2);
  made.flush(1);
  made.write("b", 0, ramp(2400));
  made.end("b");
  made.flush(2);
  made.write("c", 0, ramp(2400));
  made.end("c");
  render(20);
  assert.deepEqual(
    heard.slice(3 * 128, 3 * 128 + 2176).map((value) => Math.round(value * 32768)),
    [...ramp(2176)],
  );
  assert.deepEqual(kinds(), ["started a", "flushed", "flushed", "started c", "finished c"]);
});

test("where nothing is rendered a flush is acknowledged at once", () => {
  const { made, render, of } = player();
  made.write("a", 0, ramp(4000));
  render(2);
  made.flush(1, true);
  assert.deepEqual(of("flushed")[0].played, [["a", 256]]);
});

test("after a flush the next item starts as the first one did", () => {
  const { made, heard, render, kinds } = player();
  made.write("a", 0, ramp(4000));
  render(2);
  made.flush(1);
  render(1);
  made.write("b", 0, ramp(2400));
  made.end("b");
  const before = heard.length;
  render(19);
  assert.deepEqual(
    heard.slice(before, before + 2400).map((value) => Math.round(value * 32768)),
    [...ramp(2400)],
  );
  assert.deepEqual(kinds(), ["started a", "flushed", "started b", "finished b"]);
});

test("a page that joins in the middle of an item counts from there", () => {
  const { made, render, of } = player();
  made.write("a", 48000, ramp(2400));
  made.end("a");
  render(20);
  assert.equal(of("started")[0].played, 48000);
  assert.equal(of("finished")[0].played, 50400);
});

for (const rate of [44100, 48000, 16000]) {
  test(`at ${rate} Hz: the sine stays, every sample is counted, a flush is exact`, () => {
    const { made, heard, render, of } = player(rate);
    made.write(
      "a",
      0,
      pcm(24000, (i) => Math.round(32768 * sine(300, 24000)(i))),
    );
    made.end("a");
    render(Math.ceil((rate * 1.1) / 128));
    assert.equal(of("finished")[0].played, 24000);
    const expected = sine(300, rate);
    for (let n = 200; n < rate - 200; n++)
      assert.ok(Math.abs(heard[n] - expected(n)) < 1e-3, `sample ${n}`);

    made.write("b", 0, ramp(24000));
    render(20);
    made.flush(1);
    render(1);
    assert.deepEqual(of("flushed")[0].played, [
      ["b", Math.floor(((20 * 128 + 64) * 24000) / rate)],
    ]);
  });
}

test("ducking lowers the sound within 30 ms and without a click", () => {
  const { made, heard, render } = player();
  made.write(
    "a",
    0,
    pcm(24000, () => 16384),
  );
  render(10);
  made.ducked = true;
  render(10);
  assert.ok(Math.abs(heard[10 * 128 + 720] - 0.1) < 0.03);
  for (let i = 1; i < heard.length; i++) assert.ok(Math.abs(heard[i] - heard[i - 1]) < 0.01);
  made.ducked = false;
  render(20);
  assert.ok(Math.abs(heard.at(-1) - 0.5) < 0.001);
});

test("what is beyond the queue's bound is refused aloud", () => {
  const { made, of } = player();
  const quarter = new Int16Array(24000 * 300);
  for (let i = 0; i < 4; i++) made.write("a", i * quarter.length, quarter);
  assert.deepEqual(of("unplayed"), [{ kind: "unplayed", item: "a", samples: quarter.length }]);
});

test("whatever the pieces and pauses, played + dropped = written, and counts never fall", () => {
  for (let seed = 1; seed <= 30; seed++) {
    const random = randomness(seed);
    const rate = [24000, 44100, 48000][seed % 3];
    const { made, events, render, of, dropped } = player(rate, 60);
    let written = 0;
    for (let step = 0; step < 40; step++) {
      const length = Math.floor(random() * 3000);
      if (length) made.write("a", written, ramp(length));
      written += length;
      render(Math.floor(random() * 30));
    }
    made.flush(1);
    render(2);
    const [flushed] = of("flushed");
    assert.equal(flushed.played[0][1] + dropped() <= written, true);
    // Where the rate is converted, the filter holds a millisecond or two that is in neither.
    const held = written - flushed.played[0][1] - dropped();
    assert.ok(rate === 24000 ? held === 0 : held < 100, `seed ${seed}: ${held} unaccounted`);
    const positions = events
      .filter(({ played }) => typeof played === "number")
      .map(({ played }) => played);
    assert.deepEqual(
      positions,
      [...positions].sort((x, y) => x - y),
    );
  }
});

test("the processor plays on every channel, stamps its reports, and ends", () => {
  const Processor = processors.get("realtime-nb-playback");
  const processor = new Processor({ processorOptions: { prebufferMs: 100 } });
  const outputs = [[new Float32Array(128), new Float32Array(128)]];
  processor.port.onmessage({ data: { kind: "audio", item: "a", start: 0, pcm: ramp(2400) } });
  processor.port.onmessage({ data: { kind: "end", item: "a" } });
  assert.equal(processor.process([], outputs), true);
  assert.deepEqual(outputs[0][1], outputs[0][0]);
  assert.ok(outputs[0][0][5] > 0);
  assert.equal(processor.port.sent[0].kind, "started");
  assert.ok(Math.abs(processor.port.sent[0].t - Date.now()) < 1000);
  processor.port.onmessage({ data: { kind: "flush", id: 3 } });
  processor.process([], outputs);
  assert.deepEqual(processor.port.sent.at(-1).played, [["a", 192]]);
  processor.port.onmessage({ data: { kind: "stop" } });
  assert.equal(processor.process([], outputs), false);
});
