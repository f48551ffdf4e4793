import assert from "node:assert/strict";
import test, { mock } from "node:test";
import { FakeChanges, FakeElement, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const { keepKeys } = await load("keys.js");

/** A view with a panel of buttons, the first of which has the focus. */
function shown() {
  const end = new AbortController();
  const [el, panel, list, first, second, outside] = ["div", "section", "div", "button", "button", "button"].map((tag) => new FakeElement(tag));
  document.activeElement = document.body;
  panel.setAttribute("tabindex", "0");
  el.append(panel);
  panel.append(list);
  list.append(first, second);
  keepKeys(el, end.signal);
  first.focus();
  return { end, el, panel, list, first, second, outside };
}

const LOSSES = {
  "switched off": ({ first }) => { first.disabled = true; },
  hidden: ({ first }) => { first.hidden = true; },
  "hidden with what it is in": ({ list }) => { list.hidden = true; },
  "taken away": ({ first }) => first.remove(),
  "taken away with what it is in": ({ list }) => list.remove(),
  "put in anew": ({ list }) => list.replaceChildren(new FakeElement("button")),
};

for (const [how, lose] of Object.entries(LOSSES)) {
  for (const told of [false, true]) {
    test(`the focus of what is ${how} stays in the view${told ? ", also where the page is told" : ""}`, () => {
      const view = shown();
      if (told) view.first.blur(); // Chromium, before it takes an element away
      lose(view);
      document.activeElement = document.body;
      FakeChanges.tell();
      assert.equal(document.activeElement, view.panel);
      view.end.abort();
    });
  }
}

test("with the panel gone, the view itself has it", () => {
  const view = shown();
  view.panel.remove();
  document.activeElement = document.body;
  FakeChanges.tell();
  assert.equal(document.activeElement, view.el);
  view.end.abort();
});

test("nobody who has gone elsewhere is called back", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  for (const where of ["outside", "second"]) {
    const view = shown();
    view.first.blur(view[where]);
    view[where].focus();
    LOSSES["taken away"](view);
    FakeChanges.tell();
    assert.equal(document.activeElement, view[where]);
    view.end.abort();
  }
  const view = shown();
  view.first.blur(); // a press on the empty page
  document.activeElement = document.body;
  mock.timers.tick(0);
  LOSSES["switched off"](view);
  FakeChanges.tell();
  assert.equal(document.activeElement, document.body);
  view.end.abort();
  mock.timers.reset();
});

test("what changes beside it moves nothing, and a view that is gone keeps nothing", () => {
  const view = shown();
  view.second.remove();
  FakeChanges.tell();
  assert.equal(document.activeElement, view.first);
  view.end.abort();
  view.first.remove();
  document.activeElement = document.body;
  FakeChanges.tell();
  assert.equal(document.activeElement, document.body);
});
