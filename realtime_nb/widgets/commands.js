// @ts-check
/**
 * What a person wants of Python, said from a view; and whether there is still a kernel to hear it.
 *
 * @typedef {import("./link.js").Model} CommandModel
 */
import { whenGone } from "./link.js";

/** One per widget and page, for all its views. */
export class Commands {
  /** @param {CommandModel} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this.gone = false;
    this._model = model;
    /** @type {Set<() => void>} */
    this._watchers = new Set();
    whenGone(model, signal, () => this._lose());
  }

  /** @param {string} name @param {unknown} [value] */
  command(name, value) {
    if (this.gone) return;
    try {
      this._model.send({ kind: "command", name, value });
    } catch {
      this._lose();
    }
  }

  /** Calls at once, and when the kernel has gone. @param {() => void} watcher @param {AbortSignal} signal */
  follow(watcher, signal) {
    this._watchers.add(watcher);
    signal.addEventListener("abort", () => this._watchers.delete(watcher));
    watcher();
  }

  _lose() {
    if (this.gone) return;
    this.gone = true;
    for (const watcher of this._watchers) watcher();
  }
}

/** Calls at once and whenever one of the traits changes. @param {CommandModel} model @param {string[]} traits @param {() => void} paint */
export function followTraits(model, traits, paint) {
  for (const name of traits) model.on(`change:${name}`, paint);
  paint();
}
