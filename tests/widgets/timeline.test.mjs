import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const {
  between, clipText, columns, covers, detailWanted, heardSeconds, joined, nextBlock, tickStep, timeText, within, zoomed,
} = await load("timeline_math.js");
const { counted, mixed } = await load("timeline_picture.js");
const { apart, lanesOf } = await load("timeline_layout.js");

const upTo = (/** @type {number} */ end) => ({ start: 0, end });

/** A wave whose n-th point is (−n, n). */
function wave(start, count, facts = {}) {
  const points = new Int16Array(2 * count + 20);
  for (let n = 0; n < count; n++) points.set([-n, n], 2 * n);
  return { lane: "user", start, heard: null, rate: 100, points, count, ...facts };
}

test("a pixel shows the extremes of all its points, and no other", () => {
  const { low, high } = columns(wave(0, 100), { start: 0, end: 1 }, 10);
  assert.deepEqual([...high], [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
  assert.deepEqual([...low], [...high].map((value) => -value));
});

test("where a wave is not, there is nothing", () => {
  const { high } = columns(wave(0.5, 20), { start: 0, end: 1 }, 10);
  assert.deepEqual([...high].map((value) => (Number.isNaN(value) ? null : value)), [null, null, null, null, null, 9, 19, null, null, null]);
  const beside = columns(wave(5, 20), { start: 0, end: 1 }, 10);
  assert.ok([...beside.high].every(Number.isNaN));
});

test("a point is as wide as it is long, zoomed in", () => {
  const { high } = columns(wave(0, 100), { start: 0.5, end: 0.54 }, 8);
  assert.deepEqual([...high], [50, 50, 51, 51, 52, 52, 53, 53]);
});

test("zooming keeps what is under the pointer, and stays in the session", () => {
  const range = zoomed({ start: 10, end: 20 }, 0.5, 12, upTo(100));
  assert.deepEqual(range, { start: 11, end: 16 });
  assert.deepEqual(zoomed({ start: 10, end: 20 }, 100, 12, upTo(60)), { start: 0, end: 60 });
  const shortest = zoomed({ start: 10, end: 11 }, 0.01, 10.5, upTo(60));
  assert.ok(Math.abs(shortest.end - shortest.start - 0.1) < 1e-9);
  assert.deepEqual(within({ start: -3, end: 2 }, upTo(60)), { start: 0, end: 5 });
  assert.deepEqual(within({ start: 58, end: 63 }, upTo(60)), { start: 55, end: 60 });
});

test("how much was heard: up to now, what was reported, all of it", () => {
  const agent = wave(10, 500, { lane: "agent" });
  assert.equal(heardSeconds(agent, 12, true), 2);
  assert.equal(heardSeconds({ ...agent, heard: 1.2 }, 20, true), 1.2);
  assert.equal(heardSeconds({ ...agent, heard: 0 }, 20, false), 0);
  assert.equal(heardSeconds(agent, 20, false), Infinity);
  assert.equal(heardSeconds(wave(10, 5), 20, true), Infinity);
});

test("ticks are round, and not too many", () => {
  assert.equal(tickStep(20, 640), 2);
  assert.equal(tickStep(3_600, 640), 600);
  assert.equal(tickStep(0.5, 640), 0.05);
  assert.deepEqual([timeText(61.5, 0.5), timeText(61, 1), timeText(0.05, 0.05), timeText(3_600, 60)], ["1:01.5", "1:01", "0:00.05", "60:00"]);
});

test("a coarser wave's points are longer", () => {
  const { high } = columns(wave(0, 10, { rate: 10 }), { start: 0, end: 1 }, 20);
  assert.deepEqual([...high].slice(0, 6), [0, 0, 1, 1, 2, 2]);
});

test("a wave is one line, also where its columns don't overlap", () => {
  const low = Float32Array.from([0, 5, 1, NaN, 7]);
  const high = Float32Array.from([1, 6, 2, NaN, 8]);
  joined(low, high);
  assert.deepEqual([...low], [0, 1, 1, NaN, 7]);
  assert.deepEqual([...high], [1, 6, 5, NaN, 8]);
});

test("a selection is in order, in the session, and of some length", () => {
  assert.deepEqual(between(5, 2, upTo(60)), { start: 2, end: 5 });
  assert.deepEqual(between(-4, 99, upTo(60)), { start: 0, end: 60 });
  assert.equal(between(5, 5.0005, upTo(60)), null);
  assert.equal(between(70, 80, upTo(60)), null);
  const early = { start: -3, end: 60 };  // what was said while the session was being opened
  assert.deepEqual(between(-4, -1, early), { start: -3, end: -1 });
  assert.deepEqual(within({ start: -5, end: 2 }, early), { start: -3, end: 4 });
  assert.deepEqual(detailWanted({ start: -3, end: -2 }, 800, 100, null, early), { start: -3, end: -1.5, points: 1200 });
  assert.equal(timeText(-2.5, 0.5), "−0:02.5");
  assert.equal(timeText(-0.001, 1), "0:00");
});

test("audio comes in blocks: a short one first, then ahead of what is heard, up to the end", () => {
  const range = { start: 100, end: 130 };
  assert.deepEqual(nextBlock(range, 100, 100), { start: 100, end: 102 });
  assert.deepEqual(nextBlock(range, 102, 100), { start: 102, end: 112 });
  assert.equal(nextBlock(range, 112, 100), null, "enough is ahead");
  assert.deepEqual(nextBlock(range, 112, 102.5), { start: 112, end: 122 });
  assert.deepEqual(nextBlock(range, 122, 113), { start: 122, end: 130 });
  assert.equal(nextBlock(range, 130, 125), null);
  assert.deepEqual(nextBlock({ start: 3, end: 3.4 }, 3, 3), { start: 3, end: 3.4 });
});

test("an hour's audio is never asked for at once", () => {
  const range = { start: 0, end: 3_600 };
  let fetched = 0;
  let most = 0;
  for (let position = 0; position < 3_600; position += 0.1) {
    const block = nextBlock(range, fetched, position);
    if (block) fetched = block.end;
    assert.ok(fetched > position);
    most = Math.max(most, fetched - position);
  }
  assert.equal(fetched, 3_600);
  assert.ok(most <= 20.01, `${most} s ahead`);
});

test("finer waves are asked for when pixels can show them, with room at both sides", () => {
  assert.equal(detailWanted({ start: 0, end: 16 }, 800, 100, null, upTo(16)), null);
  assert.deepEqual(detailWanted({ start: 4, end: 5 }, 800, 100, null, upTo(16)), { start: 3.5, end: 5.5, points: 1600 });
  assert.deepEqual(detailWanted({ start: 0, end: 1 }, 800, 100, null, upTo(16)), { start: 0, end: 1.5, points: 1200 });
  const detail = { start: 3.5, end: 5.5, rate: 800, waves: [] };
  assert.equal(detailWanted({ start: 4.2, end: 5.2 }, 800, 100, detail, upTo(16)), null, "they are there");
  assert.notEqual(detailWanted({ start: 4.8, end: 5.8 }, 800, 100, detail, upTo(16)), null, "panned out of them");
  assert.notEqual(detailWanted({ start: 4.2, end: 4.4 }, 800, 100, detail, upTo(16)), null, "zoomed in further");
  const samples = { start: 4, end: 4.3, rate: 24_000, waves: [] };
  assert.equal(detailWanted({ start: 4.1, end: 4.2 }, 8_000, 100, samples, upTo(16)), null, "nothing is finer");
  assert.ok(detailWanted({ start: 0, end: 60 }, 4_000, 3, null, upTo(3_600)).points <= 8_000);
});

test("at the session's ends finer waves need not go further", () => {
  const detail = { start: 0, end: 1.5, rate: 800, waves: [] };
  assert.ok(covers(detail, { start: -1, end: 1 }, upTo(16)));
  assert.ok(covers({ ...detail, start: 15, end: 16 }, { start: 15.5, end: 16.5 }, upTo(16)));
  assert.ok(!covers(detail, { start: 0, end: 1.6 }, upTo(16)));
});

test("one is said as one", () => {
  assert.deepEqual([0, 1, 2].map((count) => counted(count, "call", "calls")), ["0 calls", "1 call", "2 calls"]);
});

test("a clip's line of Python is never outside of what is selected", () => {
  assert.equal(clipText({ start: 12.3, end: 15.1 }), "rec.clip(12.3, 15.1)");
  assert.equal(clipText({ start: 0.00049, end: 16.20051 }), "rec.clip(0.001, 16.2)");
  assert.equal(clipText({ start: -1.2345, end: -0.0001 }), "rec.clip(-1.234, -0.001)");
});

test("lanes are there when there is something in them, and none covers another", () => {
  const mark = (kind, facts = {}) => ({ id: kind, kind, t_s: 0, end_s: 1, ...facts });
  const all = [mark("label"), mark("turn", { latency_ms: 800 }), mark("response"), mark("call")];
  for (const marks of [[], all, all.slice(1), [mark("turn", { latency_ms: null })]]) {
    const { axisTop, height, ...lanes } = lanesOf(marks, false);
    let bottom = 0;
    for (const lane of Object.values(lanes).filter((one) => one !== null)) {
      assert.ok(lane.top >= bottom);
      bottom = lane.top + lane.height;
    }
    assert.ok(axisTop >= bottom && height > axisTop);
    assert.equal(lanes.labels !== null, marks.some(({ kind }) => kind === "label"));
    assert.equal(lanes.latencies !== null, marks.some(({ latency_ms }) => Boolean(latency_ms)));
  }
  assert.deepEqual(lanesOf([], true), lanesOf([mark("response")], true));
  const { user, between, agent } = lanesOf([], true, 120);
  assert.ok(between.height === 120 && between.top >= user.top + user.height && agent.top >= between.top + 120);
});

test("texts stay apart and inside", () => {
  const widthOf = (/** @type {string} */ text) => text.length * 10;
  const placed = apart([{ x: 95, text: "late" }, { x: -5, text: "early" }, { x: 20, text: "no room" }], widthOf, 0, 100);
  assert.deepEqual(placed, [{ x: 0, text: "early" }, { x: 60, text: "late" }]);
});

test("a colour is mixed with the text's, if that is understood", () => {
  assert.equal(mixed("#000064", "rgb(100, 50, 0)", 0.6), "rgb(40, 20, 60)");
  assert.equal(mixed("#000064", "rgba(100, 50, 0, 0.5)", 0.6), "rgb(40, 20, 60)");
  assert.equal(mixed("#000064", "color(srgb 1 1 1)", 0.6), "#000064");
});
