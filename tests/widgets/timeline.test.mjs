import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { columns, heardSeconds, lengthText, tickStep, timeText, within, zoomed } = await load("timeline.js");

/** A clip whose n-th point is (−n, n). */
function clip(start, count, facts = {}) {
  const points = new Int16Array(2 * count + 20);
  for (let n = 0; n < count; n++) points.set([-n, n], 2 * n);
  return { id: 0, lane: "user", start, heard: null, points, count, ...facts };
}

test("a pixel shows the extremes of all its points, and no other", () => {
  const { low, high } = columns(clip(0, 100), { start: 0, end: 1 }, 10);
  assert.deepEqual([...high], [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
  assert.deepEqual([...low], [...high].map((value) => -value));
});

test("where a clip is not, there is nothing", () => {
  const { high } = columns(clip(0.5, 20), { start: 0, end: 1 }, 10);
  assert.deepEqual([...high].map((value) => (Number.isNaN(value) ? null : value)), [null, null, null, null, null, 9, 19, null, null, null]);
  const beside = columns(clip(5, 20), { start: 0, end: 1 }, 10);
  assert.ok([...beside.high].every(Number.isNaN));
});

test("a point is as wide as it is long, zoomed in", () => {
  const { high } = columns(clip(0, 100), { start: 0.5, end: 0.54 }, 8);
  assert.deepEqual([...high], [50, 50, 51, 51, 52, 52, 53, 53]);
});

test("zooming keeps what is under the pointer, and stays in the session", () => {
  const range = zoomed({ start: 10, end: 20 }, 0.5, 12, 100);
  assert.deepEqual(range, { start: 11, end: 16 });
  assert.deepEqual(zoomed({ start: 10, end: 20 }, 100, 12, 60), { start: 0, end: 60 });
  assert.equal(zoomed({ start: 10, end: 11 }, 0.01, 10.5, 60).end - zoomed({ start: 10, end: 11 }, 0.01, 10.5, 60).start, 0.5);
  assert.deepEqual(within({ start: -3, end: 2 }, 60), { start: 0, end: 5 });
  assert.deepEqual(within({ start: 58, end: 63 }, 60), { start: 55, end: 60 });
});

test("how much was heard: up to now, what was reported, all of it", () => {
  const agent = clip(10, 500, { lane: "agent" });
  assert.equal(heardSeconds(agent, 12, true), 2);
  assert.equal(heardSeconds({ ...agent, heard: 1.2 }, 20, true), 1.2);
  assert.equal(heardSeconds({ ...agent, heard: 0 }, 20, false), 0);
  assert.equal(heardSeconds(agent, 20, false), Infinity);
  assert.equal(heardSeconds(clip(10, 5), 20, true), Infinity);
});

test("ticks are round, and not too many", () => {
  assert.equal(tickStep(20, 640), 2);
  assert.equal(tickStep(3_600, 640), 600);
  assert.equal(tickStep(0.5, 640), 0.05);
  assert.deepEqual([timeText(61.5, 0.5), timeText(61, 1), timeText(0.05, 0.05), timeText(3_600, 60)], ["1:01.5", "1:01", "0:00.05", "60:00"]);
  assert.deepEqual([lengthText(0.0384), lengthText(2.25)], ["38 ms", "2.3 s"]);
});
