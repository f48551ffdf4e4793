import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { PART_NAMES, failed, fits, msText, partTexts, pretty, runText, shares, totalMs, forgetOldest } = await load("call_text.js");

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

const call = {
  id: "call_1", name: "book", turn: 2, t_s: 65.27, outcome: "ok", broken: 0,
  decide_ms: 100, queue_ms: 40, run_ms: 250, send_ms: 10, others_ms: 0, resume_ms: null,
  run_outcome: "ok", run_note: "from the beginning of its run to the end", queue_note: null,
};

test("times for people", () => {
  assert.deepEqual([msText(38.4), msText(1_250), msText(null)], ["38 ms", "1.3 s", "–"]);
});

test("a bar shows each part against the longest call", () => {
  assert.equal(totalMs(call), 400);
  assert.deepEqual(shares(call, 800), [0.125, 0.05, 0.3125, 0.0125, 0, 0]);
  assert.deepEqual(shares(call, 0), [0, 0, 0, 0, 0, 0]);
});

test("each part has its name and its time, and what is not known has a dash", () => {
  assert.deepEqual(PART_NAMES, ["decide", "queue", "run", "send", "others", "resume"]);
  const expected = ["decide 100 ms", "queue 40 ms", "run 250 ms", "send 10 ms", "others 0 ms", "resume –"];
  assert.deepEqual(partTexts(call), expected);
});

test("how it ran is said, and from when to when", () => {
  assert.equal(runText(call), "The run ended: ok. Run is from the beginning of its run to the end.");
  assert.equal(
    runText({ ...call, queue_ms: null, queue_note: "nobody tells", run_outcome: null, run_note: "from whole arguments to the output" }),
    "Run is from whole arguments to the output. No queue: nobody tells.");
  assert.equal(runText({ ...call, run_ms: null, run_outcome: null }), "");
  assert.equal(runText({ ...call, run_outcome: "invalid" }), "It was not run: its arguments don't fit.");
});

test("calls are found by function, outcome, turn and schema", () => {
  for (const text of ["BOO", "ok", "turn 2", "call_1"]) assert.ok(fits(call, text), text);
  assert.ok(!fits(call, "schema"));
  assert.ok(fits({ ...call, broken: 1 }, "schema"));
  assert.deepEqual(["ok", "running", "called", "error", "orphan", "late"].map((outcome) => failed({ ...call, outcome })), [false, false, false, true, true, true]);
});

test("the last so many are kept", () => {
  const kept = new Map([["a", 1], ["b", 2], ["c", 3]]);
  forgetOldest(kept, 2);
  assert.deepEqual([...kept.keys()], ["b", "c"]);
  forgetOldest(kept, 5);
  assert.equal(kept.size, 2);
});
