// @ts-check
/**
 * Sample-rate conversion for the audio worklets, by a windowed-sinc filter in polyphase form.
 * (J. O. Smith, Digital Audio Resampling Home Page, 2002; window: Kaiser.)
 */

const ZERO_CROSSINGS = 24;
const KAISER_BETA = 8; // stop band near −80 dB
const CUTOFF = 0.45; // of the lower rate: the filter has fallen to its stop band where images begin
const BLOCK = 1024;

/** @param {number} a @param {number} b @returns {number} */
function greatestCommonDivisor(a, b) {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Modified Bessel function of the first kind, order 0, by its power series. @param {number} x */
function besselI0(x) {
  let sum = 1;
  for (let k = 1, term = 1; term > 1e-12 * sum; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

/**
 * Converts a stream; output sample n belongs to the same instant as input sample n·source/target.
 * The result does not depend on how the stream is cut.
 */
export class Resampler {
  /** @param {number} sourceRate @param {number} targetRate both whole, in Hz */
  constructor(sourceRate, targetRate) {
    const divisor = greatestCommonDivisor(sourceRate, targetRate);
    this.up = targetRate / divisor;
    this.down = sourceRate / divisor;
    /** Input samples on each side of an output sample. */
    this.reach =
      this.up === this.down ? 0 : Math.ceil(ZERO_CROSSINGS * Math.max(1, sourceRate / targetRate));
    this._taps = 2 * this.reach + 1;
    this._table = this._filters(Math.min(1, targetRate / sourceRate));
    this._history = new Float32Array(this._taps + BLOCK);
    this._filled = this.reach; // silence before the first sample
    this._next = 0; // where in the history the filter of the next output sample begins
    this._phase = 0; // of the next output sample, in 1/up input samples
  }

  /** Forgets the stream. */
  reset() {
    this._history.fill(0);
    this._filled = this.reach;
    this._next = this._phase = 0;
  }

  /** Most samples that `process` can return for so many. @param {number} count */
  capacity(count) {
    return Math.ceil(((count + this._taps) * this.up) / this.down) + 1;
  }

  /**
   * @param {Float32Array} input
   * @param {Float32Array} output at least `capacity(input.length)` long
   * @returns {number} how many samples were written to `output`
   */
  process(input, output) {
    let written = 0;
    for (let start = 0; start < input.length; start += BLOCK) {
      written = this._block(input.subarray(start, start + BLOCK), output, written);
    }
    return written;
  }

  /** @param {Float32Array} input @param {Float32Array} output @param {number} written */
  _block(input, output, written) {
    const history = this._history;
    const taps = this._taps;
    history.set(input, this._filled);
    this._filled += input.length;
    while (this._next + taps <= this._filled) {
      const row = this._phase * taps;
      let sum = 0;
      for (let i = 0; i < taps; i++) sum += history[this._next + i] * this._table[row + i];
      output[written++] = sum;
      this._phase += this.down;
      this._next += Math.floor(this._phase / this.up);
      this._phase %= this.up;
    }
    const used = Math.min(this._next, this._filled);
    history.copyWithin(0, used, this._filled);
    this._filled -= used;
    this._next -= used;
    return written;
  }

  /** One filter per phase, each with a sum of 1. @param {number} scale of the cut-off */
  _filters(scale) {
    const table = new Float64Array(this.up * this._taps);
    const cutoff = this.reach === 0 ? 1 : 2 * CUTOFF * scale;
    for (let phase = 0; phase < this.up; phase++) {
      const row = table.subarray(phase * this._taps, (phase + 1) * this._taps);
      let sum = 0;
      for (let i = 0; i < row.length; i++) {
        const x = i - this.reach - phase / this.up;
        const within = this.reach === 0 ? 0 : x / (this.reach + 1);
        const window = besselI0(KAISER_BETA * Math.sqrt(Math.max(0, 1 - within * within)));
        row[i] = window * (x === 0 ? 1 : Math.sin(Math.PI * cutoff * x) / (Math.PI * cutoff * x));
        sum += row[i];
      }
      for (let i = 0; i < row.length; i++) row[i] /= sum;
    }
    return table;
  }
}
