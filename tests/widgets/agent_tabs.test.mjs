import assert from "node:assert/strict";
import test from "node:test";
import { FakeElement, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const { tabFor, tabs } = await load("agent_tabs.js");

test("arrow keys go round, Home and End to the ends", () => {
  assert.deepEqual(["ArrowRight", "ArrowLeft", "Home", "End"].map((key) => tabFor(key, 4, 5)), [0, 3, 0, 4]);
  assert.equal(tabFor("ArrowLeft", 0, 5), 4);
  for (const key of ["ArrowDown", "Enter", " ", "x"]) assert.equal(tabFor(key, 0, 5), undefined, key);
});

test("one tab is chosen, and is the one stop; what is under it is made once", () => {
  const filled = [];
  const pages = ["a", "b", "c"].map((name) => ({ label: () => name, node: new FakeElement("div"), fill: () => filled.push(name) }));
  const { list } = tabs(pages, { tab: 0 }, new AbortController().signal);
  const buttons = list.querySelectorAll("[role=tab]");
  const stops = () => buttons.map((one) => one.tabIndex);
  assert.deepEqual([filled, stops()], [["a"], [0, -1, -1]]);
  assert.equal(buttons[0].fire("keydown", { key: "End" }), false);
  assert.deepEqual([filled, stops()], [["a", "c"], [-1, -1, 0]]);
  buttons[2].fire("keydown", { key: "ArrowRight" });
  assert.deepEqual([filled, stops()], [["a", "c"], [0, -1, -1]]);
  assert.deepEqual(pages.map(({ node }) => node.hidden), [false, true, true]);
  assert.equal(buttons[0].fire("keydown", { key: "ArrowRight", ctrlKey: true }), true);
  assert.equal(buttons[0].fire("keydown", { key: "m" }), true);
  assert.deepEqual(stops(), [0, -1, -1]);
});
