// @ts-check
/**
 * The transcript. Python sends the rows that changed and, when it changed, their order.
 *
 * @typedef {object} Row See TranscriptRow in analysis/transcript.py; what is as usual is left out.
 * @property {string} id
 * @property {"user" | "agent" | "system" | "call" | "note"} kind
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
import { clockText, durationText } from "./texts.js";
import { element, view } from "./view.js";

const NAMES = { user: "you", agent: "agent", system: "system", call: "tool", note: "" };
const NEAR_END_PX = 24;

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
  /** @type {Set<(changed: Row[]) => void>} */
  const watchers = new Set();
  return {
    rows,
    get order() { return order; },
    watchers,
    /** @param {any} message */
    onMessage(message) {
      if (message.kind !== "rows") return;
      order = applyRows(rows, order, message);
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
  const jump = element("button", {
    type: "button", class: "rtnb-button rtnb-jump", hidden: true, text: "Latest ↓",
  });
  const empty = element("div", { class: "rtnb-empty", text: "Nothing was said yet." });
  el.replaceChildren(element("div", { class: "rtnb rtnb-transcript" }, log, empty, jump));

  /** @type {Map<string, {node: HTMLElement, paint: (row: Row) => void}>} */
  const shown = new Map();
  let following = true;

  /** @param {Row[]} changed */
  function onRows(changed) {
    for (const row of changed) {
      if (shown.get(row.id)?.node.dataset.kind !== row.kind) {
        shown.get(row.id)?.node.remove();
        shown.set(row.id, createRow(row.kind));
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
    follow();
  }

  function follow() {
    if (following) log.scrollTop = log.scrollHeight;
    else jump.hidden = false;
  }

  log.addEventListener("scroll", () => {
    following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END_PX;
    if (following) jump.hidden = true;
  }, { signal, passive: true });
  jump.addEventListener("click", () => {
    following = true;
    jump.hidden = true;
    log.scrollTop = log.scrollHeight;
    log.focus();
  }, { signal });
  const sizes = new ResizeObserver(() => {
    if (following) log.scrollTop = log.scrollHeight;
  });
  sizes.observe(log);
  store.watchers.add(onRows);
  signal.addEventListener("abort", () => {
    store.watchers.delete(onRows);
    sizes.disconnect();
  });
  onRows([...store.rows.values()]);
}

/** @param {Row["kind"]} kind */
function createRow(kind) {
  const who = element("span", { class: "rtnb-who", text: NAMES[kind] });
  const time = element("span", { class: "rtnb-time" });
  const body = kind === "call" ? createCall() : createWords();
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

function createCall() {
  const name = element("b");
  const args = element("bdi");
  const call = element("div", { class: "rtnb-call-line" }, name, "(", args, ")");
  const output = element("bdi", { class: "rtnb-call-output" });
  const dots = element("span", { class: "rtnb-dots", "aria-hidden": "true" });
  const duration = element("span", { class: "rtnb-note" });
  const result = element("div", { class: "rtnb-call-line" }, "→ ", output, dots, " ", duration);
  return {
    node: element("div", { class: "rtnb-card" }, call, result),
    /** @param {Row} row */
    paint(row) {
      setText(name, row.name ?? "");
      setText(args, row.text ?? "");
      setText(output, row.output ?? (row.pending ? "" : "no output"));
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
