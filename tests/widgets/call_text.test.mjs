import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { failed, fits, momentText, msText, pretty, shares, totalMs } = await load("call_text.js");

test("JSON gets a line for each entry, and stays the same JSON", () => {
  const text = '{"a":{"b":[1,{}, []],"c":"x, {y}: \\"z\\""},"d":1.50}';
  assert.equal(pretty(text), [
    "{", '  "a": {', '    "b": [', "      1,", "      {},", "      []", "    ],", '    "c": "x, {y}: \\"z\\""', "  },", '  "d": 1.50', "}",
  ].join("\n"));
  assert.deepEqual(JSON.parse(pretty(text)), JSON.parse(text));
  assert.equal(pretty(pretty(text)), pretty(text));
});

test("while it streams each piece is laid out as it will be", () => {
  const text = '{"date":"2026-11-24","guests":[{"name":"A, \\"B\\""}]}';
  const whole = pretty(text);
  for (let end = 0; end <= text.length; end++) {
    const part = pretty(text.slice(0, end));
    assert.ok(whole.startsWith(part.slice(0, -1)), `${part} of ${whole}`);
  }
});

test("what is no JSON stays as it is", () => {
  for (const text of ["", "no output", "10:00, maybe", '"a, b"']) assert.equal(pretty(text), text);
});

const call = { id: "call_1", name: "book", turn: 2, t_s: 65.27, outcome: "ok", broken: 0, decide_ms: 100, run_ms: 300, resume_ms: null };

test("times for people", () => {
  assert.deepEqual([msText(38.4), msText(1_250), msText(null)], ["38 ms", "1.3 s", "–"]);
  assert.deepEqual([momentText(65.27), momentText(0), momentText(599.99), momentText(null)], ["1:05.2", "0:00.0", "9:59.9", ""]);
});

test("a bar shows each part against the longest call", () => {
  assert.equal(totalMs(call), 400);
  assert.deepEqual(shares(call, 800), [0.125, 0.375, 0]);
  assert.deepEqual(shares(call, 0), [0, 0, 0]);
});

test("calls are found by function, outcome, turn and schema", () => {
  for (const text of ["BOO", "ok", "turn 2", "call_1"]) assert.ok(fits(call, text), text);
  assert.ok(!fits(call, "schema"));
  assert.ok(fits({ ...call, broken: 1 }, "schema"));
  assert.deepEqual(["ok", "running", "called", "error", "orphan", "late"].map((outcome) => failed({ ...call, outcome })), [false, false, false, true, true, true]);
});
