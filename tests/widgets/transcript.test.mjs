import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { applyRows } = await load("transcript.js");

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
