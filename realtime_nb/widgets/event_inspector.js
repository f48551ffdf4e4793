// @ts-check
/**
 * The table of events: summaries of all of them are here, their payloads stay in Python and are
 * fetched when one is opened. Only the rows in sight are in the document.
 *
 * @typedef {import("./event_list.js").Entry} Entry
 * @typedef {import("./event_list.js").Filter} Filter
 * @typedef {import("./event_list.js").Summary} Summary
 */
import { EventDetails } from "./event_details.js";
import { EventList, decodeSummary } from "./event_list.js";
import { EventRows, ROW_HEIGHT } from "./event_rows.js";
import { counted } from "./texts.js";
import { element, view } from "./view.js";

const SEARCH_DELAY_MS = 120;
const ANSWER_DUE_MS = 5_000;
const NO_ANSWER = "The kernel does not answer; only this summary is here.";
const TYPE_PREFIXES = ["session", "input_audio_buffer", "conversation", "response"];

/**
 * What the page knows, shared by all views of it.
 *
 * @param {(message: object) => void} send
 */
export function createStore(send) {
  let list = new EventList();
  /** @type {Map<string, string>} */
  let known = new Map();
  /** @type {Set<(change: "events" | "reset") => void>} */
  const watchers = new Set();
  /** @type {Map<number, (answer: {json: string, note: string}) => void>} */
  const asked = new Map();
  /** @type {Set<() => void>} */
  const counting = new Set();
  let requests = 0;
  let lost = 0;
  let over = false;

  /** @param {any} message */
  function onMessage(message) {
    if (message.kind === "reset") {
      over = message.over ?? false;
      const { filter, folded } = list;
      list = new EventList();
      Object.assign(list, { filter, folded });
      known = new Map();
      lost = 0;
    } else if (message.kind === "events") {
      lost += message.lost;
      list.append(message.rows.map((/** @type {any[]} */ row) => decodeSummary(row, known)));
    } else if (message.kind === "payload") {
      asked.get(message.id)?.(message);
      asked.delete(message.id);
      return;
    }
    for (const watcher of watchers) watcher(message.kind);
    for (const watcher of counting) watcher();
  }

  return {
    onMessage,
    /** For the panel that shows how many events there are. */
    exports: {
      get count() { return list.events.length; },
      /** Calls at once and when there are more. @param {() => void} watcher @param {AbortSignal} signal */
      follow(watcher, signal) {
        counting.add(watcher);
        signal.addEventListener("abort", () => counting.delete(watcher));
        watcher();
      },
    },
    get list() { return list; },
    get lost() { return lost + list.dropped; },
    /** Whether nothing more comes; that is read from its beginning. */
    get over() { return over; },
    watchers,
    /**
     * Without a note, the answer is whole.
     *
     * @param {number[]} seqs @param {boolean} [whole] also what is too long to be shown
     * @returns {Promise<{json: string, note: string}>}
     */
    fetch(seqs, whole = false) {
      const id = ++requests;
      return new Promise((resolve) => {
        const giveUp = () => {
          asked.delete(id);
          resolve({ json: "", note: NO_ANSWER });
        };
        const timer = setTimeout(giveUp, ANSWER_DUE_MS);
        asked.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        try {
          send({ kind: "fetch", id, seqs, whole });
        } catch {
          clearTimeout(timer);
          giveUp();
        }
      });
    },
  };
}

/**
 * A view of the store.
 *
 * @param {ReturnType<typeof createStore>} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const search = element("input", {
    type: "search", class: "rtnb-input rtnb-events-search", placeholder: "Search type, id or text",
    "aria-label": "Search events", dir: "auto",
  });
  const sentButton = toggle("↑ sent", "Show sent events", true);
  const receivedButton = toggle("↓ received", "Show received events", true);
  const typesButton = element("button", {
    type: "button", class: "rtnb-button", "aria-expanded": "false", "aria-haspopup": "true",
    text: "Types",
  });
  const foldButton = toggle("Fold", "Fold deltas", true);
  const pauseButton = toggle("Pause", "Pause", false);
  const idChip = element("button", { type: "button", class: "rtnb-chip", hidden: true });
  const count = element("span", { class: "rtnb-events-count", role: "status" });
  const typesPanel = element("div", {
    class: "rtnb-types", role: "group", "aria-label": "Types shown", hidden: true,
  });
  const toolbar = element(
    "div", { class: "rtnb-toolbar" },
    search, sentButton, receivedButton, typesButton, foldButton, pauseButton, idChip, count,
  );
  const header = element("div", { class: "rtnb-events-header", role: "row" });
  for (const name of ["time", "Δt", "", "event", "content", "size"]) {
    header.append(element("span", { role: "columnheader", text: name || "" }));
  }
  header.children[0].setAttribute("title", "Seconds since the session began");
  header.children[1].setAttribute("title", "Since the row before");
  header.children[2].setAttribute("aria-label", "direction");
  const spacer = element("div", { class: "rtnb-events-spacer", role: "presentation" });
  const empty = element("div", { class: "rtnb-empty" });
  const scroller = element("div", { class: "rtnb-events-scroller", role: "rowgroup", tabindex: "-1" }, spacer);
  const gridId = `rtnb-events-${Math.random().toString(36).slice(2)}`;
  const grid = element(
    "div",
    {
      class: "rtnb-events-grid", role: "grid", tabindex: "0", "aria-label": "Events", id: gridId,
      "aria-readonly": "true",
    },
    header, scroller, empty,
  );
  const rows = new EventRows(spacer, gridId);
  const details = new EventDetails(store.fetch, { goTo, filterById, closed }, signal);
  const root = element(
    "div", { class: "rtnb rtnb-events" },
    toolbar, typesPanel, grid, details.root,
  );
  el.replaceChildren(root);

  /** @type {Entry | null} */
  let selected = null;
  let following = true;
  let paused = false;
  /** @type {EventList | null} */
  let frozen = null;
  let painting = 0;
  let height = 0;  // of what is in sight; asking for it may cost a layout
  let told = "";

  const list = () => frozen ?? store.list;
  const follows = () => following && !store.over;

  // --- painting ---

  function schedule() {
    if (painting === 0) painting = requestAnimationFrame(paint);
  }

  function paint() {
    painting = 0;
    if (height === 0) return;  // in a tab that is not open
    const { entries } = list();
    rows.stretch(entries.length);
    if (follows()) scroller.scrollTop = entries.length * ROW_HEIGHT;
    rows.paint(list(), selected, scroller.scrollTop, height);
    paintCount();
  }

  function paintCount() {
    const { events, entries, shown } = list();
    const waiting = frozen ? store.list.events.length - events.length : 0;
    const stamp = `${shown}|${events.length}|${entries.length}|${waiting}|${store.lost}`;
    if (stamp === told) return;
    told = stamp;
    const number = (/** @type {number} */ value) => value.toLocaleString("en");
    count.textContent = [
      shown === events.length ? counted(events.length, "event") : `${number(shown)} of ${number(events.length)}`,
      waiting > 0 ? `${number(waiting)} new` : "",
      store.lost > 0 ? `${number(store.lost)} oldest dropped` : "",
    ].filter(Boolean).join(" · ");
    grid.setAttribute("aria-rowcount", String(entries.length + 1));
    empty.hidden = entries.length > 0;
    empty.textContent = events.length > 0 ? "No event matches." : "No events yet.";
  }

  // --- choosing ---

  function selectedPlace() {
    if (selected === null) return -1;
    const place = list().entries.indexOf(selected);
    return place >= 0 ? place : list().place(selected.first.seq);  // its row was made anew
  }

  /** @param {number} place */
  function select(place) {
    const { entries } = list();
    if (entries.length === 0) return;
    const at = Math.max(0, Math.min(entries.length - 1, place));
    selected = entries[at];
    const top = at * ROW_HEIGHT;
    rows.stretch(entries.length);  // else it can't scroll that far
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scroller.scrollTop + height) {
      scroller.scrollTop = top + ROW_HEIGHT - height;
    }
    following = at === entries.length - 1;
    if (painting !== 0) cancelAnimationFrame(painting);
    paint();
    const id = rows.idOf(selected);
    if (id) grid.setAttribute("aria-activedescendant", id);
    if (details.open) void open(at);
  }

  /** @param {number} place */
  async function open(place) {
    const entry = list().entries[place];
    if (entry) await details.show(entry, list());
  }

  /** @param {Summary} event */
  function goTo(event) {
    if (list().place(event.seq) < 0) {
      search.value = "";
      for (const button of [sentButton, receivedButton]) press(button, true);
      list().change({ text: "", id: "", sent: true, received: true, hiddenTypes: new Set() });
      showChip();
      paintTypes();
    }
    select(list().place(event.seq));
    grid.focus();
  }

  /** @param {string} id */
  function filterById(id) {
    refilter({ id });
    showChip();
  }

  function showChip() {
    const { id } = list().filter;
    idChip.hidden = id === "";
    idChip.textContent = `${id} ×`;
    idChip.setAttribute("aria-label", `Stop filtering by ${id}`);
  }

  /** The details were closed. */
  function closed() {
    grid.focus();
    schedule();
  }

  async function copySelected() {
    const entry = list().entries[selectedPlace()];
    if (!entry) return;
    count.textContent = await details.copy(entry);
    told = "";  // the next painting writes over it
  }

  // --- filtering ---

  /** @param {Partial<Filter> & {folded?: boolean}} change */
  function refilter(change) {
    list().change(change);
    if (frozen) {
      const { filter, folded } = frozen;
      Object.assign(store.list, { filter, folded });
    }
    const place = selectedPlace();
    if (place >= 0 && !follows()) scroller.scrollTop = Math.max(0, place - 3) * ROW_HEIGHT;
    schedule();
  }

  function paintTypes() {
    if (typesPanel.hidden) return;
    const { types, filter } = list();
    const known = [...types.keys()].sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
    const all = element("button", { type: "button", class: "rtnb-button", text: "All" });
    const none = element("button", { type: "button", class: "rtnb-button", text: "None" });
    all.addEventListener("click", () => setTypes(new Set()), { signal });
    none.addEventListener("click", () => setTypes(new Set(known)), { signal });
    const boxes = known.map((type) => {
      const box = element("input", { type: "checkbox" });
      box.checked = !filter.hiddenTypes.has(type);
      box.addEventListener("change", () => {
        const hidden = new Set(list().filter.hiddenTypes);
        if (box.checked) hidden.delete(type);
        else hidden.add(type);
        refilter({ hiddenTypes: hidden });
        typesButton.classList.toggle("rtnb-active", hidden.size > 0);
      }, { signal });
      const label = element("label", {}, box, `${type} ${types.get(type)}`);
      return label;
    });
    typesPanel.replaceChildren(all, none, ...boxes);
  }

  /** @param {Set<string>} hiddenTypes */
  function setTypes(hiddenTypes) {
    refilter({ hiddenTypes });
    typesButton.classList.toggle("rtnb-active", hiddenTypes.size > 0);
    paintTypes();
  }

  // --- listening ---

  let searching = 0;
  search.addEventListener("input", () => {
    clearTimeout(searching);
    searching = window.setTimeout(() => refilter({ text: search.value.trim() }), SEARCH_DELAY_MS);
  }, { signal });
  sentButton.addEventListener("click", () => refilter({ sent: press(sentButton) }), { signal });
  receivedButton.addEventListener("click", () => refilter({ received: press(receivedButton) }), { signal });
  foldButton.addEventListener("click", () => refilter({ folded: press(foldButton) }), { signal });
  idChip.addEventListener("click", () => filterById(""), { signal });
  typesButton.addEventListener("click", () => {
    typesPanel.hidden = !typesPanel.hidden;
    typesButton.setAttribute("aria-expanded", String(!typesPanel.hidden));
    paintTypes();
  }, { signal });
  pauseButton.addEventListener("click", () => setPaused(press(pauseButton)), { signal });

  /** @param {boolean} on */
  function setPaused(on) {
    paused = on;
    frozen = null;
    if (on) {
      frozen = new EventList();
      const { filter, folded, events } = store.list;
      Object.assign(frozen, { filter: { ...filter }, folded });
      frozen.append(events.slice());
    } else {
      store.list.rebuild();
    }
    schedule();
  }

  scroller.addEventListener("scroll", () => {
    // Of what was painted: of events that have come since, nobody has scrolled away.
    following = scroller.scrollHeight - scroller.scrollTop - height < ROW_HEIGHT;
    schedule();
  }, { signal, passive: true });

  spacer.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest(".rtnb-events-row") : null;
    const slot = rows.slot(row);
    if (!slot?.entry) return;
    const place = list().entries.indexOf(slot.entry);
    const rect = slot.cells[3].getBoundingClientRect();
    const onMark = event.clientX >= rect.left && event.clientX < rect.left + 16;
    select(place);
    if (slot.entry?.members && onMark) expand(place, !slot.entry.expanded);
    else void open(place);
  }, { signal });

  /** @param {number} place @param {boolean} on */
  function expand(place, on) {
    list().expand(place, on);
    following = false;
    schedule();
  }

  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && details.open) details.close();
    else if (event.target !== grid || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });

  /** Whether the key was for the table. @param {KeyboardEvent} event */
  function onKey(event) {
    const place = selectedPlace();
    const page = Math.max(1, Math.floor(height / ROW_HEIGHT) - 1);
    const last = list().entries.length - 1;
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "c") {
      void copySelected();
      return true;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    switch (event.key) {
      case "ArrowDown": select(place < 0 ? top() : place + 1); return true;
      case "ArrowUp": select(place < 0 ? top() : place - 1); return true;
      case "PageDown": select((place < 0 ? top() : place) + page); return true;
      case "PageUp": select((place < 0 ? top() : place) - page); return true;
      case "Home": select(0); return true;
      case "End": select(last); return true;
      case "ArrowRight": expand(place, true); return true;
      case "ArrowLeft": expand(place, false); return true;
      case "Enter": void open(place < 0 ? top() : place); return true;
      default: return false;
    }
  }

  const top = () => Math.ceil(scroller.scrollTop / ROW_HEIGHT);

  const sizes = new ResizeObserver(() => {
    height = scroller.clientHeight;
    schedule();
  });
  sizes.observe(scroller);
  let typesPainted = 0;
  /** @param {"events" | "reset"} change */
  function onChange(change) {
    if (change === "reset") {
      if (paused) setPaused(press(pauseButton, false));
      if (details.open) details.close();
      selected = null;
      following = true;
    }
    if (!typesPanel.hidden && list().types.size !== typesPainted) {
      typesPainted = list().types.size;
      paintTypes();
    }
    schedule();
  }
  store.watchers.add(onChange);
  signal.addEventListener("abort", () => {
    store.watchers.delete(onChange);
    sizes.disconnect();
    cancelAnimationFrame(painting);
    clearTimeout(searching);
  });
  schedule();
}

/** @param {string} type */
function rank(type) {
  const at = TYPE_PREFIXES.findIndex((prefix) => type.startsWith(prefix));
  return at < 0 ? TYPE_PREFIXES.length : at;
}

/** @param {string} text @param {string} label @param {boolean} on */
function toggle(text, label, on) {
  return element("button", {
    type: "button", class: "rtnb-button", "aria-pressed": String(on), title: label, text,
  });
}

/** Flips a toggle, or sets it. @param {HTMLElement} button @param {boolean} [on] */
function press(button, on) {
  const pressed = on ?? button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", String(pressed));
  return pressed;
}

export default view(createStore, createView);
