// @ts-check
/**
 * Draws the timeline on its canvas. Its colours are those of realtime_nb/plots.
 *
 * @typedef {import("./timeline_math.js").Wave} Wave
 * @typedef {import("./timeline_math.js").Mark} Mark
 * @typedef {import("./timeline_math.js").Range} Range
 * @typedef {import("./timeline_store.js").Store} Store
 */
import { columns, heardSeconds, joined, tickStep, timeText } from "./timeline_math.js";
import { apart, isKnown, lanesOf } from "./timeline_layout.js";
import { clockText, counted, durationText } from "./texts.js";

const COLOURS = {
  user: "#1A7FC1", speech: "#56B4E9", agent: "#D55E00", call: "#009E73", error: "#CC79A7",
  neutral: "#878787",
};
const SPEECH_ALPHA = 0.15;
const BESIDE_ZERO = 18; // px: half of "0:00" and a little
const GAP_ALPHA = 0.16;
// How much of the user's wave is its own colour, the rest is the text's: it stands out from the
// speech behind it, on a light page and on a dark one.
const USER_SHARE = 0.6;
const UNHEARD_ALPHA = 0.35;
const LONGEST_LABEL = 28;
const GUTTER = 62;
const FONT = "11px var(--jp-ui-font-family, system-ui, sans-serif)";

export class Picture {
  /** @param {HTMLCanvasElement} canvas @param {Store} store */
  constructor(canvas, store) {
    this.width = 0;
    this.gutter = GUTTER;
    /** @type {Range} */
    this.shown = { start: 0, end: 1 };
    this.lanes = lanesOf([], true);
    this._canvas = canvas;
    this._store = store;
    this._context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  get plotWidth() { return Math.max(1, this.width - this.gutter); }

  /** Columns of real pixels. */
  get pixels() { return Math.round(this.plotWidth * (window.devicePixelRatio || 1)); }

  /** @param {number} t */
  xOf(t) {
    const { start, end } = this.shown;
    return this.gutter + ((t - start) / (end - start)) * this.plotWidth;
  }

  /** @param {number} x */
  timeAt(x) {
    const { start, end } = this.shown;
    return start + ((x - this.gutter) / this.plotWidth) * (end - start);
  }

  /** Where its lanes lie. */
  layOut() { return lanesOf(this._store.marks.values(), this._store.live); }

  /** Draws what lies in the room between the two voices. @param {string} _ink */
  drawBetween(_ink) {}

  /** @param {Range} shown @param {number | null} cursor @param {number | null} playhead */
  draw(shown, cursor, playhead) {
    const { _canvas: canvas, _context: context, _store: store, width } = this;
    const scale = window.devicePixelRatio || 1;
    this.lanes = this.layOut();
    const { height, axisTop } = this.lanes;
    const sizes = [Math.round(width * scale), Math.round(height * scale)];
    if (canvas.width !== sizes[0] || canvas.height !== sizes[1]) {
      [canvas.width, canvas.height] = sizes;
      canvas.style.height = `${height}px`;
    }
    this.shown = shown;
    const style = getComputedStyle(canvas);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = FONT.replace(/var\(.*\)/, style.fontFamily);
    context.textBaseline = "middle";
    this._drawAxis(style.color);
    context.save();
    context.beginPath();
    context.rect(this.gutter, 0, this.plotWidth, height);
    context.clip();
    for (const mark of store.marks.values()) if (mark.kind === "gap") this._drawGap(mark);
    for (const mark of store.marks.values()) if (mark.kind === "speech") this._drawSpeech(mark);
    const waves = store.waves(shown);
    for (const lane of /** @type {const} */ (["user", "agent"])) {
      this._drawLane(lane, waves.filter((wave) => wave.lane === lane), style.color);
    }
    this.drawBetween(style.color);
    this._drawResponses();
    this._drawTools(style.color);
    this._drawLabels(style.color);
    this._drawTurns(style.color);
    if (store.selection) this._drawSelection(store.selection, style.color);
    if (cursor !== null) this._fill(this.xOf(cursor) - 0.5, 0, 1, axisTop, style.color, 0.5);
    if (playhead !== null) this._drawPlayhead(this.xOf(playhead), style.color);
    context.restore();
  }

  /** @param {string} colour */
  _drawAxis(colour) {
    const { start, end } = this.shown;
    const { _context: context, lanes } = this;
    const step = tickStep(end - start, this.plotWidth);
    context.textAlign = "center";
    const begin = Math.max(start, this._store.whole.start);
    const begun = begin < 0 && end > 0; // the session, in what is shown
    if (begun) this._drawBefore(begin, colour);
    const first = Math.ceil(begin / step);
    for (let n = first; n * step <= end; n++) {
      const x = this.xOf(n * step);
      // Not through words.
      this._fill(x, lanes.user.top, 1, lanes.tools.top - lanes.user.top, colour, 0.12);
      this._fill(x, lanes.axisTop - 3, 1, 3, colour, 0.5);
      const text = timeText(n * step, step);
      const half = context.measureText(text).width / 2;
      if (begun && n < 0) continue;
      if (x - half >= this.gutter - 14 && x + half <= this.width) this._write(text, x, lanes.axisTop + 11, colour, 0.7);
    }
    context.textAlign = "left";
    const { labels, turns, user, agent, responses, tools } = lanes;
    for (const [name, lane] of Object.entries({ labels, turns, you: user, agent, responses, tools })) {
      if (lane) this._write(name, 2, lane.top + lane.height / 2, colour, 0.8);
    }
  }

  /** What was said before the session: a shade, in words where there is room. @param {number} begin
   * @param {string} colour */
  _drawBefore(begin, colour) {
    const { user, tools, axisTop } = this.lanes;
    const [left, zero] = [Math.max(this.gutter, this.xOf(begin)), this.xOf(0)];
    this._fill(left, user.top, zero - left, tools.top - user.top, colour, 0.05);
    const room = zero - left - BESIDE_ZERO;
    const words = ["before the session", "before"].find((text) => this._context.measureText(text).width <= room);
    if (words) this._write(words, left + room / 2, axisTop + 11, colour, 0.7);
  }

  /** No connection: a shade through all lanes. @param {Mark} mark */
  _drawGap(mark) {
    const { user, axisTop } = this.lanes;
    const x = this.xOf(mark.t_s);
    const width = Math.max(1, this.xOf(mark.end_s ?? this._store.now) - x);
    this._fill(x, user.top, width, axisTop - user.top, COLOURS.error, GAP_ALPHA);
  }

  /** @param {Mark} mark */
  _drawSpeech(mark) {
    const { top, height } = this.lanes.user;
    const end = mark.end_s ?? this._store.now;
    const x = this.xOf(mark.t_s);
    if (isReported(mark)) this._fill(x, top, this.xOf(end) - x, height, COLOURS.speech, SPEECH_ALPHA);
    if (mark.onset_s === null || mark.onset_s === undefined) return;
    const onset = this.xOf(mark.onset_s);
    const offset = this.xOf(Math.min(end, mark.offset_s ?? end));
    this._fill(onset, top, offset - onset, height, COLOURS.speech, SPEECH_ALPHA);
    if (mark.source === "offline_vad") this._frame(onset, top, offset - onset, height, COLOURS.speech);
  }

  /** @param {"user" | "agent"} lane @param {Wave[]} waves @param {string} ink */
  _drawLane(lane, waves, ink) {
    const { _store: store, shown } = this;
    const { top, height } = this.lanes[lane];
    const colour = lane === "user" ? mixed(COLOURS.user, ink, USER_SHARE) : COLOURS[lane];
    const middle = top + height / 2;
    const gain = height / 2 / store.peaks[lane];
    this._fill(this.gutter, middle, this.plotWidth, 1, colour, 0.25);
    const seen = waves.filter((wave) => wave.start < shown.end && wave.start + wave.count / wave.rate > shown.start);
    // What was not heard comes first, so that it covers nothing that was.
    for (const wanted of ["unheard", "heard"]) {
      for (const wave of seen) {
        const heard = wave.start + heardSeconds(wave, store.now, store.live);
        const room = wanted === "heard" ? heard : nextStart(waves, heard);
        const from = wanted === "heard" ? wave.start : heard;
        const alpha = wanted === "heard" ? 1 : UNHEARD_ALPHA;
        this._drawWave(wave, { start: from, end: room }, { middle, gain, colour, alpha });
      }
    }
  }

  /**
   * @param {Wave} wave
   * @param {Range} part Of the wave.
   * @param {{middle: number, gain: number, colour: string, alpha: number}} look
   */
  _drawWave(wave, part, { middle, gain, colour, alpha }) {
    const { shown, _context: context } = this;
    if (part.end <= shown.start || part.start >= shown.end || part.end <= part.start) return;
    const scale = window.devicePixelRatio || 1;
    const width = this.pixels;
    const { low, high } = columns(wave, shown, width);
    joined(low, high);
    const column = (/** @type {number} */ t) => Math.round((this.xOf(t) - this.gutter) * scale);
    const first = Math.max(0, column(part.start));
    const last = Math.min(width, column(Math.min(part.end, shown.end)));
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.beginPath();
    for (let x = first; x < last; x++) {
      if (Number.isNaN(low[x])) continue;
      const y = middle - high[x] * gain;
      context.rect(this.gutter + x / scale, y, 1 / scale, Math.max(1, (high[x] - low[x]) * gain));
    }
    context.fill();
    context.globalAlpha = 1;
  }

  _drawResponses() {
    const lane = this.lanes.responses;
    if (lane === null) return;
    for (const mark of this._store.marks.values()) {
      if (mark.kind !== "response") continue;
      const x = this.xOf(mark.t_s);
      const width = Math.max(2, this.xOf(mark.end_s ?? this._store.now) - x);
      const cut = mark.name === "cancelled" || mark.name === "incomplete";
      const colour = mark.name === "failed" ? COLOURS.error : COLOURS.neutral;
      this._fill(x, lane.top, width, lane.height, colour, cut ? 0.45 : 1);
    }
  }

  /** @param {string} colour */
  _drawTools(colour) {
    const { tools, names } = this.lanes;
    const middle = tools.top + tools.height / 2;
    const named = [];
    for (const mark of this._store.marks.values()) {
      const x = this.xOf(mark.t_s);
      if (mark.kind === "error") this._drawCross(x, middle);
      if (mark.kind === "setting") this._drawChange(x, middle, colour);
      if (mark.kind !== "call") continue;
      const end = mark.end_s ?? this._store.now;
      const right = this.xOf(Math.max(mark.t_s, end));
      this._fill(x, middle - 4, Math.max(2, right - x), 8, COLOURS.call, mark.end_s === null ? 0.4 : 1);
      const text = `${mark.name}, ${mark.end_s === null ? "no output" : durationText(1000 * (end - mark.t_s))}`;
      if (right >= this.gutter && x <= this.width) named.push({ x, text });
    }
    this._writeApart(named, names, colour);
  }

  /** @param {string} colour */
  _drawLabels(colour) {
    const { labels, axisTop } = this.lanes;
    if (labels === null) return;
    const context = this._context;
    const named = [];
    for (const { kind, t_s, name = "" } of this._store.marks.values()) {
      const x = this.xOf(t_s);
      if (kind !== "label" || x < this.gutter || x > this.width) continue;
      context.strokeStyle = colour;
      context.lineWidth = 1;
      context.setLineDash([1, 2]);
      context.beginPath();
      context.moveTo(x, labels.top);
      context.lineTo(x, axisTop);
      context.stroke();
      context.setLineDash([]);
      named.push({ x: x + 3, text: name.length > LONGEST_LABEL ? `${name.slice(0, LONGEST_LABEL - 1)}…` : name });
    }
    this._writeApart(named, labels, colour);
  }

  /** Numbers where turns begin, latencies above answers. @param {string} colour */
  _drawTurns(colour) {
    const { turns, latencies } = this.lanes;
    const numbers = [];
    const answers = [];
    for (const mark of this._store.marks.values()) {
      if (mark.kind !== "turn") continue;
      const x = this.xOf(mark.t_s);
      if (x <= this.width && this.xOf(mark.end_s ?? mark.t_s) >= this.gutter) numbers.push({ x, text: mark.name ?? "" });
      if (!isKnown(mark.answer_s) || !isKnown(mark.latency_ms)) continue;
      const answer = this.xOf(mark.answer_s);
      if (answer >= this.gutter && answer <= this.width) answers.push({ x: answer, text: durationText(mark.latency_ms) });
    }
    if (turns) this._writeApart(numbers, turns, colour);
    if (latencies) this._writeApart(answers, latencies, colour);
  }

  /** @param {{x: number, text: string}[]} texts @param {import("./timeline_layout.js").Lane} lane @param {string} colour */
  _writeApart(texts, lane, colour) {
    const widthOf = (/** @type {string} */ text) => this._context.measureText(text).width;
    for (const { x, text } of apart(texts, widthOf, this.gutter, this.width)) {
      this._write(text, x, lane.top + lane.height / 2, colour, 0.9);
    }
  }

  /** @param {Range} selection @param {string} colour */
  _drawSelection({ start, end }, colour) {
    const [left, right] = [this.xOf(start), this.xOf(end)];
    this._fill(left, 0, right - left, this.lanes.axisTop, colour, 0.1);
    for (const x of [left, right]) this._fill(x - 0.5, 0, 1, this.lanes.axisTop, colour, 0.6);
  }

  /** @param {number} x @param {string} colour */
  _drawPlayhead(x, colour) {
    this._fill(x - 0.75, 0, 1.5, this.lanes.axisTop, colour, 1);
    this._context.fillStyle = colour;
    this._context.beginPath();
    this._context.moveTo(x - 5, 0);
    this._context.lineTo(x + 5, 0);
    this._context.lineTo(x, 7);
    this._context.fill();
  }

  /** A line through all lanes, with a diamond on it. @param {number} x @param {number} y @param {string} colour */
  _drawChange(x, y, colour) {
    const context = this._context;
    this._fill(x - 0.5, 0, 1, this.lanes.axisTop, colour, 0.35);
    context.fillStyle = colour;
    context.beginPath();
    for (const [right, down] of [[0, -5], [5, 0], [0, 5], [-5, 0]]) context.lineTo(x + right, y + down);
    context.fill();
  }

  /** @param {number} x @param {number} y */
  _drawCross(x, y) {
    const context = this._context;
    context.strokeStyle = COLOURS.error;
    context.lineWidth = 2.5;
    context.beginPath();
    for (const slope of [-1, 1]) {
      context.moveTo(x - 4, y - 4 * slope);
      context.lineTo(x + 4, y + 4 * slope);
    }
    context.stroke();
  }

  /** @param {number} x @param {number} y @param {number} w @param {number} h
   * @param {string} colour @param {number} alpha */
  _fill(x, y, w, h, colour, alpha) {
    this._context.globalAlpha = alpha;
    this._context.fillStyle = colour;
    this._context.fillRect(x, y, w, h);
    this._context.globalAlpha = 1;
  }

  /** @param {number} x @param {number} y @param {number} w @param {number} h
   * @param {string} colour */
  _frame(x, y, w, h, colour) {
    const context = this._context;
    context.strokeStyle = colour;
    context.lineWidth = 1;
    context.setLineDash([3, 2]);
    context.strokeRect(x, y + 0.5, w, h - 1);
    context.setLineDash([]);
  }

  /** @param {string} text @param {number} x @param {number} y @param {string} colour
   * @param {number} alpha */
  _write(text, x, y, colour, alpha) {
    this._context.globalAlpha = alpha;
    this._context.fillStyle = colour;
    this._context.fillText(text, x, y);
    this._context.globalAlpha = 1;
  }

  /** What is under the pointer. @param {number} x @param {number} y */
  wordsAt(x, y) {
    const t = this.timeAt(x);
    if (x < this.gutter || t < this._store.whole.start) return "";
    const { start, end: last } = this.shown;
    const reach = (last - start) * (5 / this.plotWidth);
    const where = timeText(t, 0.05);
    const marks = [...this._store.marks.values()].reverse();
    const changed = marks.filter(({ kind, t_s }) => kind === "setting" && Math.abs(t - t_s) <= reach);
    if (changed.length > 0) return `${where} · ${changed.reverse().map(({ name }) => name).join(", ")}`;
    const gaps = marks.filter(({ kind, t_s, end_s }) => kind === "gap" && t >= t_s - reach && t <= (end_s ?? this._store.now) + reach);
    const kinds = this._kindsAt(y);
    /** @type {{kind: Mark["kind"], words: string}[]} */
    const facts = [];
    for (const mark of marks) {
      const isMoment = mark.kind === "error" || mark.kind === "label";
      const end = mark.end_s ?? (isMoment ? mark.t_s : this._store.now);
      if (t < mark.t_s - reach || t > end + reach || !kinds.includes(mark.kind)) continue;
      if (mark.kind === "words" && mark.lane !== (kinds.includes("speech") ? "user" : "agent")) continue;
      if (facts.some(({ kind }) => kind === mark.kind)) continue;
      facts.push({ kind: mark.kind, words: markText(mark, end) });
    }
    facts.sort((one, other) => kinds.indexOf(one.kind) - kinds.indexOf(other.kind));
    return [where, ...gaps.map(({ name }) => name), ...facts.map(({ words }) => words)].join(" · ");
  }

  /** What there is to tell of at a height, the most telling first. @param {number} y @returns {Mark["kind"][]} */
  _kindsAt(y) {
    const { labels, turns, latencies, agent, responses, tools } = this.lanes;
    if (y >= tools.top) return ["error", "call"];
    if (responses && y >= responses.top) return ["response"];
    if (y >= (latencies ?? agent).top) return ["words", "turn"];
    if (labels && y < labels.top + labels.height) return ["label"];
    if (turns && y < turns.top + turns.height) return ["turn"];
    return ["words", "speech"];
  }

  /** All of it in a sentence. */
  inWords() {
    const counts = { speech: 0, call: 0, error: 0, setting: 0, gap: 0 };
    for (const { kind } of this._store.marks.values()) if (kind in counts) counts[/** @type {keyof counts} */ (kind)] += 1;
    const [start, end] = [this.shown.start, this.shown.end].map((t) => clockText(t));
    const speech = counted(counts.speech, "stretch of speech", "stretches of speech");
    const calls = counted(counts.call, "function call");
    const changes = counts.setting ? `, ${counted(counts.setting, "changed setting")}` : "";
    const gaps = counts.gap ? `, ${counted(counts.gap, "lost connection")}` : "";
    return `Timeline, ${start} to ${end}: ${speech}, ${calls}, ${counted(counts.error, "error")}${changes}${gaps}.`;
  }
}

/** A mark in words. @param {Mark} mark @param {number} end */
function markText(mark, end) {
  const length = durationText(1000 * (end - mark.t_s));
  const { kind, name = "" } = mark;
  switch (kind) {
    case "speech":
      return `speech, ${length} ${isReported(mark) ? "with padding" : "as the offline detector hears it"}`;
    case "words":
      return `${mark.lane === "user" ? "you" : "agent"}: ${name}`;
    case "response":
      return `response, ${name.replaceAll("_", " ")}, ${length}`;
    case "turn":
      return `turn ${name}${isKnown(mark.latency_ms) ? `, answered after ${durationText(mark.latency_ms)}` : ""}`;
    case "call":
      return `${name}, ${length}`;
    case "error":
      return `error${name ? `: ${name}` : ""}`;
    default:
      return name;
  }
}

/** A colour between "#rrggbb" and one as the page's styles have it, "rgb(…)" of numbers.
 * @param {string} own @param {string} other @param {number} share Of the first. */
export function mixed(own, other, share) {
  const parts = other.match(/[\d.]+/g)?.slice(0, 3).map(Number) ?? [];
  if (!other.startsWith("rgb") || parts.length < 3) return own;
  const channels = [1, 3, 5].map((at) => parseInt(own.slice(at, at + 2), 16));
  return `rgb(${channels.map((value, n) => Math.round(share * value + (1 - share) * parts[n])).join(", ")})`;
}

/** Whether turn detection told of this speech. @param {Mark} mark */
function isReported({ source, onset_s: onset, t_s: start }) {
  return source !== "offline_vad" || onset !== start;
}

/** When the next wave of a lane begins. @param {Wave[]} waves @param {number} t */
function nextStart(waves, t) {
  let next = Infinity;
  for (const { start, heard } of waves) {
    if (start > t + 0.01 && heard !== 0) next = Math.min(next, start);
  }
  return next;
}
