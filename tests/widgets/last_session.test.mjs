import assert from "node:assert/strict";
import test from "node:test";
import { FakeElement, FakeModel, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const { addressOf, lastSession } = await load("last_session.js");
const { Commands } = await load("commands.js");

const EVIL = "<img src=x onerror='window.hacked = true'>";
const OVER = { words: "Recorded: a session of 5.0 s, in", path: `recordings/${EVIL}`, code: `rec = rt.load("/r/${EVIL}")`, advice: "" };
const calm = () => new Promise((resolve) => setImmediate(resolve));

/** A front end whose server gives the files below its root, where the notebook is in "books". */
function frontEnd(files) {
  const asked = [];
  const urlResolver = {
    resolveUrl: async (url) => new URL(url, "http://root/books/").pathname.slice(1),
    getDownloadUrl: async (path) => `/files/${path}`,
  };
  const ask = async (address, options) => {
    asked.push([address, options.method]);
    return { ok: files.includes(decodeURIComponent(address)) };
  };
  return { manager: { context: { urlResolver } }, ask, asked };
}

function shown(traits = {}, manager = undefined) {
  const model = new FakeModel({ state: "disconnected", connected: false, last_session: {}, ...traits }, manager);
  const { signal } = new AbortController();
  const node = lastSession(model, new Commands(model, signal), signal);
  return { model, node, outcome: () => node.querySelector(".rtnb-last-outcome").textContent };
}

test("it is shown when a session has ended, and no longer when another begins", () => {
  const { model, node } = shown();
  assert.equal(node.hidden, true);
  model.change({ state: "listening", connected: true });
  assert.equal(node.hidden, true);
  model.change({ last_session: OVER, state: "disconnected", connected: false });
  assert.equal(node.hidden, false);
  assert.match(node.textContent, /session of 5\.0 s, in recordings\//);
  model.change({ state: "connecting" });
  assert.equal(node.hidden, true);
  model.change({ state: "listening", connected: true });
  assert.equal(node.hidden, true);
});

test("names of folders are never HTML", () => {
  const { node } = shown({ last_session: OVER });
  assert.equal(node.querySelector("code").textContent, OVER.code);
  assert.equal(node.querySelectorAll("img").length, 0);
});

test("what was not recorded says so, and has nothing to copy", () => {
  const advice = "It was not recorded. Make it with `record=\"recordings\"`.";
  const { node } = shown({ last_session: { words: "One.", path: "", code: "", advice } });
  assert.match(node.textContent, /^One\. It was not recorded/);
  assert.equal(node.querySelector(".rtnb-last-line").hidden, true);
  assert.equal(node.querySelectorAll("code")[0].textContent, 'record="recordings"');
});

test("the line is copied as it stands there", async () => {
  const copied = [];
  Object.defineProperty(globalThis, "navigator", { configurable: true, value: { clipboard: { writeText: async (text) => copied.push(text) } } });
  const { model, node } = shown({ last_session: OVER });
  node.named("button", "Copy").click();
  await calm();
  assert.deepEqual(copied, [OVER.code]);
  const status = node.querySelector(".rtnb-quiet");
  assert.equal(status.textContent, "Copied");
  model.change({ last_session: { ...OVER, code: 'rec = rt.load("other")' } });
  assert.equal(status.textContent, "");
});

test("a report is asked for, awaited, and found", async () => {
  const { manager, ask } = frontEnd(["/files/r 1/report.html"]);
  globalThis.fetch = ask;
  const { model, node, outcome } = shown({ last_session: OVER }, manager);
  const button = node.named("button", "Report");
  button.click();
  assert.deepEqual(model.sent.map(({ name }) => name), ["report"]);
  model.change({ last_session: { ...OVER, report: { state: "writing" } } });
  assert.deepEqual([outcome(), button.disabled], ["Writing the report…", true]);
  model.change({ last_session: { ...OVER, report: { state: "done", path: "r 1/report.html", link: "../r 1/report.html" } } });
  await calm();
  assert.deepEqual([outcome(), button.disabled], ["The report is at r 1/report.html", false]);
  assert.equal(node.querySelector("a").getAttribute("href"), "/files/r%201/report.html");
});

test("where the server does not give it, the path is there without a link", async () => {
  const { manager, ask } = frontEnd([]);
  globalThis.fetch = ask;
  for (const one of [manager, undefined]) {
    const { node, outcome } = shown({ last_session: { ...OVER, report: { state: "done", path: "/r/report.html", link: "x" } } }, one);
    await calm();
    assert.equal(outcome(), "The report is at /r/report.html");
    assert.equal(node.querySelector("a"), null);
  }
});

test("an address is asked for, not guessed", async () => {
  const { manager, ask, asked } = frontEnd(["/files/books/r #1%/report.html"]);
  const model = new FakeModel({}, manager);
  assert.equal(await addressOf(model, "r #1%/report.html", ask), "/files/books/r%20%231%25/report.html");
  assert.equal(await addressOf(model, "gone/report.html", ask), "");
  assert.deepEqual(asked.map(([, method]) => method), ["HEAD", "HEAD"]);
  assert.equal(await addressOf(model, "", ask), "");
  assert.equal(await addressOf(new FakeModel({}), "r/report.html", ask), "");
  assert.equal(await addressOf(model, "r", async () => { throw new TypeError("no network"); }), "");
});

test("a report that failed says what and what to do, and can be asked for again", () => {
  const report = { state: "failed", words: `No room ${EVIL}. Press Report again, or have it elsewhere:`, code: 'rt.load("/r").report("report.html")' };
  const { node, outcome } = shown({ last_session: { ...OVER, report } });
  assert.equal(outcome(), `${report.words} ${report.code}`);
  assert.equal(node.querySelectorAll("code")[1].textContent, report.code);
  assert.equal(node.named("button", "Report").disabled, false);
});

test("without a kernel there is no report, but the line", () => {
  const { model, node } = shown({ last_session: OVER });
  model.die();
  assert.equal(node.hidden, false);
  assert.equal(node.named("button", "Report").disabled, true);
  assert.equal(node.named("button", "Copy").disabled, false);
});
