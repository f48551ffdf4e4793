import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { clockText, durationText } = await load("texts.js");

test("moments are minutes and whole seconds, or parts of them", () => {
  assert.deepEqual([undefined, 0, 59.99, 60, 3_725].map((t) => clockText(t)), ["", "0:00", "0:59", "1:00", "62:05"]);
  assert.deepEqual([65.27, 0, 599.99, null].map((t) => clockText(t, 1)), ["1:05.2", "0:00.0", "9:59.9", ""]);
  assert.equal(clockText(59.996, 2, Math.round), "1:00.00");
});

test("moments before the session have a sign, as far as they are told apart from its beginning", () => {
  assert.deepEqual([-0.4, -4.2, -64].map((t) => clockText(t)), ["0:00", "−0:04", "−1:04"]);
  assert.deepEqual([-0.04, -0.4].map((t) => clockText(t, 1)), ["0:00.0", "−0:00.4"]);
});

test("durations are milliseconds, from a second on seconds", () => {
  assert.deepEqual([undefined, null, 0, 38.2, 999, 1_250, 1_540].map(durationText), ["", "", "0 ms", "38 ms", "999 ms", "1.3 s", "1.5 s"]);
});
