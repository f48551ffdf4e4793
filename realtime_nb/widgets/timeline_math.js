// @ts-check
/**
 * The timeline's arithmetic: what of the waves is in a pixel, where a range ends, which piece of
 * audio or of detail to ask for next.
 *
 * @typedef {object} Wave
 * @property {number} id
 * @property {"user" | "agent"} lane
 * @property {number} start Seconds since the session began.
 * @property {number | null} heard Seconds of it that were played; null: up to now.
 * @property {number} rate Points per second.
 * @property {Int16Array} points Lowest and highest sample in turn; room for more than there are.
 * @property {number} count
 *
 * @typedef {object} Mark
 * @property {string} id
 * @property {"speech" | "call" | "error" | "response" | "label" | "turn" | "words" | "setting" | "gap"} kind
 * @property {number} t_s
 * @property {number | null} end_s
 * @property {number | null} [onset_s]
 * @property {number | null} [offset_s]
 * @property {"server" | "offline_vad"} [source] Of onset and offset.
 * @property {string} [name] Of a response its status, of words and labels the text.
 * @property {"user" | "agent"} [lane] Of words: who said them.
 * @property {number | null} [answer_s] Of a turn: when its answer began to sound.
 * @property {number | null} [latency_ms] Of a turn.
 *
 * @typedef {{start: number, end: number}} Range In seconds.
 *
 * @typedef {object} Detail Finer waves of one part of the session.
 * @property {number} start
 * @property {number} end
 * @property {number} rate Points per second.
 * @property {Wave[]} waves
 */
import { clockText } from "./texts.js";

export const SOUND_RATE = 24_000;
export const SHORTEST_S = 0.1;
const BLOCK_S = 10;
const FIRST_BLOCK_S = 2;
const AHEAD_S = 10;
const MOST_DETAIL_POINTS = 8_000;
const TICKS_S = [
  0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];

/**
 * The lowest and the highest point of a wave in each pixel column; NaN where it has none.
 *
 * @param {Wave} wave
 * @param {Range} range
 * @param {number} width
 */
export function columns(wave, range, width) {
  const low = new Float32Array(width).fill(NaN);
  const high = new Float32Array(width).fill(NaN);
  const perPixel = ((range.end - range.start) / width) * wave.rate;
  const offset = (range.start - wave.start) * wave.rate;
  const first = Math.max(0, Math.floor(-offset / perPixel));
  const last = Math.min(width, Math.ceil((wave.count - offset) / perPixel));
  for (let x = first; x < last; x++) {
    const from = Math.max(0, Math.floor(offset + x * perPixel));
    const to = Math.min(wave.count, Math.max(from + 1, Math.floor(offset + (x + 1) * perPixel)));
    if (from >= to) continue;
    let least = wave.points[2 * from];
    let most = wave.points[2 * from + 1];
    for (let at = from + 1; at < to; at++) {
      if (wave.points[2 * at] < least) least = wave.points[2 * at];
      if (wave.points[2 * at + 1] > most) most = wave.points[2 * at + 1];
    }
    low[x] = least;
    high[x] = most;
  }
  return { low, high };
}

/** Stretches each column until it touches the one before: a wave is one line. Changes both.
 * @param {Float32Array} low @param {Float32Array} high */
export function joined(low, high) {
  let least = NaN;
  let most = NaN;
  for (let x = 0; x < low.length; x++) {
    const [bottom, top] = [low[x], high[x]];
    if (bottom > most) low[x] = most;  // false for NaN
    if (top < least) high[x] = least;
    least = bottom;
    most = top;
  }
}

/** Zooms about a moment, and stays within the session. @param {Range} range @param {number} factor
 * @param {number} at @param {Range} session @returns {Range} */
export function zoomed(range, factor, at, session) {
  const longest = Math.max(session.end - session.start, SHORTEST_S);
  const span = Math.min(longest, Math.max(SHORTEST_S, (range.end - range.start) * factor));
  const share = (at - range.start) / (range.end - range.start);
  return within({ start: at - share * span, end: at + (1 - share) * span }, session);
}

/** Moves a range into the session, keeping its length. @param {Range} range
 * @param {Range} session @returns {Range} */
export function within(range, session) {
  const span = range.end - range.start;
  const last = Math.max(session.start, session.end - span);
  const start = Math.max(session.start, Math.min(range.start, last));
  return { start, end: start + span };
}

/** What lies between two moments, in whatever order; null for next to nothing.
 * @param {number} one @param {number} other @param {Range} session @returns {Range | null} */
export function between(one, other, session) {
  const inside = (/** @type {number} */ t) => Math.max(session.start, Math.min(session.end, t));
  const [start, end] = [inside(Math.min(one, other)), inside(Math.max(one, other))];
  return end - start < 0.001 ? null : { start, end };
}

/** The line of Python that cuts a range out; not a millisecond of it is outside. @param {Range} range */
export function clipText({ start, end }) {
  const [first, last] = [Math.ceil(start * 1000 - 1e-6), Math.floor(end * 1000 + 1e-6)];
  return `rec.clip(${first / 1000}, ${Math.max(last, first + 1) / 1000})`;
}

/** How far apart ticks are. @param {number} span @param {number} width */
export function tickStep(span, width) {
  const most = Math.max(2, width / 64);
  return TICKS_S.find((step) => span / step <= most) ?? TICKS_S[TICKS_S.length - 1];
}

/** A moment, as exactly as the step between two of them asks for; before the session, below 0.
 * @param {number} seconds @param {number} step */
export function timeText(seconds, step) {
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  return clockText(seconds, digits, Math.round);
}

/** How much of a wave was played by now, in seconds. @param {Wave} wave @param {number} now
 * @param {boolean} live */
export function heardSeconds(wave, now, live) {
  if (wave.lane === "user") return Infinity;
  return wave.heard ?? (live ? now - wave.start : Infinity);
}

/**
 * The piece of audio to ask for now; null for none. A short one comes first, so that it is heard
 * soon, then blocks as long as less than that is ahead.
 *
 * @param {Range} range What is listened to.
 * @param {number} fetched Up to where the audio is there.
 * @param {number} position Where the playing is.
 * @returns {Range | null}
 */
export function nextBlock(range, fetched, position) {
  if (fetched >= range.end - 1e-6 || fetched - position > AHEAD_S) return null;
  const length = fetched <= range.start ? FIRST_BLOCK_S : BLOCK_S;
  return { start: fetched, end: Math.min(range.end, fetched + length) };
}

/**
 * The finer waves to ask for; null when those that are there show all that the pixels can.
 *
 * @param {Range} shown
 * @param {number} pixels
 * @param {number} rate Points per second of the whole.
 * @param {Detail | null} detail What is there.
 * @param {Range} session
 * @returns {{start: number, end: number, points: number} | null}
 */
export function detailWanted(shown, pixels, rate, detail, session) {
  const span = shown.end - shown.start;
  const wanted = Math.min(pixels / span, SOUND_RATE) * 0.75;
  if (rate >= wanted) return null;
  if (detail && detail.rate >= wanted && covers(detail, shown, session)) return null;
  const start = Math.max(session.start, shown.start - span / 2);
  const end = Math.min(session.end, shown.end + span / 2);
  const points = Math.min(MOST_DETAIL_POINTS, Math.ceil((pixels * (end - start)) / span));
  return { start, end, points };
}

/** Whether finer waves are there for all that is shown. @param {Detail} detail
 * @param {Range} shown @param {Range} session */
export function covers(detail, shown, session) {
  const slack = 1e-3;
  return detail.start <= Math.max(session.start, shown.start) + slack
    && detail.end >= Math.min(session.end, shown.end) - slack;
}
