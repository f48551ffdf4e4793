// @ts-check
/**
 * What of an agent's settings is in force, what was asked for, and what a person is just choosing.
 *
 * @typedef {import("./link.js").Model} StateModel of the panel
 * @typedef {import("./commands.js").Commands} StateCommands
 * @typedef {Record<string, unknown>} Values by name; those of turn detection beside the others
 */
import { followTraits } from "./commands.js";

/** How long nothing is changed by keys until that counts as chosen. */
export const CALM_MS = 600;
const WHOLE = ["instructions", "voice"];

/** The settings by name; `type` is who says when a turn ends. @param {any} settings @returns {Values} */
export function flat(settings) {
  /** @type {Values} */
  const values = {};
  for (const name of WHOLE) if (settings?.[name] !== undefined) values[name] = settings[name];
  const detection = settings?.turn_detection;
  if (detection === undefined) return values;
  return { ...values, type: "server_vad", ...(detection ?? { type: "none" }) };
}

/** @param {unknown} one @param {unknown} other */
function same(one, other) {
  return JSON.stringify(one) === JSON.stringify(other);
}

/** One per view. A person's changes become one update when a gesture ends. */
export class SettingsState {
  /** @param {StateModel} model @param {StateCommands} commands @param {AbortSignal} signal */
  constructor(model, commands, signal) {
    this._model = model;
    this._commands = commands;
    /** @type {Map<string, unknown>} Not asked for yet. */
    this._drafts = new Map();
    /** @type {Map<string, unknown>} Asked for; Python has not said so yet. */
    this._sent = new Map();
    /** @type {Set<() => void>} */
    this._watchers = new Set();
    this._calm = 0;
    model.on("change:settings", () => this._sent.clear());
    followTraits(model, ["settings", "pending", "state"], () => this._tell());
    signal.addEventListener("abort", () => this.settle());
  }

  /** Calls at once and whenever something is different. @param {() => void} watcher */
  follow(watcher) {
    this._watchers.add(watcher);
    watcher();
  }

  _tell() {
    for (const watcher of this._watchers) watcher();
  }

  /** @param {string} name */
  inForce(name) {
    return flat(this._model.get("settings"))[name];
  }

  /** What was asked for, else what is in force. @param {string} name */
  _asked(name) {
    if (this._sent.has(name)) return this._sent.get(name);
    const pending = flat(this._model.get("pending"));
    return name in pending ? pending[name] : this.inForce(name);
  }

  /** What a control shows. @param {string} name */
  value(name) {
    return this._drafts.has(name) ? this._drafts.get(name) : this._asked(name);
  }

  /** Whether what is shown is not in force yet. @param {string} name */
  waits(name) {
    return !same(this.value(name), this.inForce(name));
  }

  /** Names of what the server has been asked for and has not confirmed. */
  get pending() {
    const names = new Set([...this._sent.keys(), ...Object.keys(flat(this._model.get("pending")))]);
    return [...names].filter((name) => !same(this._asked(name), this.inForce(name)));
  }

  /** Takes a change that the person is about to make. @param {string} name @param {unknown} value */
  draft(name, value) {
    clearTimeout(this._calm);
    this._drafts.set(name, value);
    this._tell();
  }

  /** Settles what was drafted, once nothing more of it comes. */
  settleSoon() {
    clearTimeout(this._calm);
    this._calm = /** @type {any} */ (setTimeout(() => this.settle(), CALM_MS));
  }

  /** Asks for what was drafted: one update for turn detection, one for each of the others. */
  settle() {
    clearTimeout(this._calm);
    const wanted = [...this._drafts].filter(([name, value]) => !same(value, this._asked(name)));
    this._drafts.clear();
    for (const [name, value] of wanted) this._sent.set(name, value);
    const detection = wanted.filter(([name]) => !WHOLE.includes(name));
    for (const [name, value] of wanted) {
      if (WHOLE.includes(name)) this._commands.command("update", { [name]: value });
    }
    if (detection.length > 0) this._commands.command("update", { turn_detection: Object.fromEntries(detection) });
    this._tell();
  }
}
