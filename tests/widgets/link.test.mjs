import assert from "node:assert/strict";
import test from "node:test";
import { FakeModel, FakeSignal } from "./dom.mjs";
import { load } from "./load.mjs";

const { Link } = await load("link.js");

/** A link that speaks for the widget. */
function linked(widget_manager = undefined) {
  const model = new FakeModel({}, widget_manager);
  const end = new AbortController();
  const lost = [];
  const link = new Link(model, end.signal, { message() {}, yielded() {}, lost: () => lost.push(true) });
  link.claim();
  model.sent.length = 0;
  return { model, end, link, lost, kinds: () => model.sent.map(({ kind }) => kind) };
}

test("a widget that goes says goodbye before it falls silent, once", () => {
  const { end, link, kinds } = linked();
  end.abort();
  assert.deepEqual(kinds(), ["link-bye"]);
  assert.equal(link.send({ kind: "audio" }), false);
  assert.deepEqual(kinds(), ["link-bye"]);
});

test("a closed notebook lets go of the kernel before its outputs go: goodbye is said before that", () => {
  const manager = { context: { sessionContext: { disposed: new FakeSignal() } }, kernel: { disposed: new FakeSignal() } };
  const { model, end, kinds, lost } = linked(manager);
  manager.context.sessionContext.disposed.emit();
  assert.deepEqual(kinds(), ["link-bye"]);
  model.live = false;
  manager.kernel.disposed.emit();
  end.abort();
  assert.deepEqual(kinds(), ["link-bye"]);
  assert.equal(lost.length, 1);
  assert.equal(manager.kernel.disposed.calls.size + manager.context.sessionContext.disposed.calls.size, 0);
});

test("a page that does not speak for the widget says no goodbye", () => {
  const model = new FakeModel();
  const end = new AbortController();
  new Link(model, end.signal, { message() {}, yielded() {}, lost() {} });
  end.abort();
  assert.deepEqual(model.sent.map(({ kind }) => kind), ["link-hello"]);
});

test("the end of the kernel is noticed without anything being sent", () => {
  const { model, link, lost } = linked();
  model.die();
  assert.equal(lost.length, 1);
  assert.equal(link.send({ kind: "audio" }), false);
  assert.equal(lost.length, 1);
  assert.equal(link.alive, false);
});

test("a kernel that is shut down, not restarted, is noticed, too", () => {
  const manager = { kernel: { disposed: new FakeSignal() } };
  const { lost } = linked(manager);
  manager.kernel.disposed.emit();
  assert.equal(lost.length, 1);
});
