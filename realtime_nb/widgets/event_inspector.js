// @ts-check
/**
 * The table of events: summaries of all of them are here, their payloads stay in Python and are
 * fetched when one is opened. Only the rows in sight are in the document.
 *
 * @typedef {object} Summary One event.
 * @property {number} seq
 * @property {number} t Milliseconds since the session began.
 * @property {boolean} sent
 * @property {string} type
 * @property {string} eventId
 * @property {string} item
 * @property {string} response
 * @property {string} call
 * @property {string} cause The event_id of the client event that an error is about.
 * @property {number} bytes
 * @property {string} text
 *
 * @typedef {object} Entry One row: an event, or several of a kind folded into one.
 * @property {Summary} first
 * @property {Summary[] | null} members All of them, if there are several.
 * @property {number} bytes
 * @property {string} text
 * @property {boolean} expanded
 * @property {boolean} child Whether it is shown because its fold was opened.
 *
 * @typedef {object} Filter
 * @property {string} text
 * @property {boolean} sent
 * @property {boolean} received
 * @property {string} id An item's, response's, call's or event's.
 * @property {Set<string>} hiddenTypes
 */
import { element, view } from "./view.js";

export const ROW_HEIGHT = 24;
export const MAX_EVENTS = 200_000;
const MOST_ROWS = 34;
const TEXT_CHARACTERS = 160;
const MOST_COPIED = 200;
const SEARCH_DELAY_MS = 120;
const ANSWER_DUE_MS = 5_000;
const TYPE_PREFIXES = ["session", "input_audio_buffer", "conversation", "response"];

/**
 * @param {any[]} row As Python sends it.
 * @param {Map<string, string>} known Texts that repeat, each held once.
 * @returns {Summary}
 */
export function decodeSummary(row, known) {
  const [seq, t, sent, type, eventId, item, response, call, cause, bytes, text] = row;
  const once = (/** @type {string} */ value) => {
    const held = known.get(value);
    if (held === undefined) known.set(value, value);
    return held ?? value;
  };
  return {
    seq, t, sent: sent === 1, type: once(type), eventId,
    item: once(item), response: once(response), call: once(call), cause, bytes, text,
  };
}

/** @param {string} type */
export function folds(type) {
  return type.endsWith(".delta") || type === "input_audio_buffer.append";
}

/** @param {Summary} event @param {Filter} filter */
export function matches(event, filter) {
  if (event.sent ? !filter.sent : !filter.received) return false;
  if (filter.hiddenTypes.has(event.type)) return false;
  const { id } = filter;
  if (id && ![event.item, event.response, event.call, event.eventId, event.cause].includes(id)) {
    return false;
  }
  if (!filter.text) return true;
  const text = filter.text.toLowerCase();
  return [event.type, event.text, event.item, event.response, event.call, event.eventId].some(
    (value) => value !== "" && value.toLowerCase().includes(text),
  );
}

/** @param {number} bytes */
export function sizeText(bytes) {
  if (bytes === 0) return "";
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** @param {number} ms */
export function secondsText(ms) {
  return (ms / 1000).toFixed(3);
}

/** @param {number} ms */
export function deltaText(ms) {
  if (ms < 1_000) return `+${ms.toFixed(0)} ms`;
  return ms < 100_000 ? `+${(ms / 1000).toFixed(1)} s` : `+${(ms / 60_000).toFixed(0)} min`;
}

/** The events, and the rows that stand for them under a filter. */
export class EventList {
  constructor() {
    /** @type {Summary[]} */
    this.events = [];
    /** @type {Entry[]} */
    this.entries = [];
    /** @type {Filter} */
    this.filter = { text: "", sent: true, received: true, id: "", hiddenTypes: new Set() };
    this.folded = true;
    this.dropped = 0;
    this.shown = 0;
    /** @type {Map<string, number>} */
    this.types = new Map();
    /** @type {Map<string, Summary>} Events of the client by their event_id. */
    this.sentById = new Map();
    /** @type {Set<string>} */
    this.refused = new Set();
    /** @type {Map<string, Entry>} */
    this._open = new Map();
  }

  /** @param {Summary[]} batch */
  append(batch) {
    for (const event of batch) {
      this.events.push(event);
      this.types.set(event.type, (this.types.get(event.type) ?? 0) + 1);
      if (event.sent && event.eventId) this.sentById.set(event.eventId, event);
      if (event.cause) this.refused.add(event.cause);
      this._show(event);
    }
    if (this.events.length > MAX_EVENTS) this._drop(this.events.length - 0.9 * MAX_EVENTS);
  }

  /** @param {Partial<Filter> & {folded?: boolean}} change */
  change(change) {
    const { folded, ...filter } = change;
    Object.assign(this.filter, filter);
    this.folded = folded ?? this.folded;
    this.rebuild();
  }

  get filtered() {
    const { text, sent, received, id, hiddenTypes } = this.filter;
    return text !== "" || !sent || !received || id !== "" || hiddenTypes.size > 0;
  }

  rebuild() {
    this.entries = [];
    this.shown = 0;
    this._open.clear();
    for (const event of this.events) this._show(event);
  }

  /** Opens or closes a fold. @param {number} place @param {boolean} open */
  expand(place, open) {
    const entry = this.entries[place];
    if (!entry?.members || entry.expanded === open) return;
    entry.expanded = open;
    if (open) {
      for (const [key, value] of this._open) if (value === entry) this._open.delete(key);
      const children = entry.members.map((event) => newEntry(event, true));
      this.entries = [
        ...this.entries.slice(0, place + 1), ...children, ...this.entries.slice(place + 1),
      ];
    } else {
      this.entries.splice(place + 1, entry.members.length);
    }
  }

  /** The row that an event is in, -1 if it is in none. @param {number} seq */
  place(seq) {
    const place = this.entries.findIndex((entry) => entry.first.seq === seq);
    if (place >= 0) return place;
    return this.entries.findIndex((entry) => entry.members?.some((event) => event.seq === seq));
  }

  /** @param {Summary} event */
  _show(event) {
    if (!matches(event, this.filter)) return;
    this.shown += 1;
    if (!this.folded || !folds(event.type)) {
      this._open.clear();
      this.entries.push(newEntry(event, false));
      return;
    }
    // Deltas of audio and of its transcript alternate: each kind goes on in its own row until
    // something else happens.
    const key = `${event.type}|${event.item}|${event.response}|${event.call}`;
    const entry = this._open.get(key);
    if (entry === undefined) {
      const opened = newEntry(event, false);
      this._open.set(key, opened);
      this.entries.push(opened);
      return;
    }
    entry.members ??= [entry.first];
    entry.members.push(event);
    entry.bytes += event.bytes;
    if (entry.text.length < TEXT_CHARACTERS) entry.text += event.text;
  }

  /** @param {number} count Of the oldest. */
  _drop(count) {
    for (const event of this.events.splice(0, count)) {
      const left = (this.types.get(event.type) ?? 1) - 1;
      if (left > 0) this.types.set(event.type, left);
      else this.types.delete(event.type);
      if (event.eventId) this.sentById.delete(event.eventId);
    }
    this.dropped += Math.floor(count);
    this.rebuild();
  }
}

/** @param {Summary} event @param {boolean} child @returns {Entry} */
function newEntry(event, child) {
  return { first: event, members: null, bytes: event.bytes, text: event.text, expanded: false, child };
}

/**
 * What the page knows, shared by all views of it.
 *
 * @param {(message: object) => void} send
 */
function createStore(send) {
  let list = new EventList();
  /** @type {Map<string, string>} */
  let known = new Map();
  /** @type {Set<(change: "events" | "reset") => void>} */
  const watchers = new Set();
  /** @type {Map<number, (answer: {json: string, note: string}) => void>} */
  const asked = new Map();
  let requests = 0;
  let lost = 0;

  /** @param {any} message */
  function onMessage(message) {
    if (message.kind === "reset") {
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
  }

  return {
    onMessage,
    get list() { return list; },
    get lost() { return lost + list.dropped; },
    watchers,
    /** @param {number[]} seqs @returns {Promise<{json: string, note: string}>} */
    fetch(seqs) {
      const id = ++requests;
      return new Promise((resolve) => {
        const timer = setTimeout(() => {
          asked.delete(id);
          resolve({ json: "", note: "The kernel does not answer; only this summary is here." });
        }, ANSWER_DUE_MS);
        asked.set(id, (answer) => {
          clearTimeout(timer);
          resolve(answer);
        });
        send({ kind: "fetch", id, seqs });
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
    "aria-label": "Search events",
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
  const scroller = element("div", { class: "rtnb-events-scroller", role: "rowgroup" }, spacer);
  const gridId = `rtnb-events-${Math.random().toString(36).slice(2)}`;
  const grid = element(
    "div",
    {
      class: "rtnb-events-grid", role: "grid", tabindex: "0", "aria-label": "Events", id: gridId,
      "aria-readonly": "true", "data-lm-suppress-shortcuts": "true",
    },
    header, scroller, empty,
  );
  const details = element("section", {
    class: "rtnb-event", "aria-label": "Event details", hidden: true,
  });
  const root = element(
    "div", { class: "rtnb rtnb-events", "data-lm-suppress-shortcuts": "true" },
    toolbar, typesPanel, grid, details,
  );
  el.replaceChildren(root);

  /** @type {{row: HTMLElement, cells: HTMLElement[], entry: Entry | null, stamp: string}[]} */
  const pool = [];
  /** @type {Entry | null} */
  let selected = null;
  let following = true;
  let paused = false;
  /** @type {EventList | null} */
  let frozen = null;
  let painting = 0;
  let opened = -1;

  const list = () => frozen ?? store.list;

  // --- painting ---

  function schedule() {
    if (painting === 0) painting = requestAnimationFrame(paint);
  }

  function paint() {
    painting = 0;
    const { entries } = list();
    spacer.style.height = `${entries.length * ROW_HEIGHT}px`;
    if (following) scroller.scrollTop = entries.length * ROW_HEIGHT;
    const rows = Math.min(MOST_ROWS, Math.ceil(scroller.clientHeight / ROW_HEIGHT) + 2);
    while (pool.length < rows) pool.push(newRow());
    const top = Math.max(0, Math.floor(scroller.scrollTop / ROW_HEIGHT) - 1);
    for (let place = top; place < top + pool.length; place++) {
      paintRow(pool[place % pool.length], place, entries);
    }
    grid.setAttribute("aria-rowcount", String(entries.length + 1));
    paintCount();
  }

  function newRow() {
    const cells = Array.from({ length: 6 }, () => element("span", { role: "gridcell" }));
    const row = element("div", { class: "rtnb-events-row", role: "row" }, ...cells);
    row.id = `${gridId}-${pool.length}`;
    spacer.append(row);
    return { row, cells, entry: null, stamp: "" };
  }

  /**
   * @param {typeof pool[number]} slot
   * @param {number} place
   * @param {Entry[]} entries
   */
  function paintRow(slot, place, entries) {
    const { row, cells } = slot;
    const entry = entries[place] ?? null;
    if (entry === null) {
      if (slot.stamp !== "none") row.hidden = true;
      Object.assign(slot, { entry, stamp: "none" });
      return;
    }
    const { first, members } = entry;
    const previous = place > 0 ? entries[place - 1].first : null;
    const refused = first.eventId !== "" && list().refused.has(first.eventId);
    const stamp = `${place}|${first.seq}|${members?.length}|${entry.expanded}|${refused}|${entry === selected}|${previous?.seq}`;
    if (slot.entry === entry && slot.stamp === stamp) return;
    Object.assign(slot, { entry, stamp });
    row.hidden = false;
    row.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    row.setAttribute("aria-rowindex", String(place + 2));
    row.setAttribute("aria-selected", String(entry === selected));
    if (members) row.setAttribute("aria-expanded", String(entry.expanded));
    else row.removeAttribute("aria-expanded");
    row.className = [
      "rtnb-events-row", first.sent ? "rtnb-sent" : "rtnb-received",
      first.type === "error" ? "rtnb-error" : "", refused ? "rtnb-refused" : "",
      entry.child ? "rtnb-child" : "", members ? "rtnb-folded" : "",
    ].filter(Boolean).join(" ");
    cells[0].textContent = secondsText(first.t);
    cells[1].textContent = previous && !entry.child ? deltaText(Math.max(0, first.t - previous.t)) : "";
    cells[2].textContent = first.sent ? "↑" : "↓";
    cells[2].setAttribute("aria-label", first.sent ? "sent" : "received");
    cells[3].textContent = members ? `${entry.expanded ? "▾" : "▸"} ${members.length}× ${first.type}` : first.type;
    cells[4].textContent = entry.text;
    cells[5].textContent = sizeText(entry.bytes);
  }

  function paintCount() {
    const { events, shown } = list();
    const number = (/** @type {number} */ value) => value.toLocaleString("en");
    const waiting = frozen ? store.list.events.length - events.length : 0;
    count.textContent = [
      shown === events.length ? `${number(events.length)} events` : `${number(shown)} of ${number(events.length)}`,
      waiting > 0 ? `${number(waiting)} new` : "",
      store.lost > 0 ? `${number(store.lost)} oldest dropped` : "",
    ].filter(Boolean).join(" · ");
    empty.hidden = list().entries.length > 0;
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
    const height = scroller.clientHeight;
    spacer.style.height = `${entries.length * ROW_HEIGHT}px`;  // else it can't scroll that far
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (top + ROW_HEIGHT > scroller.scrollTop + height) {
      scroller.scrollTop = top + ROW_HEIGHT - height;
    }
    following = at === entries.length - 1;
    if (painting !== 0) cancelAnimationFrame(painting);
    paint();
    const slot = pool.find((one) => one.entry === selected);
    if (slot) grid.setAttribute("aria-activedescendant", slot.row.id);
    if (!details.hidden) void open(at);
  }

  /** @param {number} place */
  async function open(place) {
    const entry = list().entries[place];
    if (!entry) return;
    const { first } = entry;
    const seqs = members(entry);
    const key = first.seq;
    opened = key;
    const pre = element("pre", { class: "rtnb-json", tabindex: "0", text: "Fetching…" });
    const note = element("div", { class: "rtnb-note", hidden: true });
    const copied = element("span", { role: "status", class: "rtnb-note" });
    const copyButton = element("button", { type: "button", class: "rtnb-button", text: "Copy JSON" });
    const closeButton = element("button", {
      type: "button", class: "rtnb-button", text: "Close", title: "Close (Esc)",
    });
    const title = element("span", { class: "rtnb-event-title", text: first.type });
    const times = entry.members
      ? `×${entry.members.length} · ${secondsText(first.t)}–${secondsText(entry.members[entry.members.length - 1].t)} s`
      : `#${first.seq} · ${secondsText(first.t)} s`;
    const head = element(
      "div", { class: "rtnb-toolbar" },
      title, element("span", { class: "rtnb-note", text: `${first.sent ? "sent" : "received"} · ${times}` }),
      ...links(first), copied, copyButton, closeButton,
    );
    closeButton.addEventListener("click", closeDetails, { signal });
    copyButton.addEventListener("click", async () => {
      copied.textContent = (await copyText(pre.textContent ?? "")) ? "Copied" : "Copying is not allowed here";
    }, { signal });
    details.replaceChildren(head, note, pre);
    details.hidden = false;
    const answer = await store.fetch(seqs);
    if (opened !== key || signal.aborted) return;
    pre.textContent = answer.json || entry.text;
    note.textContent = answer.note;
    note.hidden = answer.note === "";
  }

  /** @param {Entry} entry */
  function members(entry) {
    return entry.members?.map((event) => event.seq).slice(0, MOST_COPIED * 2) ?? [entry.first.seq];
  }

  /** Buttons for what an event points to. @param {Summary} event */
  function links(event) {
    const { sentById } = list();
    const buttons = [];
    const cause = event.cause ? sentById.get(event.cause) : undefined;
    if (cause) {
      const button = element("button", {
        type: "button", class: "rtnb-chip rtnb-chip-error", text: `caused by #${cause.seq} ${cause.type}`,
      });
      button.addEventListener("click", () => goTo(cause), { signal });
      buttons.push(button);
    }
    const error = event.sent && event.eventId && list().refused.has(event.eventId)
      ? list().events.find((other) => other.cause === event.eventId) : undefined;
    if (error) {
      const button = element("button", {
        type: "button", class: "rtnb-chip rtnb-chip-error", text: `refused by #${error.seq}`,
      });
      button.addEventListener("click", () => goTo(error), { signal });
      buttons.push(button);
    }
    for (const id of new Set([event.item, event.response, event.call])) {
      if (!id) continue;
      const button = element("button", {
        type: "button", class: "rtnb-chip", text: id, title: "Show only what names this id",
      });
      button.addEventListener("click", () => filterById(id), { signal });
      buttons.push(button);
    }
    return buttons;
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

  function closeDetails() {
    details.hidden = true;
    opened = -1;
    details.replaceChildren();
    grid.focus();
    schedule();
  }

  async function copySelected() {
    const entry = list().entries[selectedPlace()];
    if (!entry) return;
    const answer = await store.fetch(members(entry));
    count.textContent = (await copyText(answer.json)) ? "Copied" : "Copying is not allowed here";
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
    if (place >= 0 && !following) scroller.scrollTop = Math.max(0, place - 3) * ROW_HEIGHT;
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
    const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    following = left < ROW_HEIGHT;
    schedule();
  }, { signal, passive: true });

  spacer.addEventListener("click", (event) => {
    const row = event.target instanceof Element ? event.target.closest(".rtnb-events-row") : null;
    const slot = pool.find((one) => one.row === row);
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
    if (event.key === "Escape" && !details.hidden) closeDetails();
    else if (event.target !== grid || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });

  /** Whether the key was for the table. @param {KeyboardEvent} event */
  function onKey(event) {
    const place = selectedPlace();
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW_HEIGHT) - 1);
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

  const sizes = new ResizeObserver(schedule);
  sizes.observe(scroller);
  let typesPainted = 0;
  /** @param {"events" | "reset"} change */
  function onChange(change) {
    if (change === "reset") {
      if (paused) setPaused(press(pauseButton, false));
      if (!details.hidden) closeDetails();
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

/** @param {string} text @returns {Promise<boolean>} */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = element("textarea", { style: "position: fixed; opacity: 0" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

export default view(createStore, createView);
