import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { inspectPage } = await load("page_check.js");

const page = (navigator, more = {}) => ({ isSecureContext: true, navigator, ...more });

test("a page with everything", async () => {
  const asked = [];
  const found = await inspectPage(page({
    mediaDevices: {
      enumerateDevices: async () => [{ kind: "audioinput" }, { kind: "audiooutput" }, { kind: "audioinput" }],
      getUserMedia: () => asked.push("microphone"),
    },
    permissions: { query: async ({ name }) => ({ state: name === "microphone" ? "prompt" : "?" }) },
  }, { AudioContext: class { get audioWorklet() { return {}; } } }));
  assert.deepEqual(found, { secure: true, microphones: 2, permission: "prompt", worklet: true, place: "page", forbidden: null });
  assert.deepEqual(asked, []);
});

test("a page over plain http has nothing to ask", async () => {
  const found = await inspectPage({ isSecureContext: false, navigator: {} });
  assert.deepEqual(found, { secure: false, microphones: null, permission: "", worklet: false, place: "page", forbidden: null });
});

test("what the browser refuses to tell is left open", async () => {
  const found = await inspectPage(page({
    mediaDevices: { enumerateDevices: async () => { throw new Error("no"); } },
    permissions: { query() { throw new TypeError("unknown name"); } },
  }));
  assert.deepEqual(found, { secure: true, microphones: null, permission: "", worklet: false, place: "page", forbidden: null });
});
