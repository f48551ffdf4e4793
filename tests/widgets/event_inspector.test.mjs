import assert from "node:assert/strict";
import test from "node:test";
import { FakeElement, FakeModel, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const { createStore } = await load("event_inspector.js");
const { EventDetails } = await load("event_details.js");
const { EventList } = await load("event_list.js");
const transcript = await load("transcript.js");

/** Takes the place of the clipboard. */
function clipboard() {
  const copied = [];
  Object.defineProperty(globalThis, "navigator", {
    value: { clipboard: { async writeText(text) { copied.push(text); } } }, configurable: true,
  });
  return copied;
}

const event = (seq) => ({ seq, t: seq, sent: false, type: "error", text: "", size: 1 });

/** Details of an event, and what was asked of Python. */
function details(answers) {
  const asked = [];
  const fetch = async (seqs, whole = false) => {
    asked.push([seqs.length, whole]);
    return answers.shift();
  };
  const { signal } = new AbortController();
  return { asked, details: new EventDetails(fetch, { goTo() {}, filterById() {}, closed() {} }, signal) };
}

test("without a kernel it is said at once that nothing can be fetched", async () => {
  const store = createStore(() => { throw new Error("Cannot send"); });
  const answer = await store.fetch([1]);
  assert.deepEqual(answer, { json: "", note: "The kernel does not answer; only this summary is here." });
});

test("others of the page are told how many events there are", () => {
  const store = createStore(() => {});
  const { exports } = store;
  const seen = [];
  const end = new AbortController();
  exports.follow(() => seen.push(exports.count), end.signal);
  const rows = [0, 1, 2].map((seq) => [seq, seq, 1, "response.create", "", 10]);
  store.onMessage({ kind: "events", lost: 0, rows });
  store.onMessage({ kind: "reset" });
  end.abort();
  store.onMessage({ kind: "events", lost: 0, rows });
  assert.deepEqual(seen, [0, 3, 0]);
});

test("what is shown whole is copied as it is, also when the kernel has gone since", async () => {
  const copied = clipboard();
  const { details: one, asked } = details([{ json: "{}", note: "" }]);
  const entry = { first: event(3), text: "summary" };
  await one.show(entry, new EventList());
  assert.equal(await one.copy(entry), "Copied");
  assert.deepEqual([copied, asked], [["{}"], [[1, false]]]);
});

test("what is shown in part is fetched whole before it is copied", async () => {
  const copied = clipboard();
  const { details: one, asked } = details([{ json: "{", note: "1 character more" }, { json: "{}", note: "" }]);
  const entry = { first: event(3), text: "summary" };
  await one.show(entry, new EventList());
  assert.equal(await one.copy(entry), "Copied");
  assert.deepEqual([copied, asked], [["{}"], [[1, false], [1, true]]]);
});

test("what can't be had whole is not copied, and why is said", async () => {
  const copied = clipboard();
  const { details: one } = details([{ json: "", note: "No answer." }, { json: "[", note: "2 of 4 events." }]);
  const entry = { first: event(3), text: "summary" };
  assert.equal(await one.copy(entry), "Not copied. No answer.");
  assert.equal(await one.copy(entry), "Not copied. 2 of 4 events.");
  assert.deepEqual(copied, []);
});

test("all of a long folded row is fetched to be copied", async () => {
  clipboard();
  const { details: one, asked } = details([{ json: "[]", note: "" }, { json: "[…]", note: "" }]);
  const members = Array.from({ length: 500 }, (_, seq) => event(seq));
  const entry = { first: members[0], members, text: "500" };
  await one.show(entry, new EventList());
  assert.equal(await one.copy(entry), "Copied");
  assert.deepEqual(asked, [[400, false], [500, true]]);
});

test("words find their own direction", async () => {
  globalThis.ResizeObserver = class { observe() {} disconnect() {} };
  const widget = transcript.default();
  const model = new FakeModel();
  widget.initialize({ model });
  const el = new FakeElement("div");
  widget.render({ el });
  model.tell("msg:custom", { kind: "rows", changed: [{ id: "a", kind: "user", text: "שלום (test) 123!" }], order: ["a"] });
  assert.equal(el.querySelector(".rtnb-words").getAttribute("dir"), "auto");
});
