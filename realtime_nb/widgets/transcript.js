// @ts-check
/**
 * The transcript. Python sends the rows that changed and, when it changed, their order.
 *
 * @typedef {object} Row See TranscriptRow in analysis/transcript.py; what is as usual is left out.
 * @property {string} id
 * @property {"user" | "agent" | "system" | "call" | "note" | "latency"} kind
 * @property {string} [text]
 * @property {string} [unheard]
 * @property {boolean} [pending]
 * @property {string} [note]
 * @property {number} [t_s]
 * @property {string} [name]
 * @property {string} [output]
 * @property {number} [duration_ms]
 * @property {boolean} [failed]
 */
import { pretty } from "./call_text.js";
import { Follower } from "./following.js";
import { clockText, durationText } from "./texts.js";
import { element, view } from "./view.js";

const NAMES = { user: "you", agent: "agent", system: "system", call: "tool", note: "", latency: "" };
const LONGEST_LINE = 60;

/** Whether a call's arguments or output are folded to one line until somebody opens them. @param {string} text */
export function isLong(text) {
  return text.length > LONGEST_LINE || text.includes("\n");
}

/** A latency in words. @param {Row} row */
export function latencyText({ duration_ms, note }) {
  if (duration_ms === null || duration_ms === undefined) return "latency unknown";
  return [`after ${durationText(duration_ms)}`, note].filter(Boolean).join(", ");
}

/** Takes in a message. @param {Map<string, Row>} rows @param {string[]} order
 * @param {{changed: Row[], order?: string[]}} message @returns {string[]} the order */
export function applyRows(rows, order, message) {
  for (const row of message.changed) rows.set(row.id, row);
  if (message.order === undefined) return order;
  const kept = new Set(message.order);
  for (const id of rows.keys()) if (!kept.has(id)) rows.delete(id);
  return message.order;
}

/** @param {(message: object) => void} _send */
function createStore(_send) {
  /** @type {Map<string, Row>} */
  const rows = new Map();
  /** @type {string[]} */
  let order = [];
  let over = false;
  /** @type {Set<(changed: Row[]) => void>} */
  const watchers = new Set();
  return {
    rows,
    get order() { return order; },
    /** Whether nothing more comes; that is read from its beginning. */
    get over() { return over; },
    watchers,
    /** @param {any} message */
    onMessage(message) {
      if (message.kind !== "rows") return;
      order = applyRows(rows, order, message);
      over = message.over ?? false;
      for (const watcher of watchers) watcher(message.changed);
    },
  };
}

/**
 * @param {ReturnType<typeof createStore>} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const log = element("div", {
    class: "rtnb-log", role: "log", "aria-live": "polite", "aria-relevant": "additions text",
    "aria-label": "Transcript", tabindex: "0",
  });
  const follower = new Follower(log, signal);
  const empty = element("div", { class: "rtnb-empty", text: "Nothing was said yet." });
  el.replaceChildren(element("div", { class: "rtnb rtnb-transcript" }, log, empty, follower.button));

  /** @type {Map<string, {node: HTMLElement, paint: (row: Row) => void}>} */
  const shown = new Map();
  /** @param {Row[]} changed */
  function onRows(changed) {
    for (const row of changed) {
      if (shown.get(row.id)?.node.dataset.kind !== row.kind) {
        shown.get(row.id)?.node.remove();
        shown.set(row.id, createRow(row.kind, () => follower.look()));
      }
      shown.get(row.id)?.paint(row);
    }
    for (const [id, { node }] of shown) {
      if (store.rows.has(id)) continue;
      node.remove();
      shown.delete(id);
    }
    let at = log.firstElementChild;
    for (const id of store.order) {
      const node = shown.get(id)?.node;
      if (!node) continue;
      if (node === at) at = at.nextElementSibling;
      else log.insertBefore(node, at);
    }
    empty.hidden = store.order.length > 0;
    if (store.over) follower.rest();
    else follower.grown();
  }

  store.watchers.add(onRows);
  signal.addEventListener("abort", () => {
    store.watchers.delete(onRows);
  });
  onRows([...store.rows.values()]);
}

/** @param {Row["kind"]} kind @param {() => void} opened called when more or less of a row is shown */
function createRow(kind, opened) {
  if (kind === "latency") return createLatency();
  const who = element("span", { class: "rtnb-who", text: NAMES[kind] });
  const time = element("span", { class: "rtnb-time" });
  const body = kind === "call" ? createCall(opened) : createWords();
  const node = element("div", { class: `rtnb-said rtnb-${kind}`, "data-kind": kind }, who, body.node, time);
  return {
    node,
    /** @param {Row} row */
    paint(row) {
      node.classList.toggle("rtnb-pending", row.pending === true);
      node.classList.toggle("rtnb-failed", row.failed === true);
      setText(time, clockText(row.t_s));
      body.paint(row);
      if (!row.pending) node.normalize();
    },
  };
}

/** How long it took, between who spoke and who answered. */
function createLatency() {
  const words = element("span", { class: "rtnb-latency-chip" });
  return {
    node: element("div", { class: "rtnb-latency", "data-kind": "latency" }, words),
    /** @param {Row} row */
    paint(row) {
      const text = latencyText(row);
      setText(words, text);
      const isKnown = typeof row.duration_ms === "number";
      words.classList.toggle("rtnb-unknown", !isKnown);
      words.title = isKnown ? "From the end of your words to the first sound of the answer" : row.note ?? "";
    },
  };
}

function createWords() {
  const text = element("span", { class: "rtnb-text" });
  const unheard = element("s", { class: "rtnb-unheard", title: "Not heard" });
  const dots = element("span", { class: "rtnb-dots", "aria-hidden": "true" });
  const note = element("bdi", { class: "rtnb-note" });
  return {
    node: element("span", { class: "rtnb-words", dir: "auto" }, text, " ", unheard, dots, " ", note),
    /** @param {Row} row */
    paint(row) {
      setText(text, row.text ?? "");
      setText(unheard, row.unheard ?? "");
      unheard.hidden = !row.unheard;
      dots.hidden = !row.pending;
      setText(note, row.note ?? "");
    },
  };
}

/** A line that is folded while it is long. @param {string} what it holds @param {() => void} opened */
function createFold(what, opened) {
  const button = element("button", {
    type: "button", class: "rtnb-fold", "aria-expanded": "false", "aria-label": `All of the ${what}`, hidden: true,
  });
  const text = element("bdi", { class: "rtnb-fold-text" });
  let whole = "";
  let isOpen = false;
  const paint = () => {
    const folds = isLong(whole);
    button.hidden = !folds;
    button.setAttribute("aria-expanded", String(folds && isOpen));
    setText(text, folds && isOpen ? pretty(whole) : whole);
    return folds && !isOpen;
  };
  /** @param {HTMLElement} line */
  const attach = (line) => {
    line.addEventListener("click", ({ target }) => {
      // A click that ends a selection is no wish to close what is being read.
      if (button.hidden || (target !== button && (isOpen || !document.getSelection()?.isCollapsed))) return;
      isOpen = !isOpen;
      line.classList.toggle("rtnb-folded", paint());
      opened();
    });
  };
  return {
    button,
    text,
    attach,
    /** @param {string} words @param {HTMLElement} line */
    show(words, line) {
      whole = words;
      line.classList.toggle("rtnb-folded", paint());
    },
  };
}

/** @param {() => void} opened */
function createCall(opened) {
  const name = element("b");
  const args = createFold("arguments", opened);
  const call = element("div", { class: "rtnb-call-line" }, args.button, name, "(", args.text, ")");
  const output = createFold("output", opened);
  output.text.classList.add("rtnb-call-output");
  const dots = element("span", { class: "rtnb-dots", "aria-hidden": "true" });
  const duration = element("span", { class: "rtnb-note" });
  const result = element("div", { class: "rtnb-call-line" }, output.button, "→ ", output.text, dots, " ");
  args.attach(call);
  output.attach(result);
  return {
    node: element("div", { class: "rtnb-card" }, call, element("div", { class: "rtnb-call-result" }, result, duration)),
    /** @param {Row} row */
    paint(row) {
      setText(name, row.name ?? "");
      args.show(row.text ?? "", call);
      output.show(row.output ?? (row.pending ? row.note ?? "" : "no output"), result);
      output.text.classList.toggle("rtnb-note", row.output === undefined);
      dots.hidden = !row.pending;
      setText(duration, durationText(row.duration_ms));
    },
  };
}

/**
 * Sets an element's text. What is only added to is added as a text node, so that a screen reader
 * says no word twice.
 *
 * @param {HTMLElement} node
 * @param {string} text
 */
function setText(node, text) {
  const before = node.textContent ?? "";
  if (text === before) return;
  if (before !== "" && text.startsWith(before)) node.append(text.slice(before.length));
  else node.textContent = text;
}

export default view(createStore, createView);
