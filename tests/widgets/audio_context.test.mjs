import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { followContext, waitsForPress } = await load("audio_context.js");

/** @param {object} page what `navigator` is in it */
const inPage = (page) => Object.defineProperty(globalThis, "navigator", { value: page, configurable: true });
const allows = (policy) => ({ getAutoplayPolicy: () => policy });

class Context extends EventTarget {
  state = "suspended";
  become(state) {
    this.state = state;
    this.dispatchEvent(new Event("statechange"));
  }
}

test("a context that may sound and does not yet waits for nothing", () => {
  for (const [page, waits] of [[{}, true], [allows("disallowed"), true], [allows("allowed"), false]]) {
    inPage(page);
    const context = new Context();
    assert.equal(waitsForPress(context), waits);
    context.state = "running";
    assert.equal(waitsForPress(context), false);
  }
});

test("what does not begin in time is late, what began is not", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const told = { stuck: [], began: [], left: [] };
  const contexts = { stuck: new Context(), began: new Context(), left: new Context() };
  const leaving = new AbortController();
  for (const name of ["stuck", "began", "left"]) {
    const { signal } = name === "left" ? leaving : new AbortController();
    followContext(contexts[name], signal, (late) => told[name].push([contexts[name].state, late]));
  }
  contexts.began.become("running");
  leaving.abort();
  contexts.left.become("running");
  t.mock.timers.tick(60_000);
  assert.deepEqual(told, {
    stuck: [["suspended", false], ["suspended", true]],
    began: [["suspended", false], ["running", false], ["running", false]],
    left: [["suspended", false]],
  });
});
