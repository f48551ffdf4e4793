import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { FakeElement, FakeModel, FakeSizes, fakeDocument } from "./dom.mjs";
import { load, randomness } from "./load.mjs";

fakeDocument();
const microphone = await load("microphone.js");
const LEFT_MS = 400; // longer than a view may be away while its cell is moved

/** A microphone in a page: the browser answers when the test says so, and its tracks are counted. */
function made() {
  const asked = [];
  const tracks = [];
  const nodes = [];
  globalThis.isSecureContext = true;
  globalThis.URL.createObjectURL = () => "blob:x";
  globalThis.URL.revokeObjectURL = () => {};
  globalThis.AudioContext = class {
    state = "running";
    sampleRate = 48_000;
    audioWorklet = { async addModule() {} };
    addEventListener() {}
    createMediaStreamSource() { return { connect: (node) => node }; }
    async resume() {}
    async close() {}
  };
  globalThis.AudioWorkletNode = class {
    port = { postMessage() {} };
    constructor() { nodes.push(this); }
    connect() {}
  };
  const track = (deviceId) => ({
    live: true, label: deviceId, stop() { this.live = false; }, addEventListener() {}, getSettings: () => ({ deviceId }),
  });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: {
    mediaDevices: {
      getUserMedia: () => new Promise((allow, deny) => asked.push({ allow, deny })),
      async enumerateDevices() { return []; },
      addEventListener() {},
    },
    permissions: { query: async () => ({ state: "denied" }) },
  } });
  const model = new FakeModel({ chunk_ms: 40, device_id: "", muted: false, _worklet: "", _key: "k" });
  const end = new AbortController();
  const api = microphone.default().initialize({ model, signal: end.signal });
  const views = [];
  const live = () => tracks.some((one) => one.live);
  const settle = async () => { for (let i = 0; i < 12; i++) await Promise.resolve(); };
  return {
    model, api, live, settle, asked, views, end,
    /** In a cell's output, as JupyterLab has it. */
    show() {
      const cell = new FakeElement("div");
      const area = new FakeElement("div");
      const el = new FakeElement("div");
      cell.setAttribute("class", "jp-Cell");
      area.setAttribute("class", "jp-OutputArea");
      cell.append(area);
      area.append(el);
      views.push({ cell, area, end: new AbortController() });
      api.attach(el, views.at(-1).end.signal);
    },
    remove() { views.pop()?.end.abort(); },
    /** Each view's output is collapsed, so that it is taken out of its cell, or shown again. */
    collapse() { for (const { area } of views) area.remove(); FakeSizes.tell(); },
    expand() { for (const { cell, area } of views) cell.append(area); FakeSizes.tell(); },
    seen: () => views.some(({ cell, area }) => area.parent && !cell.classList.contains("lm-mod-hidden")),
    allow(deviceId = "one") {
      const made = track(deviceId);
      const one = asked.shift();
      if (!one) return;
      tracks.push(made);
      one.allow({ getTracks: () => [made], getAudioTracks: () => [made] });
    },
    deny() { asked.shift()?.deny(Object.assign(new Error("no"), { name: "NotAllowedError" })); },
    tell(kind, facts = {}) { model.tell("msg:custom", { kind, ...facts }, []); },
    chunk(level) { nodes.at(-1).port.onmessage({ data: { kind: "chunk", position: 0, t: 0, pcm: new Int16Array(1), level } }); },
    told: () => model.sent.filter(({ kind }) => kind === "state").map(({ status }) => status),
  };
}

test("no microphone without a view, whatever order things happen in", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const steps = {
    talk: ({ api, seen }) => { if (seen()) api.start(); },
    stop: ({ api, seen }) => { if (seen()) api.stop(); },
    "output collapsed": (page) => page.collapse(),
    "output expanded": (page) => page.expand(),
    "kernel's start": (page) => page.tell("start"),
    "kernel's stop": (page) => page.tell("stop"),
    "view shown": (page) => page.show(),
    "view removed": (page) => page.remove(),
    allowed: (page) => page.allow(),
    denied: (page) => page.deny(),
    "another window": (page) => page.tell("link-owner", { page: "another" }),
    "another device": ({ model }) => model.change({ device_id: String(Math.random()) }),
    "kernel dead": ({ model }) => model.die(),
    "widget closed": ({ end }) => end.abort(),
    "time goes by": () => mock.timers.tick(LEFT_MS),
    "a moment": () => mock.timers.tick(50),
  };
  const often = Object.keys(steps).filter((name) => !["kernel dead", "widget closed"].includes(name));
  let opened = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const random = randomness(seed * 7919);
    const page = made();
    const done = [];
    if (seed % 2) page.show();
    for (let n = 0; n < 14; n++) {
      const names = random() < 0.05 ? Object.keys(steps) : page.views.length && !page.seen() && random() < 0.3 ? ["output expanded"] : often;
      const name = names[Math.floor(random() * names.length)];
      const before = page.live();
      done.push(name);
      steps[name](page);
      await page.settle();
      opened += Number(!before && page.live());
      const words = done.join(", ");
      if (!page.seen() && !before) assert.equal(page.live(), false, `it came on unseen: ${words}`);
      if (name === "output collapsed" && page.views.length) assert.equal(page.live(), false, `on behind a collapsed output: ${words}`);
      if (page.end.signal.aborted || !page.model.live) assert.equal(page.live(), false, `it outlives: ${words}`);
      if (["opening", "on"].includes(page.api.state.status)) assert.ok(page.live(), `on without sound: ${words}`);
      else assert.equal(page.live(), false, `on in secret (${page.api.state.status}): ${words}`);
    }
    while (page.views.length) page.remove();
    mock.timers.tick(LEFT_MS);
    page.tell("start");
    while (page.asked.length) page.allow();
    await page.settle();
    assert.equal(page.live(), false, `it stays on unseen: ${done.join(", ")}`);
  }
  mock.timers.reset();
  assert.ok(opened > 200, `it was on ${opened} times`);
});

test("a section that is folded away has no open microphone, a cell out of sight may have", async () => {
  const page = made();
  page.show();
  const talk = async () => {
    page.api.start();
    page.allow();
    await page.settle();
  };
  await talk();
  page.views[0].cell.style.display = "none"; // JupyterLab's, of what is scrolled away
  FakeSizes.tell();
  assert.equal(page.live(), true);
  page.views[0].cell.classList.toggle("lm-mod-hidden", true);
  FakeSizes.tell();
  assert.equal(page.live(), false);
  await talk();
  assert.equal(page.live(), false);
  assert.match(page.api.state.error, /nothing here shows it/);
  page.views[0].cell.classList.toggle("lm-mod-hidden", false);
  FakeSizes.tell();
  assert.equal(page.api.state.error, "");
  await talk();
  assert.equal(page.live(), true);
});

test("asked in vain, it answers, so that the kernel does not wait", async () => {
  const page = made();
  page.show();
  page.remove();
  page.tell("start");
  await page.settle();
  assert.deepEqual(page.told(), ["asking", "off"]);
  assert.match(page.api.state.error, /Show it in a cell/);
  page.show();
  assert.equal(page.api.state.error, "");
});

test("asked before its first view is there, it waits for that", async () => {
  const page = made();
  page.tell("start");
  assert.equal(page.asked.length, 0);
  page.show();
  page.allow();
  await page.settle();
  assert.equal(page.api.state.status, "on");
  page.api.stop();
});

test("asked while it is on, it says so", async () => {
  const page = made();
  page.show();
  page.api.start();
  page.allow();
  await page.settle();
  const count = page.told().length;
  page.tell("start");
  assert.deepEqual(page.told().slice(count), ["on"]);
  page.api.stop();
});

test("silence is told until something was heard once, and again for another device", async () => {
  let now = 0;
  mock.method(performance, "now", () => now);
  const page = made();
  const silent = (seconds) => { for (let n = 0; n <= seconds * 10; n++) { now += 100; page.chunk(-100); } };
  const begin = async (device) => { page.api.start(); page.allow(device); await page.settle(); };
  page.show();
  await begin("headset");
  silent(6);
  assert.match(page.api.state.error, /nothing but silence/);
  page.chunk(-40);
  assert.equal(page.api.state.error, "");
  silent(60);
  assert.equal(page.api.state.error, "");
  page.api.stop();
  await begin("headset");
  silent(60);
  assert.equal(page.api.state.error, "");
  page.api.stop();
  await begin("webcam");
  silent(6);
  assert.match(page.api.state.error, /nothing but silence/);
  page.api.stop();
  mock.restoreAll();
});
