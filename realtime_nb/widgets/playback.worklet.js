// @ts-check
/**
 * Agent audio, off the page's main thread: a queue of PCM16 at 24 kHz in items, played at the
 * device's rate and counted sample by sample. Positions are samples of an item at 24 kHz.
 */
import { Resampler } from "./resampler.js";

const RATE = 24000;
const FADE = 64; // samples of the device
const STEP = 32; // samples taken from the queue at a time where the rate is converted
const DUCKED = 0.2;
const DUCK_S = 0.01;
const MOST_QUEUED = RATE * 900;
const PROGRESS = RATE / 4;

/**
 * @typedef {{id: string, base: number, taken: number, played: number, queued: number,
 *   ended: boolean, started: boolean}} Item
 * @typedef {{kind: string, item?: string, played?: number | [string, number][], id?: number,
 *   silent?: number, samples?: number}} PlayerEvent
 */

/** Plays items one after the other. */
export class Player {
  /**
   * @param {number} deviceRate
   * @param {number} prebufferMs
   * @param {(event: PlayerEvent) => void} report
   */
  constructor(deviceRate, prebufferMs, report) {
    this.prebuffer = (RATE / 1000) * prebufferMs;
    this.ducked = false;
    this._report = report;
    this._deviceRate = deviceRate;
    this._gain = 1;
    this._gainStep = 1 - Math.exp(-1 / (deviceRate * DUCK_S));
    this._resampler = deviceRate === RATE ? null : new Resampler(RATE, deviceRate);
    this._taken = new Float32Array(STEP);
    this._converted = new Float32Array(this._resampler?.capacity(STEP) ?? 0);
    /** @type {number[]} that the next rendering carries out */
    this._flushes = [];
    /** @type {(() => void)[]} what came after them */
    this._held = [];
    /** @type {{item: Item, pcm: Int16Array, offset: number}[]} */
    this._queue = [];
    /** @type {Map<string, Item>} */
    this._items = new Map();
    /** @type {Item | null} an item that should go on, when there is nothing to play */
    this._starved = null;
    this._queued = 0;
    this._sounding = false;
    this._waited = 0; // device samples since there is something to play
    this._silent = 0; // device samples of the gap so far
    /** @type {{item: Item, from: number, end: number}[]} whose the samples on their way out are */
    this._stretches = [];
    this._streamed = 0; // samples that went into the stream
    this._rendered = 0; // device samples that came out of it
    this._spareStart = this._spareEnd = 0; // what is left of `_converted`
  }

  /** @param {string} id @param {number} start position of the first sample @param {Int16Array} pcm */
  write(id, start, pcm) {
    if (this._flushes.length) {
      this._held.push(() => this.write(id, start, pcm));
      return;
    }
    if (this._queued + pcm.length > MOST_QUEUED) {
      this._report({ kind: "unplayed", item: id, samples: pcm.length });
      return;
    }
    let item = this._items.get(id);
    if (!item) {
      item = { id, base: start, taken: 0, played: 0, queued: 0, ended: false, started: false };
      this._items.set(id, item);
    }
    item.queued += pcm.length;
    this._queued += pcm.length;
    this._queue.push({ item, pcm, offset: 0 });
  }

  /** No more audio will come for an item. @param {string} id */
  end(id) {
    if (this._flushes.length) {
      this._held.push(() => this.end(id));
      return;
    }
    const item = this._items.get(id);
    if (!item) return;
    item.ended = true;
    this._finish(item);
  }

  /**
   * Stops, with a fade, and forgets the queue; what is written from now on plays after it.
   * @param {number} id comes back in the report
   * @param {boolean} [silent] nothing is rendered at present, so there is nothing to fade
   */
  flush(id, silent = false) {
    this._flushes.push(id);
    this._held = [];
    if (!this._sounding || silent) this._acknowledge();
  }

  /** @param {Float32Array} out filled, at the device's rate */
  render(out) {
    if (!this._sounding && !this._ready(out.length)) {
      out.fill(0);
      return;
    }
    this._sounding = true;
    const flushing = this._flushes.length > 0;
    const count = flushing ? Math.min(FADE, out.length) : out.length;
    this._fill(out.subarray(0, count));
    out.fill(0, count);
    this._shape(out, flushing ? count : 0);
    this._rendered += count;
    this._count();
    if (flushing) this._acknowledge();
    else this._settle();
  }

  /** Whether what is queued may start to sound. @param {number} frames that pass meanwhile */
  _ready(frames) {
    if (this._queued === 0) {
      if (this._starved) this._silent += frames;
      return false;
    }
    this._waited += frames;
    const longEnough = (this._waited * RATE) / this._deviceRate > 2 * this.prebuffer;
    const ready = this._queued >= this.prebuffer || this._queue[0].item.ended || longEnough;
    if (this._starved && !ready) this._silent += frames;
    if (!ready) return false;
    if (this._starved && this._starved === this._queue[0].item) {
      const silent = Math.round((this._silent * RATE) / this._deviceRate);
      this._report({
        kind: "underrun",
        item: this._starved.id,
        played: this._starved.base + this._starved.played,
        silent,
      });
    }
    this._starved = null;
    return true;
  }

  /** @param {Float32Array} out */
  _fill(out) {
    if (!this._resampler) {
      this._take(out);
      return;
    }
    let filled = 0;
    for (;;) {
      const count = Math.min(out.length - filled, this._spareEnd - this._spareStart);
      out.set(this._converted.subarray(this._spareStart, this._spareStart + count), filled);
      this._spareStart += count;
      filled += count;
      if (filled === out.length) return;
      this._take(this._taken);
      this._spareStart = 0;
      this._spareEnd = this._resampler.process(this._taken, this._converted);
    }
  }

  /** Takes samples off the queue; what is missing becomes silence. @param {Float32Array} out */
  _take(out) {
    let filled = 0;
    while (filled < out.length && this._queue.length) {
      const { item, pcm, offset } = this._queue[0];
      const count = Math.min(out.length - filled, pcm.length - offset);
      for (let i = 0; i < count; i++) out[filled + i] = pcm[offset + i] / 32768;
      this._mark(item, count, this._streamed + filled);
      filled += count;
      this._queue[0].offset += count;
      if (offset + count === pcm.length) this._queue.shift();
    }
    out.fill(0, filled);
    this._streamed += out.length;
  }

  /** Notes which item a stretch of the stream belongs to. @param {Item} item @param {number} count @param {number} from */
  _mark(item, count, from) {
    item.taken += count;
    item.queued -= count;
    this._queued -= count;
    const last = this._stretches[this._stretches.length - 1];
    if (last && last.item === item && last.end === from) last.end += count;
    else this._stretches.push({ item, from, end: from + count });
  }

  /** Counts what has left for the device as played. */
  _count() {
    const heard = this._resampler
      ? Math.min(this._streamed, Math.floor((this._rendered * RATE) / this._deviceRate))
      : this._rendered;
    while (this._stretches.length && this._stretches[0].from < heard) {
      const stretch = this._stretches[0];
      const count = Math.min(heard, stretch.end) - stretch.from;
      stretch.from += count;
      this._play(stretch.item, count);
      if (stretch.from < stretch.end) break;
      this._stretches.shift();
      this._finish(stretch.item);
    }
  }

  /** @param {Item} item @param {number} count */
  _play(item, count) {
    if (!item.started) {
      item.started = true;
      this._report({ kind: "started", item: item.id, played: item.base });
    }
    const before = Math.floor(item.played / PROGRESS);
    item.played += count;
    if (Math.floor(item.played / PROGRESS) > before) {
      this._report({ kind: "progress", item: item.id, played: item.base + item.played });
    }
  }

  /** @param {Item} item */
  _finish(item) {
    if (!item.ended || item.queued || item.played < item.taken) return;
    this._items.delete(item.id);
    if (this._starved === item) this._starved = null;
    this._report({ kind: "finished", item: item.id, played: item.base + item.played });
  }

  /** Nothing left to play: rest, or starve if an item should go on. */
  _settle() {
    if (this._queued || this._stretches.length) return;
    this._sounding = false;
    this._waited = this._silent = 0;
    this._resetStream();
    for (const item of this._items.values()) if (!item.ended) this._starved = item;
  }

  _acknowledge() {
    /** @type {[string, number][]} */
    const played = [];
    for (const item of this._items.values()) played.push([item.id, item.base + item.played]);
    const flushes = this._flushes;
    this._flushes = [];
    this._clear();
    for (const id of flushes) this._report({ kind: "flushed", id, played });
    for (const order of this._held.splice(0)) order();
  }

  /** Applies the gain and a closing fade. @param {Float32Array} out @param {number} fade samples */
  _shape(out, fade) {
    const target = this.ducked ? DUCKED : 1;
    for (let i = 0; i < out.length; i++) {
      this._gain += (target - this._gain) * this._gainStep;
      out[i] *= this._gain;
    }
    if (Math.abs(this._gain - target) < 1e-4) this._gain = target;
    for (let i = 0; i < fade; i++) out[i] *= 1 - (i + 1) / fade;
  }

  _clear() {
    this._queue = [];
    this._items.clear();
    this._starved = null;
    this._queued = 0;
    this._sounding = false;
    this._waited = this._silent = 0;
    this._resetStream();
  }

  _resetStream() {
    this._stretches = [];
    this._streamed = this._rendered = 0;
    this._spareStart = this._spareEnd = 0;
    this._resampler?.reset();
  }
}

class PlaybackProcessor extends AudioWorkletProcessor {
  /** @param {{processorOptions: {prebufferMs: number}}} options */
  constructor(options) {
    super();
    this._running = true;
    this._player = new Player(sampleRate, options.processorOptions.prebufferMs, (event) =>
      this.port.postMessage({ ...event, t: Date.now() }),
    );
    this.port.onmessage = ({ data }) => this._order(data);
  }

  /** @param {any} order */
  _order(order) {
    const player = this._player;
    if (order.kind === "audio") player.write(order.item, order.start, order.pcm);
    else if (order.kind === "end") player.end(order.item);
    else if (order.kind === "flush") player.flush(order.id, order.silent);
    else if (order.kind === "duck") player.ducked = order.on;
    else if (order.kind === "prebuffer") player.prebuffer = (RATE / 1000) * order.ms;
    else if (order.kind === "stop") this._running = false;
  }

  /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
  process(_inputs, outputs) {
    const [first, ...others] = outputs[0];
    this._player.render(first);
    for (const other of others) other.set(first);
    return this._running;
  }
}

registerProcessor("realtime-nb-playback", PlaybackProcessor);
