// @ts-check
/**
 * The table of function calls, and one of them in full: its arguments beside those it is run again
 * with. Only the rows in sight are in the document.
 *
 * @typedef {import("./call_text.js").Call} Call
 * @typedef {import("./call_details.js").Details} Details
 * @typedef {import("./call_details.js").Run} Run
 */
import { clockText, counted } from "./texts.js";
import { element, view } from "./view.js";
import { PART_NAMES, failed, fits, forgetOldest, msText, outcomeText, partTexts, shares, totalMs } from "./call_text.js";
import { createBar, createDetails } from "./call_details.js";

const CALL_ROW_HEIGHT = 24;
const MOST_ROWS = 8;
const EMPTY_ROWS = 3; // room for the words that there is none
const MOST_RUNS = 50; // whose outputs are kept
const COLUMNS = ["time", "turn", "function", "outcome", PART_NAMES.join(" · "), "run"];

/** @param {(message: object) => void} send */
function createStore(send) {
  /** @type {Map<string, Call>} */
  const calls = new Map();
  /** @type {Map<string, Run>} */
  const runs = new Map();
  /** @type {Details | null} */
  let details = null;
  let over = false;
  /** @type {Set<() => void>} */
  const watchers = new Set();
  return {
    calls,
    runs,
    watchers,
    get details() { return details; },
    /** Whether nothing more comes; that is read from its beginning. */
    get over() { return over; },
    /** @param {string} id */
    open: (id) => send({ kind: "open", call_id: id }),
    /** @param {string} id @param {string} text */
    run: (id, text) => send({ kind: "run", call_id: id, arguments: text }),
    /** @param {string} id */
    cancel: (id) => send({ kind: "cancel", call_id: id }),
    /** @param {any} message */
    onMessage(message) {
      if (message.kind === "calls") {
        over = message.over;
        if (message.afresh) {
          calls.clear();
          runs.clear();
        }
        for (const row of message.rows) calls.set(row.id, row);
        forgetOldest(calls, message.most);
      } else if (message.kind === "details") details = message;
      else if (message.kind === "run") {
        runs.set(message.call_id, message);
        forgetOldest(runs, MOST_RUNS);
      }
      for (const watcher of watchers) watcher();
    },
  };
}

/**
 * @param {ReturnType<typeof createStore>} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const search = element("input", {
    type: "search", class: "rtnb-input rtnb-events-search", placeholder: "Search function, outcome or turn",
    "aria-label": "Search calls",
  });
  const count = element("span", { class: "rtnb-events-count", role: "status" });
  const header = element("div", { class: "rtnb-calls-header", role: "row" },
    ...COLUMNS.map((name) => element("span", { role: "columnheader", text: name, title: name })));
  const spacer = element("div", { class: "rtnb-events-spacer", role: "presentation" });
  const scroller = element("div", { class: "rtnb-calls-scroller", role: "rowgroup", tabindex: "-1" }, spacer);
  const empty = element("div", { class: "rtnb-empty", text: "No function calls." });
  const gridId = `rtnb-calls-${Math.random().toString(36).slice(2)}`;
  const grid = element("div", {
    class: "rtnb-events-grid", role: "grid", tabindex: "0", "aria-label": "Function calls", id: gridId,
    "aria-readonly": "true",
  }, header, scroller, empty);
  const details = createDetails({
    run: (text) => { if (chosen) store.run(chosen, text); },
    cancel: () => { if (chosen) store.cancel(chosen); },
    leave: () => grid.focus(),
  }, signal);
  const root = element("div", { class: "rtnb rtnb-events rtnb-calls" },
    element("div", { class: "rtnb-toolbar" }, search, count), grid, details.root);
  el.replaceChildren(root);

  /** @type {{row: HTMLElement, cells: HTMLElement[], bar: ReturnType<typeof createBar>, id: string}[]} */
  const pool = [];
  /** @type {Call[]} */
  let shown = [];
  let chosen = "";
  let following = true;
  let painting = 0;

  function schedule() {
    if (painting === 0) painting = requestAnimationFrame(paint);
  }

  function paint() {
    painting = 0;
    const all = [...store.calls.values()];
    const text = search.value.trim();
    shown = text ? all.filter((call) => fits(call, text)) : all;
    count.textContent = shown.length === all.length ? counted(all.length, "call") : `${shown.length} of ${all.length}`;
    empty.hidden = shown.length > 0;
    empty.textContent = all.length > 0 ? "No call matches." : "No function calls.";
    const rows = Math.min(MOST_ROWS, shown.length);
    scroller.style.height = `${(rows || EMPTY_ROWS) * CALL_ROW_HEIGHT}px`;
    spacer.style.height = `${shown.length * CALL_ROW_HEIGHT}px`;
    if (following && !store.over) scroller.scrollTop = scroller.scrollHeight;
    grid.setAttribute("aria-rowcount", String(shown.length + 1));
    const longest = all.reduce((most, call) => Math.max(most, totalMs(call)), 0);
    while (pool.length < Math.min(MOST_ROWS + 2, shown.length)) pool.push(newRow());
    const top = Math.max(0, Math.floor(scroller.scrollTop / CALL_ROW_HEIGHT) - 1);
    for (let place = top; place < top + pool.length; place++) {
      paintRow(pool[place % pool.length], place, longest);
    }
    const current = pool.find(({ id }) => id === chosen && chosen !== "");
    if (current) grid.setAttribute("aria-activedescendant", current.row.id);
    else grid.removeAttribute("aria-activedescendant");
    const call = store.calls.get(chosen);
    const known = store.details?.call_id === chosen ? store.details : null;
    details.show(call ?? null, known, store.runs.get(chosen) ?? null);
  }

  function newRow() {
    const bar = createBar();
    const cells = COLUMNS.map(() => element("span", { role: "gridcell" }));
    cells[4].append(bar.root);
    const row = element("div", { class: "rtnb-calls-row", role: "row", id: `${gridId}-${pool.length}` }, ...cells);
    spacer.append(row);
    return { row, cells, bar, id: "" };
  }

  /** @param {typeof pool[number]} slot @param {number} place @param {number} longest */
  function paintRow(slot, place, longest) {
    const { row, cells, bar } = slot;
    const call = shown[place];
    row.hidden = call === undefined;
    slot.id = call?.id ?? "";
    if (call === undefined) return;
    row.style.transform = `translateY(${place * CALL_ROW_HEIGHT}px)`;
    row.setAttribute("aria-rowindex", String(place + 2));
    row.setAttribute("aria-selected", String(call.id === chosen));
    row.classList.toggle("rtnb-error", failed(call));
    cells[0].textContent = clockText(call.t_s, 1);
    cells[1].textContent = call.turn === null ? "" : String(call.turn);
    cells[2].textContent = call.name;
    cells[3].textContent = cells[3].title = outcomeText(call);
    bar.show(shares(call, longest));
    const times = partTexts(call).join(", ");
    cells[4].setAttribute("aria-label", times);
    cells[4].title = times;
    cells[5].textContent = msText(call.run_ms);
  }

  /** @param {number} place */
  function select(place) {
    if (shown.length === 0) return;
    const at = Math.max(0, Math.min(shown.length - 1, place));
    const top = at * CALL_ROW_HEIGHT;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + CALL_ROW_HEIGHT > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = top + CALL_ROW_HEIGHT - scroller.clientHeight;
    }
    following = at === shown.length - 1;
    if (shown[at].id !== chosen) {
      chosen = shown[at].id;
      store.open(chosen);
    }
    if (painting !== 0) cancelAnimationFrame(painting);
    paint();
  }

  function close() {
    if (chosen === "") return false;
    chosen = "";
    grid.focus();
    schedule();
    return true;
  }

  /** Whether the key was for the table. @param {KeyboardEvent} event */
  function onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const place = shown.findIndex(({ id }) => id === chosen);
    switch (event.key) {
      case "ArrowDown": select(place + 1); return true;
      case "ArrowUp": select(place < 0 ? 0 : place - 1); return true;
      case "PageDown": select(place + MOST_ROWS - 1); return true;
      case "PageUp": select(place - MOST_ROWS + 1); return true;
      case "Home": select(0); return true;
      case "End": select(shown.length - 1); return true;
      case "Enter":
        if (place < 0) select(0);
        details.edit();
        return true;
      default: return false;
    }
  }

  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.root.contains(/** @type {Node} */ (event.target))) grid.focus();
    else if (event.key === "Escape" ? !close() : event.target !== grid || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
  search.addEventListener("input", schedule, { signal });
  scroller.addEventListener("scroll", () => {
    following = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < CALL_ROW_HEIGHT;
    schedule();
  }, { signal, passive: true });
  spacer.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest(".rtnb-calls-row") : null;
    const slot = pool.find((one) => one.row === row);
    if (slot) select(shown.findIndex(({ id }) => id === slot.id));
  }, { signal });
  const sizes = new ResizeObserver(schedule); // of a tab that is opened again
  sizes.observe(scroller);
  store.watchers.add(schedule);
  signal.addEventListener("abort", () => {
    store.watchers.delete(schedule);
    sizes.disconnect();
    cancelAnimationFrame(painting);
  });
  schedule();
}

export default view(createStore, createView);
