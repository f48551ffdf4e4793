import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { appliedText } = await load("microphone_controls.js");

test("what the browser made of a switch is said where it differs", () => {
  assert.equal(appliedText(true, true), "");
  assert.equal(appliedText(false, false), "");
  assert.equal(appliedText(true, false), " (the browser: off)");
  assert.equal(appliedText(false, true), " (the browser: on)");
  assert.equal(appliedText(true, null), " (the browser: unknown)");
});
