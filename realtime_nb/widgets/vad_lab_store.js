// @ts-check
/**
 * What the page knows of a lab: the timeline's store, and beside it probabilities, the rows of spans,
 * scores and what was said.
 *
 * @typedef {import("./vad_lab_math.js").LabStretch} LabStretch
 * @typedef {import("./link.js").Model} LabModel
 * @typedef {[start_ms: number, onset_ms: number | null, offset_ms: number | null, end_ms: number]} LabTurn
 *   Of the input; null where nothing tells.
 *
 * @typedef {[at_ms: number, probability: number, complete: boolean]} LabPause Where a pause counts, how
 *   likely the turn is over, and whether it ends there.
 *
 * @typedef {object} LabRow A row of spans.
 * @property {string} id
 * @property {string} name
 * @property {"server" | "live" | "truth" | "yours" | "ghost"} kind
 * @property {string} words Its settings.
 * @property {boolean} grey Whether it is not to be believed.
 * @property {number} turns
 * @property {string} judged How many of them labels judge, where that isn't all.
 * @property {Record<string, string>} cells Of the scoreboard, by the column's label.
 * @property {Record<string, string>} notes Why a cell has no figure.
 *
 * @typedef {{phase: "" | "quiet" | "speech" | "done", words: string, left_s: number, threshold: number | null,
 *   current: number | null, facts: string[]}} LabCalibration
 *
 * @typedef {object} LabFacts
 * @property {"session" | "recording" | "none"} shows
 * @property {string} status
 * @property {string} agreement
 * @property {boolean} trusted Whether ghosts are to be believed.
 * @property {string} deafness
 * @property {string} error
 * @property {boolean} vad_only
 * @property {boolean} can_undo
 * @property {boolean} can_redo
 * @property {LabCalibration} calibration
 * @property {{label: string, does: string}[]} columns Of the scoreboard.
 * @property {string} scored Against what.
 * @property {string} labels How many, in words.
 * @property {string[]} history
 * @property {string} diff
 * @property {number} hysteresis
 *
 * @typedef {ReturnType<typeof createLabStore>} LabStore
 */
import { createStore } from "./timeline_store.js";

const MAX_FRAMES = 450_000; // four hours

/** @returns {LabFacts} */
const NOTHING = () => ({
  shows: "none", status: "", agreement: "", trusted: true, deafness: "", error: "", vad_only: false,
  can_undo: false, can_redo: false, calibration: { phase: "", words: "", left_s: 0, threshold: null, current: null, facts: [] },
  columns: [], scored: "", labels: "", history: [], diff: "", hysteresis: 0.15,
});

/** A model as `SettingsState` takes it, whose values are told in messages: none is in the saved notebook. */
export class ToldModel {
  constructor() {
    /** @type {Map<string, unknown>} */
    this._values = new Map(Object.entries({ settings: {}, pending: {}, state: "", turn_table: null }));
    /** @type {Map<string, Set<() => void>>} */
    this._watchers = new Map();
  }

  /** @param {string} name */
  get(name) { return this._values.get(name); }

  /** @param {string} event @param {() => void} watcher */
  on(event, watcher) {
    const those = this._watchers.get(event) ?? new Set();
    this._watchers.set(event, those.add(watcher));
  }

  /** @param {string} event @param {() => void} watcher */
  off(event, watcher) { this._watchers.get(event)?.delete(watcher); }

  /** @param {Record<string, unknown>} values */
  tell(values) {
    for (const [name, value] of Object.entries(values)) this._values.set(name, value);
    for (const name of Object.keys(values)) for (const call of this._watchers.get(`change:${name}`) ?? []) call();
  }
}

/** @param {Uint8Array} frames @param {number} count @param {DataView | undefined} more */
function grown(frames, count, more) {
  const added = more ? new Uint8Array(more.buffer, more.byteOffset, more.byteLength) : new Uint8Array(0);
  const room = count + added.length > frames.length ? new Uint8Array(Math.max(2 * frames.length, count + added.length)) : frames;
  if (room !== frames) room.set(frames.subarray(0, count));
  room.set(added, count);
  return room;
}

/** @param {(message: object) => void} send */
export function createLabStore(send) {
  const timeline = createStore(send);
  const model = new ToldModel();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  /** @type {LabStretch[]} */
  let stretches = [];
  /** @type {Uint8Array} */
  let frames = new Uint8Array(4096);
  let count = 0;
  let base = 0; // number of the first frame that is here
  /** @type {LabRow[]} */
  let rows = [];
  /** @type {Map<string, LabTurn[]>} */
  const turns = new Map();
  /** @type {LabPause[]} */
  let pauses = [];
  let facts = NOTHING();

  /** @param {any} message @param {DataView[]} buffers */
  function takeLab(message, buffers) {
    if (message.afresh) {
      stretches = [];
      count = 0;
      base = message.first;
      turns.clear();
      pauses = [];
    }
    stretches.splice(message.stretches_from, Infinity, ...message.stretches);
    pauses.splice(message.pauses_from, Infinity, ...message.pauses);
    frames = grown(frames, count, buffers[0]);
    count += message.count;
    if (count > MAX_FRAMES) {
      const dropped = count - MAX_FRAMES / 2;
      frames.copyWithin(0, dropped, count);
      base += dropped;
      count -= dropped;
    }
    if (message.rows) {
      rows = message.rows;
      for (const id of turns.keys()) if (!rows.some((one) => one.id === id)) turns.delete(id);
    }
    for (const { id, from, spans } of message.spans) {
      const those = turns.get(id) ?? [];
      those.splice(from, Infinity, ...spans);
      turns.set(id, those);
    }
    if (message.facts) facts = message.facts;
    if (message.told) model.tell(message.told);
    for (const watcher of watchers) watcher();
  }

  return {
    timeline,
    watchers,
    model: /** @type {LabModel} */ (/** @type {unknown} */ (model)),
    get stretches() { return stretches; },
    get frames() { return frames.subarray(0, count); },
    /** Number of the first of `frames`. */
    get base() { return base; },
    get rows() { return rows; },
    get pauses() { return pauses; },
    get facts() { return facts; },
    /** The turns of a row. @param {string} id @returns {LabTurn[]} */
    turns: (id) => turns.get(id) ?? [],
    /** @param {string} name @param {unknown} [value] */
    command: (name, value) => send({ kind: "command", name, value }),
    close: () => timeline.close(),
    /** @param {any} message @param {DataView[]} buffers */
    onMessage(message, buffers) {
      if (message.kind === "lab") takeLab(message, buffers);
      else timeline.onMessage(message, buffers);
    },
  };
}
