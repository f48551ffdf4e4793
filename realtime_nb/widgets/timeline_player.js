// @ts-check
/**
 * Plays a session's audio, which is fetched from the kernel block by block while it is heard: the
 * user on the left, the agent on the right. No more than two blocks are here at any time.
 *
 * @typedef {import("./timeline_math.js").Range} Range
 */
import { SOUND_RATE, nextBlock } from "./timeline_math.js";

const TICK_MS = 100;
const LEAD_S = 0.03;
const FADE_S = 0.01;
const BLOCK_DUE_MS = 5_000;

/** What a message brings: waves, or sound, left and right in turn. @param {DataView[]} buffers */
export function numbersOf(buffers) {
  // Each is a piece of a larger buffer, in which it need not begin at an even byte.
  const { buffer, byteOffset, byteLength } = buffers[0] ?? new DataView(new ArrayBuffer(0));
  return new Int16Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

export class SoundPlayer {
  /** @param {(message: object) => void} send @param {() => void} changed */
  constructor(send, changed) {
    /** @type {"stopped" | "waiting" | "playing" | "paused"} */
    this.state = "stopped";
    this.problem = "";
    this._send = send;
    this._changed = changed;
    this._run = 0;
    /** @type {Range} */
    this._range = { start: 0, end: 0 };
    this._fetched = 0;
    this._asked = 0;  // when, in ms; 0: nothing is asked for
    this._began = NaN;  // when the range's start is or was heard, on the context's clock
    this._timer = 0;
    /** @type {AudioContext | null} */
    this._context = null;
    /** @type {GainNode | null} */
    this._gain = null;
    /** @type {Set<AudioBufferSourceNode>} */
    this._sources = new Set();
  }

  get active() { return this.state !== "stopped"; }

  /** Where it is, in seconds of the session. */
  get position() {
    const { start } = this._range;
    if (Number.isNaN(this._began) || !this._context) return start;
    const heard = this._context.currentTime - (this._context.outputLatency || 0) - this._began;
    return Math.max(start, Math.min(this._fetched, start + heard));
  }

  /** @param {Range} range */
  play(range) {
    this.stop();
    if (!this._openContext()) return;
    this._range = range;
    this._fetched = range.start;
    this._gain = /** @type {AudioContext} */ (this._context).createGain();
    this._gain.connect(/** @type {AudioContext} */ (this._context).destination);
    this._become("waiting");
    this._tick();
    this._timer = window.setInterval(() => this._tick(), TICK_MS);
  }

  pause() {
    if (this.state !== "playing" && this.state !== "waiting") return;
    void this._context?.suspend();
    this._become("paused");
  }

  resume() {
    if (this.state !== "paused") return;
    void this._context?.resume();
    this._become(Number.isNaN(this._began) ? "waiting" : "playing");
  }

  stop() {
    if (!this.active) return;
    clearInterval(this._timer);
    this._run += 1;
    this._asked = 0;
    const now = this._context?.currentTime ?? 0;
    this._gain?.gain.setTargetAtTime(0, now, FADE_S / 3);
    for (const source of this._sources) source.stop(now + FADE_S);
    this._sources.clear();
    this._gain = null;
    this._began = NaN;
    this._send({ kind: "stop" });
    this._become("stopped");
  }

  close() {
    this.stop();
    void this._context?.close();
    this._context = null;
  }

  /** @param {{run: number, start_s: number}} message @param {Int16Array} pcm Left and right in turn. */
  onBlock({ run, start_s }, pcm) {
    const context = this._context;
    if (run !== this._run || !this.active || !context || !this._gain) return;
    this._asked = 0;
    const length = pcm.length / 2;
    if (length === 0) {
      this.stop();
      return;
    }
    const buffer = context.createBuffer(2, length, SOUND_RATE);
    for (const side of [0, 1]) {
      const channel = buffer.getChannelData(side);
      for (let n = 0; n < length; n++) channel[n] = pcm[2 * n + side] / 32_768;
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(this._gain);
    source.addEventListener("ended", () => this._sources.delete(source));
    const soonest = context.currentTime + LEAD_S;
    if (Number.isNaN(this._began)) this._began = soonest;
    const offset = start_s - this._range.start;
    // Audio that comes too late is heard whole, and all that follows it later.
    this._began = Math.max(this._began, soonest - LEAD_S - offset);
    source.start(this._began + offset);
    this._sources.add(source);
    this._fetched = start_s + length / SOUND_RATE;
    if (this.state === "waiting") this._become("playing");
    this._tick();
  }

  _openContext() {
    if (!this._context) {
      try {
        this._context = new AudioContext({ sampleRate: SOUND_RATE });
      } catch {
        this.problem = "This page can't play sound.";
        this._changed();
        return false;
      }
    }
    void this._context.resume();
    return true;
  }

  _tick() {
    if (this._asked && performance.now() - this._asked > BLOCK_DUE_MS) {
      this.stop();
      this.problem = "The kernel does not answer; without it there is no sound.";
      this._changed();
      return;
    }
    const { position } = this;
    if (position >= this._range.end - 1e-3) {
      this.stop();
      return;
    }
    const block = this._asked || this.state === "paused" ? null : nextBlock(this._range, this._fetched, position);
    if (block === null) return;
    this._asked = performance.now();
    this._send({ kind: "audio", run: this._run, start_s: block.start, end_s: block.end });
  }

  /** @param {"stopped" | "waiting" | "playing" | "paused"} state */
  _become(state) {
    this.state = state;
    this.problem = "";
    this._changed();
  }
}
