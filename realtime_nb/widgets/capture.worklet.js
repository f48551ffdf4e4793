// @ts-check
/**
 * Microphone audio, off the page's main thread: device rate → PCM16 at 24 kHz in chunks with their
 * positions,
 * and a gate that tells at once when somebody speaks.
 */
import { Resampler } from "./resampler.js";

const RATE = 24000;
const GATE_FRAME = 240; // samples: 10 ms

/** Whether somebody speaks, from the energy alone: quick, not clever. */
export class Gate {
  constructor() {
    this.open = false;
    this._floor = -60; // dBFS of the noise
    this._energy = 0;
    this._filled = 0;
    this._run = 0; // frames that speak against the present state
  }

  /**
   * @param {number} sample −1..1 at 24 kHz
   * @returns {boolean} whether the gate has just opened or closed
   */
  push(sample) {
    this._energy += sample * sample;
    if (++this._filled < GATE_FRAME) return false;
    const level = 10 * Math.log10(this._energy / GATE_FRAME + 1e-10);
    this._energy = this._filled = 0;
    this._floor = Math.min(Math.max(-90, level), this._floor + 0.03);
    const threshold = this.open
      ? Math.max(this._floor + 9, -51) // it closes lower than it opens
      : Math.max(this._floor + 15, -45);
    this._run = level > threshold === this.open ? 0 : this._run + 1;
    if (this._run < (this.open ? 25 : 3)) return false;
    this._run = 0;
    this.open = !this.open;
    return true;
  }
}

/**
 * @typedef {{kind: "chunk", position: number, pcm: Int16Array, level: number, t: number}} Chunk
 * @typedef {{kind: "gate", open: boolean}} GateEvent
 */

/** Cuts a stream at the device's rate into chunks. */
export class Capture {
  /**
   * @param {number} deviceRate
   * @param {number} chunkMs
   * @param {(event: Chunk | GateEvent) => void} report
   */
  constructor(deviceRate, chunkMs, report) {
    this.chunkMs = chunkMs;
    this.muted = false;
    this._report = report;
    this._resampler = new Resampler(deviceRate, RATE);
    this._gate = new Gate();
    this._mono = new Float32Array(128);
    this._resampled = new Float32Array(this._resampler.capacity(128));
    this._position = 0;
    this._pcm = new Int16Array(0);
    this._filled = 0;
    this._energy = 0;
    this._begin();
  }

  /** @param {Float32Array[]} channels of one render quantum; none: silence */
  push(channels, frames = 128) {
    if (this._mono.length < frames) {
      this._mono = new Float32Array(frames);
      this._resampled = new Float32Array(this._resampler.capacity(frames));
    }
    const mono = this._mono.subarray(0, frames);
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (const channel of channels) sum += channel[i];
      mono[i] = this.muted || channels.length === 0 ? 0 : sum / channels.length;
    }
    const count = this._resampler.process(mono, this._resampled);
    for (let i = 0; i < count; i++) this._add(this._resampled[i]);
  }

  /** Hands out what there is of the last chunk. */
  end() {
    if (this._filled) this._hand();
  }

  /** @param {number} sample */
  _add(sample) {
    const value = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
    this._pcm[this._filled++] = value;
    this._energy += sample * sample;
    if (this._gate.push(sample)) this._report({ kind: "gate", open: this._gate.open });
    if (this._filled === this._pcm.length) this._hand();
  }

  _begin() {
    this._pcm = new Int16Array((RATE / 1000) * this.chunkMs);
    this._filled = 0;
    this._energy = 0;
  }

  _hand() {
    const pcm = this._filled === this._pcm.length ? this._pcm : this._pcm.slice(0, this._filled);
    const level = 10 * Math.log10(this._energy / this._filled + 1e-10);
    this._report({ kind: "chunk", position: this._position, pcm, level, t: Date.now() });
    this._position += this._filled;
    this._begin();
  }
}

class CaptureProcessor extends AudioWorkletProcessor {
  /** @param {{processorOptions: {chunkMs: number}}} options */
  constructor(options) {
    super();
    this._running = true;
    this._capture = new Capture(sampleRate, options.processorOptions.chunkMs, (event) =>
      this.port.postMessage(event, event.kind === "chunk" ? [event.pcm.buffer] : []),
    );
    this.port.onmessage = ({ data }) => this._order(data);
  }

  /** @param {{kind: string, on: boolean, ms: number}} order */
  _order(order) {
    if (order.kind === "mute") this._capture.muted = order.on;
    else if (order.kind === "chunk") this._capture.chunkMs = order.ms;
    else if (order.kind === "stop" && this._running) {
      this._running = false;
      this._capture.end();
    }
  }

  /** @param {Float32Array[][]} inputs @param {Float32Array[][]} outputs */
  process(inputs, outputs) {
    if (this._running) this._capture.push(inputs[0], outputs[0][0].length);
    return this._running;
  }
}

registerProcessor("realtime-nb-capture", CaptureProcessor);
