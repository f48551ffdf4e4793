import assert from "node:assert/strict";
import test from "node:test";
import { FakeModel, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const speaker = await load("speaker.js");

/** A speaker in a page whose sound devices are counted. */
async function made() {
  const contexts = [];
  globalThis.isSecureContext = true;
  globalThis.URL.createObjectURL = () => "blob:x";
  globalThis.URL.revokeObjectURL = () => {};
  globalThis.AudioContext = class {
    constructor() {
      this.state = "running";
      this.audioWorklet = { async addModule() {} };
      contexts.push(this);
    }
    addEventListener() {}
    async resume() {}
    async close() { this.state = "closed"; }
  };
  const nodes = [];
  globalThis.AudioWorkletNode = class {
    constructor() { this.port = { postMessage() {} }; nodes.push(this); }
    connect() {}
  };
  const model = new FakeModel({ prebuffer_ms: 100, _worklet: "" });
  const end = new AbortController();
  const api = speaker.default().initialize({ model, signal: end.signal });
  await api.unlock();
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { api, end, contexts, settle, report: (kind) => nodes.at(-1).port.onmessage({ data: { kind, item: "a" } }) };
}

test("at rest it lets go of the sound device once it is silent, and the next press takes it again", async () => {
  const { api, end, contexts, settle, report } = await made();
  report("started");
  api.rest(true);
  await settle();
  assert.equal(contexts[0].state, "running");
  report("flushed");
  await settle();
  assert.equal(contexts[0].state, "closed");
  await api.unlock();
  api.rest(false);
  report("started");
  report("finished");
  await settle();
  assert.deepEqual(contexts.map(({ state }) => state), ["closed", "running"]);
  end.abort();
});

test("silent already, it rests at once", async () => {
  const { api, end, contexts, settle } = await made();
  api.rest(true);
  await settle();
  assert.equal(contexts[0].state, "closed");
  end.abort();
});
