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
import { clockText, durationText } from "./texts.js";

const COLOURS = {
  user: "#1A7FC1", speech: "#56B4E9", agent: "#D55E00", call: "#009E73", error: "#CC79A7",
};
const SPEECH_ALPHA = 0.25;
const UNHEARD_ALPHA = 0.35;
const LANES = { user: { top: 4, height: 52 }, agent: { top: 60, height: 52 }, tools: { top: 116, height: 22 } };
const HEIGHT = 160;
export const AXIS_TOP = HEIGHT - 20;
export const GUTTER = 44;
const FONT = "11px var(--jp-ui-font-family, system-ui, sans-serif)";

export class Picture {
  /** @param {HTMLCanvasElement} canvas @param {Store} store */
  constructor(canvas, store) {
    this.width = 0;
    /** @type {Range} */
    this.shown = { start: 0, end: 1 };
    this._canvas = canvas;
    this._store = store;
    this._context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  }

  get plotWidth() { return Math.max(1, this.width - GUTTER); }

  /** Columns of real pixels. */
  get pixels() { return Math.round(this.plotWidth * (window.devicePixelRatio || 1)); }

  /** @param {number} t */
  xOf(t) {
    const { start, end } = this.shown;
    return GUTTER + ((t - start) / (end - start)) * this.plotWidth;
  }

  /** @param {number} x */
  timeAt(x) {
    const { start, end } = this.shown;
    return start + ((x - GUTTER) / this.plotWidth) * (end - start);
  }

  /** @param {Range} shown @param {number | null} cursor @param {number | null} playhead */
  draw(shown, cursor, playhead) {
    const { _canvas: canvas, _context: context, _store: store, width } = this;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(HEIGHT * scale);
    }
    this.shown = shown;
    const style = getComputedStyle(canvas);
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    context.font = FONT.replace(/var\(.*\)/, style.fontFamily);
    context.textBaseline = "middle";
    this._drawAxis(style.color);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, this.plotWidth, HEIGHT);
    context.clip();
    for (const mark of store.marks.values()) if (mark.kind === "speech") this._drawSpeech(mark);
    const waves = store.waves(shown);
    for (const lane of /** @type {const} */ (["user", "agent"])) {
      this._drawLane(lane, waves.filter((wave) => wave.lane === lane));
    }
    this._drawTools(style.color);
    if (store.selection) this._drawSelection(store.selection, style.color);
    if (cursor !== null) this._fill(this.xOf(cursor) - 0.5, 0, 1, AXIS_TOP, style.color, 0.5);
    if (playhead !== null) this._drawPlayhead(this.xOf(playhead), style.color);
    context.restore();
  }

  /** @param {string} colour */
  _drawAxis(colour) {
    const { start, end } = this.shown;
    const context = this._context;
    const step = tickStep(end - start, this.plotWidth);
    context.textAlign = "center";
    const first = Math.ceil(Math.max(start, this._store.whole.start) / step);
    for (let n = first; n * step <= end; n++) {
      const x = this.xOf(n * step);
      this._fill(x, 0, 1, AXIS_TOP, colour, 0.12);
      const text = timeText(n * step, step);
      const half = context.measureText(text).width / 2;
      if (x - half >= GUTTER - 14 && x + half <= this.width) this._write(text, x, HEIGHT - 9, colour, 0.7);
    }
    context.textAlign = "left";
    for (const [name, lane] of [["you", LANES.user], ["agent", LANES.agent], ["tools", LANES.tools]]) {
      const { top, height } = /** @type {{top: number, height: number}} */ (lane);
      this._write(String(name), 2, top + height / 2, colour, 0.8);
    }
  }

  /** @param {Mark} mark */
  _drawSpeech(mark) {
    const { top, height } = LANES.user;
    const end = mark.end_s ?? this._store.now;
    const x = this.xOf(mark.t_s);
    if (isReported(mark)) this._fill(x, top, this.xOf(end) - x, height, COLOURS.speech, SPEECH_ALPHA);
    if (mark.onset_s === null || mark.onset_s === undefined) return;
    const onset = this.xOf(mark.onset_s);
    const offset = this.xOf(Math.min(end, mark.offset_s ?? end));
    this._fill(onset, top, offset - onset, height, COLOURS.speech, SPEECH_ALPHA);
    if (mark.source === "offline_vad") this._frame(onset, top, offset - onset, height, COLOURS.speech);
  }

  /** @param {"user" | "agent"} lane @param {Wave[]} waves */
  _drawLane(lane, waves) {
    const { _store: store, shown } = this;
    const { top, height } = LANES[lane];
    const middle = top + height / 2;
    const gain = height / 2 / store.peaks[lane];
    this._fill(GUTTER, middle, this.plotWidth, 1, COLOURS[lane], 0.25);
    const seen = waves.filter((wave) => wave.start < shown.end && wave.start + wave.count / wave.rate > shown.start);
    // What was not heard comes first, so that it covers nothing that was.
    for (const wanted of ["unheard", "heard"]) {
      for (const wave of seen) {
        const heard = wave.start + heardSeconds(wave, store.now, store.live);
        const room = wanted === "heard" ? heard : nextStart(waves, heard);
        const from = wanted === "heard" ? wave.start : heard;
        this._drawWave(wave, { start: from, end: room }, middle, gain, wanted === "heard" ? 1 : UNHEARD_ALPHA);
      }
    }
  }

  /**
   * @param {Wave} wave
   * @param {Range} part Of the wave.
   * @param {number} middle
   * @param {number} gain
   * @param {number} alpha
   */
  _drawWave(wave, part, middle, gain, alpha) {
    const { shown, _context: context } = this;
    if (part.end <= shown.start || part.start >= shown.end || part.end <= part.start) return;
    const scale = window.devicePixelRatio || 1;
    const width = this.pixels;
    const { low, high } = columns(wave, shown, width);
    joined(low, high);
    const column = (/** @type {number} */ t) => Math.round((this.xOf(t) - GUTTER) * scale);
    const first = Math.max(0, column(part.start));
    const last = Math.min(width, column(Math.min(part.end, shown.end)));
    context.globalAlpha = alpha;
    context.fillStyle = COLOURS[wave.lane];
    context.beginPath();
    for (let x = first; x < last; x++) {
      if (Number.isNaN(low[x])) continue;
      const y = middle - high[x] * gain;
      context.rect(GUTTER + x / scale, y, 1 / scale, Math.max(1, (high[x] - low[x]) * gain));
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** @param {string} colour */
  _drawTools(colour) {
    const { top, height } = LANES.tools;
    const middle = top + height / 2;
    let free = GUTTER;
    for (const mark of this._store.marks.values()) {
      const x = this.xOf(mark.t_s);
      if (mark.kind === "error") this._drawCross(x, middle);
      if (mark.kind === "setting") this._drawChange(x, middle, colour);
      if (mark.kind !== "call") continue;
      const end = mark.end_s ?? this._store.now;
      const right = this.xOf(Math.max(mark.t_s, end));
      this._fill(x, middle - 4, Math.max(2, right - x), 8, COLOURS.call, mark.end_s === null ? 0.4 : 1);
      const text = `${mark.name}, ${mark.end_s === null ? "no output" : durationText(1000 * (end - mark.t_s))}`;
      const left = Math.max(GUTTER, right + 4);
      const room = this._context.measureText(text).width;
      if (x < free || right < GUTTER || left + room > this.width) continue;
      this._write(text, left, middle, colour, 0.9);
      free = left + room + 6;
    }
  }

  /** @param {Range} selection @param {string} colour */
  _drawSelection({ start, end }, colour) {
    const [left, right] = [this.xOf(start), this.xOf(end)];
    this._fill(left, 0, right - left, AXIS_TOP, colour, 0.1);
    for (const x of [left, right]) this._fill(x - 0.5, 0, 1, AXIS_TOP, colour, 0.6);
  }

  /** @param {number} x @param {string} colour */
  _drawPlayhead(x, colour) {
    this._fill(x - 0.75, 0, 1.5, AXIS_TOP, colour, 1);
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
    this._fill(x - 0.5, 0, 1, AXIS_TOP, colour, 0.35);
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
    if (x < GUTTER || t < 0) return "";
    const { start, end: last } = this.shown;
    const reach = (last - start) * (5 / this.plotWidth);
    const where = timeText(t, 0.05);
    const onSpeech = y < LANES.agent.top;
    const onTools = y >= LANES.tools.top;
    const marks = [...this._store.marks.values()].reverse();
    const changed = marks.filter(({ kind, t_s }) => kind === "setting" && Math.abs(t - t_s) <= reach);
    if (changed.length > 0) return `${where} · ${changed.reverse().map(({ name }) => name).join(", ")}`;
    for (const mark of marks) {
      const end = mark.end_s ?? (mark.kind === "error" ? mark.t_s : this._store.now);
      if (t < mark.t_s - reach || t > end + reach) continue;
      if (mark.kind === "speech" && onSpeech) {
        const how = isReported(mark) ? "with padding" : "as the offline detector hears it";
        return `${where} · speech, ${durationText(1000 * (end - mark.t_s))} ${how}`;
      }
      if (mark.kind === "call" && onTools) return `${where} · ${mark.name}, ${durationText(1000 * (end - mark.t_s))}`;
      if (mark.kind === "error" && onTools) return `${where} · error${mark.name ? `: ${mark.name}` : ""}`;
    }
    return where;
  }

  /** All of it in a sentence. */
  inWords() {
    const counts = { speech: 0, call: 0, error: 0, setting: 0 };
    for (const { kind } of this._store.marks.values()) counts[kind] += 1;
    const [start, end] = [this.shown.start, this.shown.end].map((t) => clockText(t));
    const speech = counted(counts.speech, "stretch of speech", "stretches of speech");
    const calls = counted(counts.call, "function call", "function calls");
    const changes = counts.setting ? `, ${counted(counts.setting, "changed setting", "changed settings")}` : "";
    return `Timeline, ${start} to ${end}: ${speech}, ${calls}, ${counted(counts.error, "error", "errors")}${changes}.`;
  }
}

/** @param {number} count @param {string} one @param {string} many */
export function counted(count, one, many) {
  return `${count} ${count === 1 ? one : many}`;
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
