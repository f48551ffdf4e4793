// @ts-check
/**
 * Where the timeline's lanes lie, from the top, in px: as in realtime_nb/plots/timeline.py.
 *
 * @typedef {{top: number, height: number}} Lane
 *
 * @typedef {object} Lanes
 * @property {Lane | null} labels Null: there is nothing to show in it.
 * @property {Lane | null} turns
 * @property {Lane} user
 * @property {Lane | null} between Room for more about the user's voice.
 * @property {Lane | null} latencies
 * @property {Lane} agent
 * @property {Lane | null} responses
 * @property {Lane} tools
 * @property {Lane} names Of the tools.
 * @property {number} axisTop
 * @property {number} height
 *
 * @typedef {import("./timeline_math.js").Mark} Mark
 */
const TOP = 4;
const WAVE = 52;
const ROW = 14;
const GAP = 4;
const RESPONSES = 8;
const TOOLS = 12;
const AXIS = 20;

/** @param {Iterable<Mark>} marks @param {boolean} live
 * @param {number} room In px, between the user's voice and the rest. @returns {Lanes} */
export function lanesOf(marks, live, room = 0) {
  const kinds = new Set();
  let answered = false;
  for (const mark of marks) {
    kinds.add(mark.kind);
    answered ||= isKnown(mark.latency_ms);
  }
  let bottom = TOP;
  /** @param {number} height @param {number} gap @returns {Lane} */
  const lane = (height, gap) => {
    const top = bottom;
    bottom += height + gap;
    return { top, height };
  };
  const labels = kinds.has("label") ? lane(ROW, 0) : null;
  const turns = kinds.has("turn") ? lane(ROW, 0) : null;
  const user = lane(WAVE, answered ? 0 : GAP);
  const between = room > 0 ? lane(room, GAP) : null;
  const latencies = answered ? lane(ROW, 0) : null;
  const agent = lane(WAVE, GAP);
  // While a session goes on, nothing moves when the first response comes.
  const responses = live || kinds.has("response") ? lane(RESPONSES, GAP) : null;
  const tools = lane(TOOLS, 0);
  const names = lane(ROW, GAP);
  return { labels, turns, user, between, latencies, agent, responses, tools, names, axisTop: bottom, height: bottom + AXIS };
}

/** @param {number | null | undefined} value @returns {value is number} */
export function isKnown(value) {
  return value !== null && value !== undefined;
}

/**
 * Where to write which of some texts, so that none covers another; those without room are left out.
 *
 * @param {{x: number, text: string}[]} texts
 * @param {(text: string) => number} widthOf
 * @param {number} left
 * @param {number} right
 */
export function apart(texts, widthOf, left, right) {
  let free = left;
  const placed = [];
  for (const { x, text } of [...texts].sort((one, other) => one.x - other.x)) {
    const width = widthOf(text);
    const at = Math.min(Math.max(left, x), right - width);
    if (at < free) continue;
    free = at + width + 6;
    placed.push({ x: at, text });
  }
  return placed;
}
