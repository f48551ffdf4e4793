import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { applyTurns, partText, totalText, turnShares, turnText, wholeMs } = await load("timing.js");

const turn = (facts = {}) => ({
  turn: 3, latency_ms: 1000, parts_ms: [100, 200, 300, 350, 50], said: ["", "", "", "", ""], note: "",
  awaited: false, calls: false, interrupted: false, ...facts,
});

test("the parts of a turn are shares of the longest", () => {
  assert.deepEqual(turnShares(turn(), 2000), { parts: [0.05, 0.1, 0.15, 0.175, 0.025], whole: 0 });
  assert.deepEqual(turnShares(turn({ parts_ms: [null, 200, 300, 350, 50] }), 2000), { parts: [0, 0, 0, 0, 0], whole: 0.5 });
  assert.deepEqual(turnShares(turn({ latency_ms: null }), 2000), { parts: [0, 0, 0, 0, 0], whole: 0 });
  assert.deepEqual(turnShares(turn(), 0).whole, 0);
});

test("a total says what it is, or why there is none", () => {
  assert.equal(totalText(turn({ latency_ms: 1234.4, calls: true, interrupted: true })), "1,234 ms, with calls, interrupted");
  assert.equal(totalText(turn({ latency_ms: null, note: "typed" })), "typed");
  assert.equal(totalText(turn({ latency_ms: null, awaited: true })), "…");
  assert.equal(totalText(turn({ latency_ms: null })), "no latency");
  assert.equal(wholeMs(0.4), "0 ms");
});

test("a part that is not known says why", () => {
  assert.equal(partText("uplink", null, "typed"), "uplink – (typed)");
  assert.equal(partText("uplink", null, ""), "uplink – (unknown)");
  assert.equal(partText("uplink", 12.3, "remark"), "uplink 12 ms");
  assert.equal(turnText(turn({ parts_ms: [null, 2] }), ["a", "b"]), "Turn 3: 1,000 ms\na – (unknown)\nb 2 ms");
});

test("turns come, change and go", () => {
  const turns = new Map();
  applyTurns(turns, { afresh: true, over: false, rows: [turn({ turn: 1 }), turn({ turn: 2 })], first: 1, count: 2, parts: [] });
  applyTurns(turns, { afresh: false, over: false, rows: [turn({ turn: 3 })], first: 2, count: 3, parts: [] });
  assert.deepEqual([...turns.keys()], [2, 3]);
  applyTurns(turns, { afresh: true, over: false, rows: [], first: 1, count: 0, parts: [] });
  assert.equal(turns.size, 0);
});
