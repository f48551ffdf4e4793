// @ts-check
/**
 * The events that the page knows of, and the rows that stand for them under a filter.
 *
 * @typedef {object} Summary One event.
 * @property {number} seq
 * @property {number | null} t Milliseconds since the session began; null: unknown.
 * @property {boolean} sent
 * @property {string} type
 * @property {string} eventId
 * @property {string} item
 * @property {string} response
 * @property {string} call
 * @property {string} cause The event_id of the client event that an error is about.
 * @property {number} bytes
 * @property {string} text
 * @property {boolean} benign Whether it is the error of a lost race, which changed nothing.
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
import { durationText } from "./texts.js";

export const MAX_EVENTS = 200_000;
const TEXT_CHARACTERS = 160;

/**
 * @param {any[]} row As Python sends it.
 * @param {Map<string, string>} known Texts that repeat, each held once.
 * @returns {Summary}
 */
export function decodeSummary(row, known) {
  const [seq, t, sent, type, eventId, item, response, call, cause, bytes, text, benign] = row;
  const once = (/** @type {string} */ value) => {
    const held = known.get(value);
    if (held === undefined) known.set(value, value);
    return held ?? value;
  };
  return {
    seq, t, sent: sent === 1, type: once(type), eventId,
    item: once(item), response: once(response), call: once(call), cause, bytes, text,
    benign: benign === 1,
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

/** @param {number | null} ms */
export function secondsText(ms) {
  return ms === null ? "" : (ms / 1000).toFixed(3);
}

/** @param {number} ms */
export function deltaText(ms) {
  return ms < 100_000 ? `+${durationText(ms)}` : `+${(ms / 60_000).toFixed(0)} min`;
}

/** @param {number | null} before @param {number | null} now */
export function sinceText(before, now) {
  return before === null || now === null ? "" : deltaText(Math.max(0, now - before));
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
      if (event.cause && !event.benign) this.refused.add(event.cause);
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
