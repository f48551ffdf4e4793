// @ts-check
/**
 * The waterfall of the last turns: a bar for each, whose parts add up to its latency, and one turn
 * in words. Python keeps it to the last fifty.
 *
 * @typedef {object} Turn A row, as timing.py sends it.
 * @property {number} turn
 * @property {number | null} latency_ms
 * @property {(number | null)[]} parts_ms
 * @property {string[]} said What there is to say of each part: why it is not known.
 * @property {string} note Why the latency is not known.
 * @property {boolean} awaited Whether the answer may still begin to sound.
 * @property {boolean} calls
 * @property {boolean} interrupted
 *
 * @typedef {{afresh: boolean, over: boolean, rows: Turn[], first: number, count: number, parts: string[]}} Turns
 */
import { counted } from "./texts.js";
import { element, say, view } from "./view.js";
import { Follower } from "./following.js";

/** A latency, or why there is none. @param {Turn} turn */
export function totalText({ latency_ms, note, awaited, calls, interrupted }) {
  const known = latency_ms !== null;
  const total = known ? wholeMs(latency_ms) : awaited ? "…" : note || "no latency";
  return [total, calls && "with calls", interrupted && "interrupted"].filter(Boolean).join(", ");
}

/** @param {number} ms */
export function wholeMs(ms) {
  return `${Math.round(ms).toLocaleString("en")} ms`;
}

/** A part in words: how long it took, or why that is not known. @param {string} name
 * @param {number | null} ms @param {string} said */
export function partText(name, ms, said) {
  if (ms === null) return `${name} – (${said || "unknown"})`;
  return `${name} ${wholeMs(ms)}`;
}

/** What is told on hover, and to who can't see bars. @param {Turn} turn @param {string[]} names */
export function turnText(turn, names) {
  const parts = names.map((name, n) => partText(name, turn.parts_ms[n], turn.said[n]));
  return [`Turn ${turn.turn}: ${totalText(turn)}`, ...parts].join("\n");
}

/** Each part as a share of the longest latency; one grey stretch where they don't add up.
 * @param {Turn} turn @param {number} longest_ms @returns {{parts: number[], whole: number}} */
export function turnShares({ latency_ms, parts_ms }, longest_ms) {
  const share = (/** @type {number | null} */ ms) => (longest_ms > 0 ? Math.max(0, ms ?? 0) / longest_ms : 0);
  const isSplit = latency_ms !== null && parts_ms.every((ms) => ms !== null);
  return { parts: parts_ms.map((ms) => (isSplit ? share(ms) : 0)), whole: isSplit ? 0 : share(latency_ms) };
}

/** Takes in a message. @param {Map<number, Turn>} turns @param {Turns} message */
export function applyTurns(turns, message) {
  if (message.afresh) turns.clear();
  for (const row of message.rows) turns.set(row.turn, row);
  for (const number of turns.keys()) if (number < message.first) turns.delete(number);
}

/** @param {(message: object) => void} _send */
function createStore(_send) {
  /** @type {Map<number, Turn>} */
  const turns = new Map();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const store = {
    turns,
    watchers,
    count: 0,
    /** Whether nothing more comes; that is read from its beginning. */
    over: false,
    /** @type {string[]} */
    parts: [],
    /** @param {any} message */
    onMessage(message) {
      if (message.kind !== "turns") return;
      applyTurns(turns, message);
      store.count = message.count;
      store.over = message.over;
      store.parts = message.parts;
      for (const watcher of watchers) watcher();
    },
  };
  return store;
}

/** @param {string} name */
const partClass = (name) => `rtnb-part-${name.replaceAll(" ", "-")}`;

/** @param {string[]} names @param {string} id */
function createRow(names, id) {
  const number = element("span", { class: "rtnb-turn-number", role: "gridcell" });
  const parts = names.map((name) => element("span", { class: partClass(name) }));
  const whole = element("span", { class: "rtnb-part-whole" });
  const total = element("span", { class: "rtnb-turn-total" });
  const bar = element("span", { class: "rtnb-turn-bar", role: "gridcell" }, ...parts, whole, total);
  const node = element("div", { class: "rtnb-turn", role: "row", id }, number, bar);
  return {
    node,
    /** @param {Turn} turn @param {number} longest_ms @param {boolean} isChosen */
    paint(turn, longest_ms, isChosen) {
      const shares = turnShares(turn, longest_ms);
      say(number, String(turn.turn));
      [...parts, whole].forEach((part, n) => {
        const share = [...shares.parts, shares.whole][n];
        part.style.setProperty("--share", String(share));
        part.hidden = share === 0;
        part.title = n < parts.length ? partText(names[n], turn.parts_ms[n], turn.said[n]) : turnText(turn, names);
      });
      say(total, totalText(turn));
      total.classList.toggle("rtnb-unknown", turn.latency_ms === null);
      node.title = turnText(turn, names);
      node.setAttribute("aria-label", node.title);
      node.setAttribute("aria-selected", String(isChosen));
    },
  };
}

/** One turn in words. */
function createFacts() {
  const title = element("b");
  const list = element("ul", { class: "rtnb-turn-parts" });
  const root = element("section", { class: "rtnb-turn-facts", "aria-label": "Turn in parts", hidden: true }, title, list);
  return {
    root,
    /** @param {Turn | undefined} turn @param {string[]} names */
    show(turn, names) {
      root.hidden = turn === undefined;
      if (!turn) return;
      const words = turnText(turn, names);
      if (root.dataset.words === words) return;
      root.dataset.words = words;
      title.textContent = `Turn ${turn.turn}: ${totalText(turn)}`;
      list.replaceChildren(...names.map((name, n) => element("li", {},
        element("span", { class: `rtnb-turn-key ${partClass(name)}` }),
        partText(name, turn.parts_ms[n], turn.said[n]),
        turn.parts_ms[n] !== null && turn.said[n] ? ` (${turn.said[n]})` : "")));
    },
  };
}

/**
 * @param {ReturnType<typeof createStore>} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const gridId = `rtnb-timing-${Math.random().toString(36).slice(2)}`;
  const legend = element("div", { class: "rtnb-turn-legend", "aria-hidden": "true" });
  const count = element("span", { class: "rtnb-events-count", role: "status" });
  const grid = element("div", {
    class: "rtnb-events-grid rtnb-turns", role: "grid", tabindex: "0", "aria-label": "Latency by turn",
    "aria-readonly": "true",
  });
  const empty = element("div", { class: "rtnb-empty", text: "No turns yet." });
  const facts = createFacts();
  const follower = new Follower(grid, signal);
  const root = element("div", { class: "rtnb rtnb-events rtnb-timing" },
    element("div", { class: "rtnb-toolbar" }, legend, count), grid, empty, follower.button, facts.root);
  el.replaceChildren(root);

  /** @type {Map<number, ReturnType<typeof createRow>>} */
  const shown = new Map();
  let chosen = 0;

  function paint() {
    const turns = [...store.turns.values()].sort((a, b) => a.turn - b.turn);
    if (legend.childElementCount !== store.parts.length) {
      legend.replaceChildren(...store.parts.map((name) => element("span", {},
        element("span", { class: `rtnb-turn-key ${partClass(name)}` }), name)));
    }
    for (const [number, { node }] of shown) {
      if (store.turns.has(number)) continue;
      node.remove();
      shown.delete(number);
    }
    const longest_ms = turns.reduce((most, { latency_ms }) => Math.max(most, latency_ms ?? 0), 0);
    for (const turn of turns) {
      let row = shown.get(turn.turn);
      if (!row) {
        row = createRow(store.parts, `${gridId}-${turn.turn}`);
        shown.set(turn.turn, row);
        grid.append(row.node);
      }
      row.paint(turn, longest_ms, turn.turn === chosen);
    }
    if (!shown.has(chosen)) chosen = 0;
    if (chosen) grid.setAttribute("aria-activedescendant", `${gridId}-${chosen}`);
    else grid.removeAttribute("aria-activedescendant");
    say(count, store.count > turns.length ? `the last ${turns.length} of ${store.count} turns` : counted(store.count, "turn"));
    empty.hidden = turns.length > 0;
    grid.hidden = legend.hidden = turns.length === 0;
    facts.show(store.turns.get(chosen), store.parts);
    if (store.over) follower.rest();
    else follower.grown();
  }

  /** @param {number} number */
  function choose(number) {
    chosen = number;
    paint();
    shown.get(number)?.node.scrollIntoView({ block: "nearest" });
  }

  /** Whether the key was for the rows. @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    if (event.key === "Escape" && !chosen) return false;
    const numbers = [...shown.keys()].sort((a, b) => a - b);
    const place = numbers.indexOf(chosen);
    const last = numbers.length - 1;
    const next = {
      ArrowDown: place + 1, ArrowUp: place < 0 ? last : place - 1, Home: 0, End: last,
      PageDown: place + 9, PageUp: place - 9,
    }[event.key];
    if (event.key === "Escape") choose(0);
    else if (next === undefined || last < 0) return false;
    else choose(numbers[Math.max(0, Math.min(last, next))]);
    return true;
  }

  grid.addEventListener("keydown", (event) => {
    if (!onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
  grid.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest(".rtnb-turn") : null;
    const number = [...shown].find(([, { node }]) => node === row)?.[0] ?? 0;
    if (number) choose(number === chosen ? 0 : number);
  }, { signal });
  store.watchers.add(paint);
  signal.addEventListener("abort", () => store.watchers.delete(paint));
  paint();
}

export default view(createStore, createView);
