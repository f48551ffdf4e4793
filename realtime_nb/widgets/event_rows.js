// @ts-check
/**
 * The rows in sight: few elements, used again for whatever is scrolled to. A frame touches only
 * those that come into sight, and of them only the texts that differ.
 *
 * @typedef {import("./event_list.js").Entry} Entry
 * @typedef {import("./event_list.js").EventList} EventList
 *
 * @typedef {object} Slot
 * @property {HTMLElement} row
 * @property {HTMLElement[]} cells
 * @property {Text[]} texts
 * @property {Entry | null} entry
 * @property {string} stamp What it shows, in short.
 */
import { secondsText, sinceText, sizeText } from "./event_list.js";
import { element } from "./view.js";

export const ROW_HEIGHT = 24;
const MOST_ROWS = 34;
const CELLS = 6;

export class EventRows {
  /** @param {HTMLElement} spacer As high as all rows. @param {string} gridId */
  constructor(spacer, gridId) {
    this._spacer = spacer;
    this._gridId = gridId;
    this._height = -1;
    /** @type {Slot[]} */
    this._slots = [];
  }

  /** Makes room for so many rows. @param {number} count */
  stretch(count) {
    const height = count * ROW_HEIGHT;
    if (height === this._height) return;
    this._height = height;
    this._spacer.style.height = `${height}px`;
  }

  /**
   * @param {EventList} list
   * @param {Entry | null} selected
   * @param {number} scrolled How far, in px.
   * @param {number} height Of what is in sight, in px.
   */
  paint(list, selected, scrolled, height) {
    const wanted = Math.min(MOST_ROWS, Math.ceil(height / ROW_HEIGHT) + 2);
    while (this._slots.length < wanted) this._slots.push(this._newSlot());
    const count = this._slots.length;
    const top = Math.max(0, Math.floor(scrolled / ROW_HEIGHT) - 1);
    for (let place = top; place < top + count; place++) {
      this._paint(this._slots[place % count], place, list, selected);
    }
  }

  /** What a row stands for. @param {Element | null} row @returns {Slot | undefined} */
  slot(row) {
    return this._slots.find((slot) => slot.row === row);
  }

  /** The id of the row of an entry, if it is in sight. @param {Entry | null} entry */
  idOf(entry) {
    return this._slots.find((slot) => slot.entry === entry)?.row.id;
  }

  /** @returns {Slot} */
  _newSlot() {
    const texts = Array.from({ length: CELLS }, () => document.createTextNode(""));
    const cells = texts.map((text) => element("span", { role: "gridcell" }, text));
    const row = element("div", { class: "rtnb-events-row", role: "row" }, ...cells);
    row.id = `${this._gridId}-${this._slots.length}`;
    this._spacer.append(row);
    return { row, cells, texts, entry: null, stamp: "" };
  }

  /** @param {Slot} slot @param {number} place @param {EventList} list @param {Entry | null} selected */
  _paint(slot, place, list, selected) {
    const entry = list.entries[place] ?? null;
    if (entry === null) {
      if (slot.stamp !== "none") slot.row.hidden = true;
      Object.assign(slot, { entry, stamp: "none" });
      return;
    }
    const { first, members } = entry;
    const previous = place > 0 ? list.entries[place - 1].first : null;
    const refused = first.eventId !== "" && list.refused.has(first.eventId);
    const chosen = entry === selected;
    const stamp = `${place}|${first.seq}|${members?.length}|${entry.expanded}|${refused}|${chosen}|${previous?.seq}`;
    if (slot.entry === entry && slot.stamp === stamp) return;
    Object.assign(slot, { entry, stamp });
    slot.row.hidden = false;
    slot.row.style.transform = `translateY(${place * ROW_HEIGHT}px)`;
    describe(slot.row, {
      "aria-rowindex": String(place + 2),
      "aria-selected": String(chosen),
      "aria-expanded": members ? String(entry.expanded) : null,
      class: classes(entry, refused),
    });
    describe(slot.cells[2], { "aria-label": first.sent ? "sent" : "received" });
    write(slot.texts, [
      secondsText(first.t),
      previous && !entry.child ? sinceText(previous.t, first.t) : "",
      first.sent ? "↑" : "↓",
      members ? `${entry.expanded ? "▾" : "▸"} ${members.length}× ${first.type}` : first.type,
      entry.text,
      sizeText(entry.bytes),
    ]);
  }
}

/** @param {Entry} entry @param {boolean} refused */
function classes({ first, members, child }, refused) {
  return [
    "rtnb-events-row", first.sent ? "rtnb-sent" : "rtnb-received",
    first.type === "error" && !first.benign ? "rtnb-error" : "", refused ? "rtnb-refused" : "",
    child ? "rtnb-child" : "", members ? "rtnb-folded" : "",
  ].filter(Boolean).join(" ");
}

/** Sets the attributes that differ; null: there is none. @param {Element} node @param {{[name: string]: string | null}} attributes */
function describe(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) === value) continue;
    if (value === null) node.removeAttribute(name);
    else node.setAttribute(name, value);
  }
}

/** Writes the texts that differ. @param {Text[]} nodes @param {string[]} texts */
function write(nodes, texts) {
  texts.forEach((text, i) => {
    if (nodes[i].data !== text) nodes[i].data = text;
  });
}
