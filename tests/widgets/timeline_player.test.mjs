import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { SoundPlayer } = await load("timeline_player.js");

/** A page whose time stands still until it is told. */
function page() {
  const told = { time: 0, tick: () => {}, sent: [], sources: [], changes: 0 };
  globalThis.window = { setInterval: (tick) => { told.tick = tick; return 1; } };
  globalThis.clearInterval = () => { told.tick = () => {}; };
  globalThis.performance = { now: () => told.time * 1_000 };
  globalThis.AudioContext = class {
    outputLatency = 0;
    destination = {};
    state = "running";
    get currentTime() { return told.time; }
    createGain() { return { connect() {}, gain: { setTargetAtTime() {} } }; }
    createBuffer(sides, length, rate) {
      const channels = Array.from({ length: sides }, () => new Float32Array(length));
      return { length, rate, channels, getChannelData: (side) => channels[side] };
    }
    createBufferSource() {
      const source = {
        buffer: null, at: NaN, stopped: false, connect() {}, addEventListener() {},
        start(at) { source.at = at; }, stop() { source.stopped = true; },
      };
      told.sources.push(source);
      return source;
    }
    suspend() { this.state = "suspended"; return Promise.resolve(); }
    resume() { this.state = "running"; return Promise.resolve(); }
    close() { return Promise.resolve(); }
  };
  const player = new SoundPlayer((message) => told.sent.push(message), () => { told.changes += 1; });
  const asked = () => told.sent.filter(({ kind }) => kind === "audio");
  /** The kernel's answer to the last request. */
  function answer() {
    const { run, start_s, end_s } = asked().at(-1);
    const pcm = new Int16Array(2 * Math.round((end_s - start_s) * 24_000));
    for (let n = 0; n < pcm.length; n += 2) pcm.set([8_192, -16_384], n);
    player.onBlock({ run, start_s }, pcm);
  }
  function wait(seconds) {
    for (const end = told.time + seconds; told.time < end - 1e-9;) {
      told.time += 0.1;
      told.tick();
    }
  }
  return { told, player, asked, answer, wait };
}

test("the user is on the left, the agent on the right, and blocks follow each other without a gap", () => {
  const { told, player, asked, answer, wait } = page();
  player.play({ start: 100, end: 130 });
  assert.equal(player.state, "waiting");
  assert.equal(player.position, 100);
  answer();
  assert.equal(player.state, "playing");
  answer();
  wait(1);
  const [first, second] = told.sources;
  assert.equal(first.buffer.channels[0][7], 0.25);
  assert.equal(first.buffer.channels[1][7], -0.5);
  assert.ok(Math.abs(second.at - first.at - 2) < 1e-9);
  assert.equal(asked().length, 2, "enough is ahead");
  assert.ok(Math.abs(player.position - 100.97) < 0.01);
});

test("at its end it stops, and asks for no more", () => {
  const { told, player, asked, answer, wait } = page();
  player.play({ start: 5, end: 6 });
  answer();
  wait(1.2);
  assert.equal(player.state, "stopped");
  assert.equal(asked().length, 1);
  assert.equal(told.sent.at(-1).kind, "stop");
});

test("what comes after stop is not played", () => {
  const { told, player, answer } = page();
  player.play({ start: 5, end: 60 });
  player.stop();
  answer();
  assert.equal(told.sources.length, 0);
  player.play({ start: 7, end: 60 });
  const [first] = told.sent;
  player.onBlock({ run: first.run, start_s: 5 }, new Int16Array(100));
  assert.equal(told.sources.length, 0, "it answers the listening before");
});

test("a block that is late is heard whole, and those after it later", () => {
  const { told, player, answer, wait } = page();
  player.play({ start: 0, end: 60 });
  answer();
  wait(3);
  assert.ok(player.position <= 2, "it waits for more");
  answer();
  assert.ok(told.sources[1].at >= told.time);
  answer();
  assert.ok(Math.abs(told.sources[2].at - told.sources[1].at - 10) < 1e-9);
});

test("paused it asks for nothing, and goes on", () => {
  const { player, asked, answer, wait } = page();
  player.play({ start: 0, end: 60 });
  answer();
  answer();
  player.pause();
  wait(5);
  assert.equal(player.state, "paused");
  assert.equal(asked().length, 2);
  player.resume();
  assert.equal(player.state, "playing");
});

test("without an answer it says so and stops", () => {
  const { player, wait } = page();
  player.play({ start: 0, end: 60 });
  wait(6);
  assert.equal(player.state, "stopped");
  assert.match(player.problem, /kernel does not answer/);
});
