/** Loads a module of the widgets as a page gets it: one text, what it imports put in its place. */
import { readFileSync } from "node:fs";

const folder = new URL("../../realtime_nb/widgets/", import.meta.url);
const IMPORT = /^import \{[^}]*\} from "\.\/([\w.]+)";\n/gm;

/** @param {string} name @returns {Promise<any>} */
export function load(name) {
  const included = new Set();
  /** @param {string} other @returns {string} */
  const text = (other) =>
    readFileSync(new URL(other, folder), "utf8").replace(IMPORT, (_, wanted) => {
      if (included.has(wanted)) return "";
      included.add(wanted);
      return text(wanted);
    });
  return import(`data:text/javascript;base64,${Buffer.from(text(name)).toString("base64")}`);
}

/** The globals of an audio worklet. @returns {Map<string, any>} the processors that get registered */
export function workletScope(rate) {
  const processors = new Map();
  globalThis.sampleRate = rate;
  globalThis.AudioWorkletProcessor = class {
    port = {
      sent: [],
      postMessage(message) {
        this.sent.push(message);
      },
    };
  };
  globalThis.registerProcessor = (name, processor) => processors.set(name, processor);
  return processors;
}

/** @param {number} length @param {(i: number) => number} value */
export const signal = (length, value) => Float32Array.from({ length }, (_, i) => value(i));

/** @param {number} hz @param {number} rate */
export const sine = (hz, rate) => (i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate);

/** Deterministic numbers in 0..1. */
export function randomness(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
