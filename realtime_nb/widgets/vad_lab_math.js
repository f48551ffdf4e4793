// @ts-check
/**
 * The lab's arithmetic: where audio lies on the time axis, which probabilities are in a pixel, where
 * its rows lie, and which threshold a height means.
 *
 * @typedef {[start_s: number, start_ms: number, end_ms: number]} LabStretch Audio in a row.
 * @typedef {import("./timeline_layout.js").Lane} LabLane
 * @typedef {import("./timeline_math.js").Range} LabRange
 * @typedef {{start: number, end: number}} LabSpan In seconds.
 *
 * @typedef {object} LabRoom
 * @property {LabLane} curve Of the probabilities.
 * @property {LabLane[]} rows
 * @property {number} height Of all of it.
 */
const VAD_FRAME_MS = 32;
const CURVE = 72;
const LAB_ROW = 15;
const LAB_GAP = 5;

/** The stretch that holds a position; where two meet, the earlier for an end, the later for a beginning.
 * @param {LabStretch[]} stretches @param {number} ms @param {boolean} isEnd */
function stretchAt(stretches, ms, isEnd) {
  let [low, high] = [0, stretches.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const [, , end] = stretches[middle];
    if (isEnd ? end < ms : end <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * When the sample at a position of the input was captured, in seconds; before the first and after the
 * last the nearest stretch goes on.
 *
 * @param {LabStretch[]} stretches ascending @param {number} ms @param {boolean} isEnd whether
 *   something ends there, as where the microphone paused two moments share a position
 */
export function momentOf(stretches, ms, isEnd = false) {
  if (stretches.length === 0) return ms / 1000;
  const found = stretches[Math.min(stretches.length - 1, stretchAt(stretches, ms, isEnd))];
  return found[0] + (ms - found[1]) / 1000;
}

/** The position of the input that was captured then; NaN where nothing was.
 * @param {LabStretch[]} stretches @param {number} t */
export function positionAt(stretches, t) {
  for (const [start, from, to] of stretches) {
    if (t >= start && t <= start + (to - from) / 1000) return from + (t - start) * 1000;
  }
  return NaN;
}

/** The parts of a stretch of input on the time axis: one, or several where the microphone paused in it
 * for longer than what is drawn through.
 * @param {LabStretch[]} stretches @param {number} startMs @param {number} endMs @param {number} through in seconds
 * @returns {LabSpan[]} */
export function placesOf(stretches, startMs, endMs, through = 0) {
  const first = stretchAt(stretches, startMs, false);
  const last = stretchAt(stretches, endMs, true);
  if (stretches.length === 0 || first >= last) {
    return [{ start: momentOf(stretches, startMs), end: momentOf(stretches, endMs, true) }];
  }
  /** @type {LabSpan[]} */
  const places = [];
  for (let n = first; n <= Math.min(last, stretches.length - 1); n++) {
    const [begin, from, to] = stretches[n];
    const [start, end] = [Math.max(startMs, from), Math.min(endMs, to)].map((ms) => begin + (ms - from) / 1000);
    const before = places[places.length - 1];
    if (before && start - before.end <= through) before.end = Math.max(before.end, end);
    else places.push({ start, end });
  }
  return places;
}

/**
 * The highest probability in each pixel column, 0 to 255; −1 where there is none.
 *
 * @param {Uint8Array} frames from `base` on @param {number} base number of the first
 * @param {LabStretch[]} stretches @param {LabRange} shown @param {number} width
 */
export function curveColumns(frames, base, stretches, shown, width) {
  const highest = new Int16Array(width).fill(-1);
  const perPixel = (shown.end - shown.start) / width;
  const known = stretches.length > 0 ? stretches : [/** @type {LabStretch} */ ([0, 0, Infinity])];
  for (const [start, from, to] of known) {
    const first = Math.max(base, Math.floor(Math.max(from, from + (shown.start - start) * 1000) / VAD_FRAME_MS));
    const last = Math.min(base + frames.length - 1, Math.floor(Math.min(to, from + (shown.end - start) * 1000) / VAD_FRAME_MS));
    for (let frame = first; frame <= last; frame++) {
      const [begin, end] = [frame, frame + 1].map((one) => start + (Math.min(to, Math.max(from, one * VAD_FRAME_MS)) - from) / 1000);
      const left = Math.max(0, Math.floor((begin - shown.start) / perPixel));
      const right = Math.min(width - 1, Math.max(left, Math.ceil((end - shown.start) / perPixel) - 1));
      for (let x = left; x <= right; x++) highest[x] = Math.max(highest[x], frames[frame - base]);
    }
  }
  return highest;
}

/** Where the curve and so many rows lie, from the top of their room. @param {number} rows @returns {LabRoom} */
export function labRoom(rows) {
  const top = CURVE + LAB_GAP;
  const lanes = Array.from({ length: rows }, (_, n) => ({ top: top + n * (LAB_ROW + 2), height: LAB_ROW }));
  return { curve: { top: 0, height: CURVE }, rows: lanes, height: top + rows * (LAB_ROW + 2) };
}

/** How far down a probability lies in the curve's lane. @param {number} value @param {LabLane} lane */
export function heightOf(value, lane) {
  return lane.top + (1 - value) * lane.height;
}

/** The threshold that a height means, in whole steps and within its limits. @param {number} y
 * @param {LabLane} lane @param {{min: number, max: number}} limits @param {number} step */
export function thresholdAt(y, lane, { min, max }, step = 0.01) {
  const value = 1 - (y - lane.top) / lane.height;
  return Number(Math.min(max, Math.max(min, Math.round(value / step) * step)).toFixed(4));
}

/** Below which an open turn counts as silent. @param {number} threshold @param {number} hysteresis */
export function exitThreshold(threshold, hysteresis) {
  return Math.max(threshold - hysteresis, 0.01);
}
