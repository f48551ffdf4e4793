import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { applyRows, clockText, durationText } = await load("transcript.js");

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

test("times for people", () => {
  assert.deepEqual([undefined, 0, 59.99, 60, 3_725].map(clockText), ["", "0:00", "0:59", "1:00", "62:05"]);
  assert.deepEqual([undefined, 38.2, 1_250].map(durationText), ["", "38 ms", "1.3 s"]);
});
