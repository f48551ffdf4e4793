import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { applyRows, isLong, latencyText } = await load("transcript.js");

test("rows change, come, move and go", () => {
  const rows = new Map();
  let order = applyRows(rows, [], { changed: [{ id: "a", text: "1" }, { id: "b", text: "2" }], order: ["a", "b"] });
  assert.deepEqual(order, ["a", "b"]);
  order = applyRows(rows, order, { changed: [{ id: "a", text: "one" }] });
  assert.deepEqual(order, ["a", "b"]);
  assert.equal(rows.get("a").text, "one");
  order = applyRows(rows, order, { changed: [{ id: "c", text: "3" }], order: ["c", "a"] });
  assert.deepEqual([...rows.keys()].sort(), ["a", "c"]);
  assert.deepEqual(order, ["c", "a"]);
});

test("what is long or has lines is folded", () => {
  assert.equal(isLong('{"ok": true}'), false);
  assert.equal(isLong("a\nb"), true);
  assert.equal(isLong("x".repeat(61)), true);
});

test("a latency in words", () => {
  assert.equal(latencyText({ duration_ms: 823.4 }), "after 823 ms");
  assert.equal(latencyText({ duration_ms: 1234, note: "with calls" }), "after 1.2 s, with calls");
  assert.equal(latencyText({ duration_ms: 0 }), "after 0 ms");
  assert.equal(latencyText({ note: "no voice in its audio" }), "latency unknown");
});
