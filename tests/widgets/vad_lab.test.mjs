import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const {
  curveColumns, exitThreshold, heightOf, labRoom, momentOf, placesOf, positionAt, thresholdAt,
} = await load("vad_lab_math.js");
const { ToldModel, createLabStore } = await load("vad_lab_store.js");
const { calibrationText } = await load("vad_lab_board.js");
const { movedThreshold, thresholdStep } = await load("vad_lab.js");
const { shortened } = await load("vad_lab_picture.js");

// 1 s of audio from 2 s on, then the microphone paused until 10 s.
const PAUSED = [[2, 0, 1000], [10, 1000, 3000]];

test("audio lies where it was captured, on both sides of a pause", () => {
  assert.equal(momentOf(PAUSED, 500), 2.5);
  assert.equal(momentOf(PAUSED, 1000), 10); // what begins there
  assert.equal(momentOf(PAUSED, 1000, true), 3); // what ends there
  assert.equal(momentOf(PAUSED, 1500), 10.5);
  assert.equal(momentOf(PAUSED, 4000), 13); // more than is known goes on
  assert.equal(momentOf([], 700), 0.7); // bare audio
  assert.equal(positionAt(PAUSED, 10.5), 1500);
  assert.ok(Number.isNaN(positionAt(PAUSED, 5)));
  assert.deepEqual(placesOf(PAUSED, 500, 1500), [{ start: 2.5, end: 3 }, { start: 10, end: 10.5 }]);
  assert.deepEqual(placesOf(PAUSED, 200, 1000), [{ start: 2.2, end: 3 }]);
  assert.deepEqual(placesOf([], 200, 1000), [{ start: 0.2, end: 1 }]);
});

test("a turn's bar goes through a stall of the line, and not through a pause of the microphone", () => {
  const stalled = [[1, 0, 1000], [2.4, 1000, 2000], [9, 2000, 3000]]; // 0.4 s late, then 5.6 s of pause
  assert.deepEqual(placesOf(stalled, 500, 2500, 1), [{ start: 1.5, end: 3.4 }, { start: 9, end: 9.5 }]);
  assert.deepEqual(placesOf(stalled, 500, 2500, Infinity), [{ start: 1.5, end: 9.5 }]);
  assert.deepEqual(placesOf([[1, 0, 1000], [1.5, 1000, 1200]], 0, 1200, 0), [{ start: 1, end: 2 }]); // never back
});

test("a pixel shows the highest probability in it, and none where no audio was", () => {
  const frames = Uint8Array.from({ length: 100 }, (_, n) => n); // 3.2 s
  const columns = [...curveColumns(frames, 0, [], { start: 0, end: 6.4 }, 20)]; // ten frames each
  assert.deepEqual(columns.slice(0, 10), [9, 19, 29, 39, 49, 59, 69, 79, 89, 99]);
  assert.ok(columns.slice(10).every((value) => value === -1));
  const apart = [...curveColumns(frames, 0, PAUSED, { start: 0, end: 14 }, 14)];
  assert.deepEqual(apart.map((value) => value >= 0), [0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0].map(Boolean));
  // The first of them are gone: what is there keeps its place.
  const late = [...curveColumns(frames.subarray(50), 50, [], { start: 0, end: 3.2 }, 10)];
  assert.deepEqual(late, [-1, -1, -1, -1, -1, 59, 69, 79, 89, 99]);
});

test("a height means a threshold and the other way round", () => {
  const lane = { top: 40, height: 100 };
  for (const value of [0, 0.25, 0.5, 0.99, 1]) {
    assert.equal(thresholdAt(heightOf(value, lane), lane, { min: 0, max: 1 }), value);
  }
  assert.equal(thresholdAt(-500, lane, { min: 0, max: 1 }), 1);
  assert.equal(thresholdAt(5000, lane, { min: 0, max: 1 }), 0);
  assert.equal(thresholdAt(77.7, lane, { min: 0, max: 1 }), 0.62);
  assert.equal(exitThreshold(0.5, 0.15), 0.35);
  assert.equal(exitThreshold(0.1, 0.15), 0.01);
});

test("keys move the threshold in hundredths, within its limits", () => {
  assert.deepEqual(["ArrowUp", "ArrowDown", "PageUp", "n"].map((key) => thresholdStep(key, false)), [0.01, -0.01, 0.05, 0]);
  assert.equal(thresholdStep("ArrowUp", true), 0.05);
  assert.equal(movedThreshold(0.29, 0.01), 0.3);
  assert.equal(movedThreshold(0.999, 0.05), 1);
  assert.equal(movedThreshold(0.02, -0.05), 0);
});

test("no row covers another", () => {
  for (const count of [0, 1, 10]) {
    const { curve, rows, height } = labRoom(count);
    let bottom = curve.top + curve.height;
    for (const { top, height: high } of rows) {
      assert.ok(top >= bottom);
      bottom = top + high;
    }
    assert.ok(height >= bottom && rows.length === count);
  }
});

const message = (facts = {}) => ({ kind: "lab", afresh: false, first: 0, count: 0, stretches_from: 0, stretches: [], spans: [], pauses_from: 0, pauses: [], ...facts });
const bytes = (...values) => [new DataView(Uint8Array.from(values).buffer)];
const row = (id, facts = {}) => ({ id, name: id, kind: "ghost", words: "", grey: false, turns: 0, cells: {}, notes: {}, ...facts });

test("a page is told what is new, and everything when it comes back", () => {
  const sent = [];
  const store = createLabStore((one) => sent.push(one));
  let told = 0;
  store.watchers.add(() => { told += 1; });
  store.onMessage(message({ afresh: true, first: 7, count: 2, stretches: [[0, 0, 64]], rows: [row("a"), row("b")],
    spans: [{ id: "a", from: 0, spans: [[0, 0, 10, 20], [30, 30, 40, 50]] }] }), bytes(1, 2));
  store.onMessage(message({ count: 3, stretches: [[0, 0, 160]], spans: [{ id: "a", from: 1, spans: [[30, 30, 45, 60]] }] }), bytes(3, 4, 5));
  assert.deepEqual([...store.frames], [1, 2, 3, 4, 5]);
  assert.equal(store.base, 7);
  assert.deepEqual(store.stretches, [[0, 0, 160]]);
  assert.deepEqual(store.turns("a"), [[0, 0, 10, 20], [30, 30, 45, 60]]);
  store.onMessage(message({ stretches_from: 1, rows: [row("b")] }), []);
  assert.deepEqual(store.turns("a"), []);
  assert.equal(told, 3);
  store.onMessage(message({ afresh: true, first: 0, count: 1 }), bytes(9));
  assert.deepEqual([...store.frames], [9]);
  store.onMessage(message({ pauses: [[900, 0.2, false], [1900, 0.9, true]] }), []);
  store.onMessage(message({ pauses_from: 1, pauses: [[2100, 0.8, true]] }), []);
  assert.deepEqual(store.pauses, [[900, 0.2, false], [2100, 0.8, true]]);
  store.command("undo");
  assert.deepEqual(sent.at(-1), { kind: "command", name: "undo", value: undefined });
});

test("hours of probabilities take no more room than four of them", () => {
  const store = createLabStore(() => {});
  for (let n = 0; n < 6; n += 1) {
    const part = new Uint8Array(100_000).fill(n);
    store.onMessage(message({ count: part.length }), [new DataView(part.buffer)]);
  }
  assert.ok(store.frames.length <= 450_000);
  assert.equal(store.base + store.frames.length, 600_000);
  assert.equal(store.frames.at(-1), 5);
  assert.equal(store.frames[0], Math.floor(store.base / 100_000));
});

test("settings that are told in messages are followed as traits are", () => {
  const model = new ToldModel();
  const seen = [];
  model.on("change:settings", () => seen.push(model.get("settings")));
  model.tell({ settings: { code: "x" }, pending: {} });
  model.tell({ pending: { a: 1 } });
  assert.deepEqual(seen, [{ code: "x" }]);
});

test("a calibration says what it waits for", () => {
  const told = { phase: "quiet", left_s: 2.1, words: "", threshold: null, facts: [] };
  assert.equal(calibrationText(told), "Be silent, please: 3 s more.");
  assert.match(calibrationText({ ...told, phase: "speech", left_s: 4.9 }), /speak as you will: 5 s/);
  assert.equal(calibrationText({ ...told, phase: "done", words: "0 of 3." }), "0 of 3.");
});

test("a long name is cut, not its count", () => {
  const widthOf = (/** @type {string} */ text) => text.length * 10;
  assert.equal(shortened("eager", 50, widthOf), "eager");
  assert.equal(shortened("very patient", 60, widthOf), "very …");
});
