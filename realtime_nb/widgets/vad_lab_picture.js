// @ts-check
/**
 * Draws the lab between the voices of its timeline: how sure the detector is, with the threshold, and a
 * row of turns for the server, the truth and each ghost.
 *
 * @typedef {import("./vad_lab_store.js").LabStore} LabStore
 * @typedef {import("./vad_lab_store.js").LabRow} LabRow
 * @typedef {import("./vad_lab_math.js").LabRoom} LabRoom
 */
import { Picture } from "./timeline_picture.js";
import { lanesOf } from "./timeline_layout.js";
import { clockText, counted } from "./texts.js";
import { curveColumns, exitThreshold, heightOf, labRoom, momentOf, placesOf, positionAt } from "./vad_lab_math.js";

const LAB_COLOURS = { curve: "#56B4E9", server: "#1A7FC1", live: "#1A7FC1", truth: "#009E73", yours: "#1A7FC1", ghost: "#B8860B", grey: "#878787" };
const PAUSE_COLOURS = { ends: "#C2410C", waits: "#7A5C00" };
const PAUSE_ROOM = 30; // px from one figure to the next
const PADDING_ALPHA = 0.28;
const STALL_S = 1; // a longer gap in the audio is a pause of the microphone, and no speech
const LAB_GUTTER = 92;
const NARROW_PX = 520;
const NARROW_GUTTER = 74;

export class LabPicture extends Picture {
  /** @param {HTMLCanvasElement} canvas @param {LabStore} lab @param {() => number | null} threshold null: none counts
   * @param {() => void} drawn called whenever it was drawn */
  constructor(canvas, lab, threshold, drawn) {
    super(canvas, lab.timeline);
    this._lab = lab;
    this._threshold = threshold;
    this._drawn = drawn;
    /** @type {LabRoom} */
    this.room = labRoom(0);
  }

  layOut() {
    this.gutter = this.width < NARROW_PX ? NARROW_GUTTER : LAB_GUTTER;
    this.room = labRoom(this._lab.rows.length);
    return lanesOf(this._store.marks.values(), this._store.live, this.room.height);
  }

  /** From where on the room lies. */
  get top() { return this.lanes.between?.top ?? 0; }

  /** Where the curve is, in px of the canvas. */
  get curve() { return { top: this.top + this.room.curve.top, height: this.room.curve.height }; }

  /** @param {string} ink */
  drawBetween(ink) {
    this._drawCurve(ink);
    this._drawPauses(ink);
    this._lab.rows.forEach((row, n) => {
      const { top, height } = this.room.rows[n];
      this._drawTurnsOf(row, this.top + top, height, ink);
    });
    this._context.restore(); // names lie left of what is clipped
    this._context.save();
    this._drawNames(ink);
    this._context.beginPath();
    this._context.rect(this.gutter, 0, this.plotWidth, this.lanes.height);
    this._context.clip();
    this._drawn();
  }

  /** @param {string} ink */
  _drawCurve(ink) {
    const { _lab: lab, _context: context, curve } = this;
    const width = this.pixels;
    const scale = this.plotWidth / width;
    const columns = curveColumns(lab.frames, lab.base, lab.stretches, this.shown, width);
    this._fill(this.gutter, curve.top, this.plotWidth, 1, ink, 0.15);
    this._fill(this.gutter, curve.top + curve.height, this.plotWidth, 1, ink, 0.3);
    const threshold = this._threshold();
    const line = threshold === null ? Infinity : 255 * threshold;
    context.fillStyle = LAB_COLOURS.curve;
    for (const above of [false, true]) {
      context.globalAlpha = above ? 0.9 : 0.4;
      context.beginPath();
      columns.forEach((value, x) => {
        if (value < 0 || value >= line !== above) return;
        const y = heightOf(value / 255, curve);
        context.rect(this.gutter + x * scale, y, scale, curve.top + curve.height - y);
      });
      context.fill();
    }
    context.globalAlpha = 1;
    if (threshold === null) return;
    this._dashed(heightOf(exitThreshold(threshold, lab.facts.hysteresis), curve), ink, [1, 3], 0.7);
    this._dashed(heightOf(threshold, curve), ink, [6, 3], 1);
  }

  /** How likely a turn is over at its pauses: filled where it ends there. @param {string} ink */
  _drawPauses(ink) {
    const { curve, _context: context, _lab: lab } = this;
    let free = -Infinity;
    for (const [at, probability, complete] of lab.pauses) {
      const t = momentOf(lab.stretches, at, true);
      if (t < this.shown.start || t > this.shown.end) continue;
      const [x, y] = [this.xOf(t), heightOf(probability, curve)];
      this._fill(x - 0.5, y, 1, curve.top + curve.height - y, ink, 0.6);
      context.beginPath();
      context.arc(x, y, 4, 0, 2 * Math.PI);
      context.fillStyle = complete ? PAUSE_COLOURS.ends : "#fff";
      context.strokeStyle = complete ? PAUSE_COLOURS.ends : PAUSE_COLOURS.waits;
      context.lineWidth = 1.5;
      context.fill();
      context.stroke();
      if (x < free) continue;
      free = x + PAUSE_ROOM;
      this._write(probability.toFixed(2), x + 6, Math.min(Math.max(y, curve.top + 6), curve.top + curve.height - 6), ink, 0.9);
    }
  }

  /** @param {number} y @param {string} ink @param {number[]} dashes @param {number} alpha */
  _dashed(y, ink, dashes, alpha) {
    const context = this._context;
    context.globalAlpha = alpha;
    context.strokeStyle = ink;
    context.lineWidth = 1.25;
    context.setLineDash(dashes);
    context.beginPath();
    context.moveTo(this.gutter, y);
    context.lineTo(this.width, y);
    context.stroke();
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  /** A row's turns: speech whole, its padding before and the window after it lighter, and so is a
   * pause of the microphone in the midst of a turn.
   * @param {LabRow} row @param {number} y @param {number} height @param {string} ink */
  _drawTurnsOf(row, y, height, ink) {
    const colour = row.grey ? LAB_COLOURS.grey : LAB_COLOURS[row.kind];
    this._fill(this.gutter, y + height / 2, this.plotWidth, 1, ink, 0.12);
    for (const [start, onset, offset, end] of this._lab.turns(row.id)) {
      this._drawPart(start, end, y + 2, height - 4, colour, PADDING_ALPHA, Infinity);
      if (onset !== null && offset !== null) this._drawPart(onset, offset, y + 2, height - 4, colour, row.grey ? 0.55 : 0.95, STALL_S);
      for (const edge of [momentOf(this._lab.stretches, start), momentOf(this._lab.stretches, end, true)]) {
        this._fill(this.xOf(edge) - 0.5, y + 1, 1, height - 2, colour, 0.8);
      }
    }
  }

  /** @param {number} fromMs @param {number} toMs @param {number} y @param {number} height @param {string} colour @param {number} alpha
   * @param {number} through gaps of so many seconds */
  _drawPart(fromMs, toMs, y, height, colour, alpha, through) {
    if (!(toMs > fromMs)) return;
    for (const { start, end } of placesOf(this._lab.stretches, fromMs, toMs, through)) {
      if (end < this.shown.start || start > this.shown.end) continue;
      this._fill(this.xOf(start), y, Math.max(1, this.xOf(end) - this.xOf(start)), height, colour, alpha);
    }
  }

  /** @param {string} ink */
  _drawNames(ink) {
    const { curve, _context: context } = this;
    this._write("P(speech)", 2, curve.top + 8, ink, 0.8);
    const threshold = this._threshold();
    if (threshold !== null) {
      context.textAlign = "right";
      const y = Math.max(curve.top + 20, heightOf(threshold, curve));
      this._write(threshold.toFixed(2), this.gutter - 5, y, ink, 1);
      context.textAlign = "left";
    }
    this._lab.rows.forEach((row, n) => {
      const middle = this.top + this.room.rows[n].top + this.room.rows[n].height / 2;
      const count = String(row.turns);
      const room = this.gutter - 10 - context.measureText(count).width;
      this._write(shortened(row.name, room, (text) => context.measureText(text).width), 2, middle, ink, row.grey ? 0.55 : 0.9);
      context.textAlign = "right";
      this._write(count, this.gutter - 5, middle, ink, row.grey ? 0.55 : 0.9);
      context.textAlign = "left";
    });
  }

  /** What is under the pointer. @param {number} x @param {number} y */
  wordsAt(x, y) {
    const { curve, _lab: lab } = this;
    if (!this.lanes.between || y < this.top || y >= this.top + this.room.height) return super.wordsAt(x, y);
    if (y < curve.top + curve.height) {
      const pause = this._pauseAt(x);
      if (pause) return `${clockText(this.timeAt(x), 2)} · a pause: the turn is over with probability ${pause[1].toFixed(2)}, ${pause[2] ? "and ends" : "and goes on"}`;
      const frame = Math.floor(positionAt(lab.stretches, this.timeAt(x)) / 32) - lab.base;
      const value = lab.frames[frame];
      return value === undefined || x < this.gutter ? "" : `${clockText(this.timeAt(x), 2)} · speech with probability ${(value / 255).toFixed(2)}`;
    }
    const n = this.room.rows.findIndex(({ top, height }) => y >= this.top + top && y < this.top + top + height);
    return n < 0 ? "" : this._rowWords(lab.rows[n], this.timeAt(x));
  }

  /** The judged pause at a place. @param {number} x */
  _pauseAt(x) {
    const { pauses, stretches } = this._lab;
    return pauses.find(([at]) => Math.abs(this.xOf(momentOf(stretches, at, true)) - x) <= 4);
  }

  /** @param {LabRow} row @param {number} t */
  _rowWords(row, t) {
    const words = `${row.name}${row.words ? ` (${row.words})` : ""}: ${counted(row.turns, "turn")}`;
    const at = positionAt(this._lab.stretches, t);
    const turn = this._lab.turns(row.id).find(([start, , , end]) => at >= start && at <= end);
    if (!turn) return words;
    const [start, onset, offset, end] = turn;
    const known = onset === null || offset === null ? `${start}–${end} ms, where speech was in it is not told`
      : `speech ${onset}–${offset} ms, padding ${onset - start} ms, window ${end - offset} ms`;
    return `${words} · ${known}`;
  }

  inWords() {
    const rows = this._lab.rows.map((row) => `${row.name} ${counted(row.turns, "turn")}`);
    return `VAD lab. ${rows.join(", ")}${rows.length > 0 ? ". " : ""}${super.inWords()}`;
  }
}

/** A name, cut where there is no room for it. @param {string} name @param {number} room
 * @param {(text: string) => number} widthOf */
export function shortened(name, room, widthOf) {
  if (widthOf(name) <= room) return name;
  let length = name.length - 1;
  while (length > 1 && widthOf(`${name.slice(0, length)}…`) > room) length -= 1;
  return `${name.slice(0, length)}…`;
}
