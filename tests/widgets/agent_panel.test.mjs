import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { latencyText, sliderText, takesSpace } = await load("agent_panel.js");

test("a latency is told in the unit that fits", () => {
  assert.equal(latencyText(null), "");
  assert.equal(latencyText(undefined), "");
  assert.equal(latencyText(0), "0 ms");
  assert.equal(latencyText(999), "999 ms");
  assert.equal(latencyText(1540), "1.5 s");
});

test("a slider says where it stands", () => {
  assert.equal(sliderText(0.5, ""), "0.50");
  assert.equal(sliderText(200, " ms"), "200 ms");
});

test("the space bar is for talking unless something else wants it", () => {
  /** An element that is inside what matches. */
  const within = (...matched) => ({ closest: (selector) => matched.find((name) => selector.includes(name)) ?? null });
  assert.equal(takesSpace(within()), true);
  assert.equal(takesSpace(within("button")), false);
  assert.equal(takesSpace(within("input")), false);
  assert.equal(takesSpace(within("[data-talk]", "button")), true);
  assert.equal(takesSpace(null), false);
});
