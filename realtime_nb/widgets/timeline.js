// @ts-check
/**
 * The timeline: a canvas on which Python's clips (outlines of audio, 100 points a second) and marks
 * are drawn. Its colours are those of realtime_nb/plots.py.
 *
 * @typedef {object} Clip
 * @property {number} id
 * @property {"user" | "agent"} lane
 * @property {number} start Seconds since the session began.
 * @property {number | null} heard Seconds of it that were played; null: up to now.
 * @property {Int16Array} points Lowest and highest sample in turn; room for more than there are.
 * @property {number} count
 *
 * @typedef {object} Mark
 * @property {string} id
 * @property {"speech" | "call" | "error"} kind
 * @property {number} t_s
 * @property {number | null} end_s
 * @property {number | null} [onset_s]
 * @property {number | null} [offset_s]
 * @property {string} [name]
 *
 * @typedef {{start: number, end: number}} Range In seconds.
 */
import { element, view } from "./view.js";

export const POINTS_PER_S = 100;
const COLOURS = {
  user: "#1A7FC1", speech: "#56B4E9", agent: "#D55E00", call: "#009E73", error: "#CC79A7",
};
const SPEECH_ALPHA = 0.25;
const UNHEARD_ALPHA = 0.35;
const QUIET = 0.05 * 32_768;
const MAX_POINTS = 3600 * POINTS_PER_S * 2;
const LIVE_WINDOW_S = 20;
const SHORTEST_S = 0.5;
const LONGEST_WAIT_S = 0.5;
const FRAME_MS = 50;
const LANES = { user: { top: 4, height: 52 }, agent: { top: 60, height: 52 }, tools: { top: 116, height: 22 } };
const HEIGHT = 160;
const GUTTER = 44;
const TICKS_S = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600];
const FONT = "11px var(--jp-ui-font-family, system-ui, sans-serif)";

/**
 * The lowest and the highest point of a clip in each pixel column; NaN where it has none.
 *
 * @param {Clip} clip
 * @param {Range} range
 * @param {number} width
 */
export function columns(clip, range, width) {
  const low = new Float32Array(width).fill(NaN);
  const high = new Float32Array(width).fill(NaN);
  const perPixel = ((range.end - range.start) / width) * POINTS_PER_S;
  const offset = (range.start - clip.start) * POINTS_PER_S;
  const first = Math.max(0, Math.floor(-offset / perPixel));
  const last = Math.min(width, Math.ceil((clip.count - offset) / perPixel));
  for (let x = first; x < last; x++) {
    const from = Math.max(0, Math.floor(offset + x * perPixel));
    const to = Math.min(clip.count, Math.max(from + 1, Math.floor(offset + (x + 1) * perPixel)));
    if (from >= to) continue;
    let least = clip.points[2 * from];
    let most = clip.points[2 * from + 1];
    for (let at = from + 1; at < to; at++) {
      if (clip.points[2 * at] < least) least = clip.points[2 * at];
      if (clip.points[2 * at + 1] > most) most = clip.points[2 * at + 1];
    }
    low[x] = least;
    high[x] = most;
  }
  return { low, high };
}

/** Zooms about a moment, and stays within the session. @param {Range} range @param {number} factor
 * @param {number} at @param {number} duration @returns {Range} */
export function zoomed(range, factor, at, duration) {
  const longest = Math.max(duration, SHORTEST_S);
  const span = Math.min(longest, Math.max(SHORTEST_S, (range.end - range.start) * factor));
  const share = (at - range.start) / (range.end - range.start);
  return within({ start: at - share * span, end: at + (1 - share) * span }, duration);
}

/** Moves a range into the session, keeping its length. @param {Range} range
 * @param {number} duration @returns {Range} */
export function within(range, duration) {
  const span = range.end - range.start;
  const start = Math.max(0, Math.min(range.start, Math.max(0, duration - span)));
  return { start, end: start + span };
}

/** How far apart ticks are. @param {number} span @param {number} width */
export function tickStep(span, width) {
  const most = Math.max(2, width / 64);
  return TICKS_S.find((step) => span / step <= most) ?? TICKS_S[TICKS_S.length - 1];
}

/** @param {number} seconds @param {number} step */
export function timeText(seconds, step) {
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  const minutes = Math.floor(seconds / 60 + 1e-9);
  const rest = Math.max(0, seconds - minutes * 60).toFixed(digits);
  return `${minutes}:${rest.padStart(digits > 0 ? digits + 3 : 2, "0")}`;
}

/** @param {number} seconds */
export function lengthText(seconds) {
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

/** How much of a clip was played by now, in seconds. @param {Clip} clip @param {number} now
 * @param {boolean} live */
export function heardSeconds(clip, now, live) {
  if (clip.lane === "user") return Infinity;
  return clip.heard ?? (live ? now - clip.start : Infinity);
}

/** @param {(message: object) => void} send */
function createStore(send) {
  /** @type {Map<number, Clip>} */
  const clips = new Map();
  /** @type {Map<string, Mark>} */
  const marks = new Map();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const peaks = { user: QUIET, agent: QUIET };
  let live = true;
  let now = 0;
  let base = -Infinity;  // of the session's clock over the page's

  /** @param {any} facts @param {Int16Array} points */
  function addClip({ id, lane, start_s, heard_s }, points) {
    /** @type {Clip} */
    const clip = clips.get(id) ?? {
      id, lane, start: start_s, heard: heard_s, points: new Int16Array(2_000), count: 0,
    };
    clip.start = start_s;
    clip.heard = heard_s;
    const wanted = 2 * clip.count + points.length;
    if (wanted > clip.points.length) {
      const larger = new Int16Array(Math.max(wanted, clip.points.length * 2));
      larger.set(clip.points.subarray(0, 2 * clip.count));
      clip.points = larger;
    }
    clip.points.set(points, 2 * clip.count);
    clip.count += points.length / 2;
    clips.set(id, clip);
    const side = clip.lane;
    for (const value of points) peaks[side] = Math.max(peaks[side], Math.abs(value));
  }

  function dropOldest() {
    let total = 0;
    for (const clip of clips.values()) total += clip.count;
    for (const [id, clip] of clips) {
      if (total <= MAX_POINTS || clips.size === 1) return;
      total -= clip.count;
      clips.delete(id);
    }
  }

  /** Up to when time goes on without a message: a moment, and while the agent is heard. */
  function horizon() {
    let end = now + LONGEST_WAIT_S;
    for (const { lane, heard, start, count } of clips.values()) {
      if (lane === "agent" && heard === null) end = Math.max(end, start + count / POINTS_PER_S);
    }
    return end;
  }

  return {
    clips,
    marks,
    watchers,
    peaks,
    get live() { return live; },
    /** Whether time goes on. */
    get moving() { return live && base + performance.now() / 1000 < horizon(); },
    /** The present on the session's clock. */
    get now() {
      return live ? Math.max(now, Math.min(base + performance.now() / 1000, horizon())) : now;
    },
    /** @param {number} t_s */
    click: (t_s) => send({ kind: "click", t_s }),
    /** @param {any} message @param {DataView[]} buffers */
    onMessage(message, buffers) {
      if (message.kind === "reset") {
        clips.clear();
        marks.clear();
        peaks.user = peaks.agent = QUIET;
        now = 0;
        base = -Infinity;
      } else if (message.kind !== "more") return;
      live = message.live;
      const { buffer, byteOffset, byteLength } = buffers[0] ?? new DataView(new ArrayBuffer(0));
      const all = new Int16Array(buffer.slice(byteOffset, byteOffset + byteLength));
      let at = 0;
      for (const clip of message.clips) {
        addClip(clip, all.subarray(at, at + 2 * clip.count));
        at += 2 * clip.count;
      }
      for (const mark of message.marks) marks.set(mark.id, mark);
      dropOldest();
      if (message.now_s > now) {
        // Messages are late by this much or that; the least late ones tell the time.
        base = Math.max(base - 0.002, message.now_s - performance.now() / 1000);
      }
      now = message.now_s;
      for (const watcher of watchers) watcher();
    },
  };
}

/**
 * @param {ReturnType<typeof createStore>} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const canvas = element("canvas", {
    class: "rtnb-canvas", tabindex: "0", role: "img", "data-lm-suppress-shortcuts": "true",
  });
  const status = element("span", { class: "rtnb-note rtnb-timeline-status" });
  const liveButton = element("button", { type: "button", class: "rtnb-button", text: "Live", hidden: true });
  const out = element("button", {
    type: "button", class: "rtnb-button", text: "−", title: "Show more time (−)", "aria-label": "Zoom out",
  });
  const into = element("button", {
    type: "button", class: "rtnb-button", text: "+", title: "Show less time (+)", "aria-label": "Zoom in",
  });
  const whole = element("button", { type: "button", class: "rtnb-button", text: "All", title: "Show all (0)" });
  el.replaceChildren(
    element("div", { class: "rtnb rtnb-timeline" }, canvas,
      element("div", { class: "rtnb-toolbar" }, status, liveButton, out, into, whole)),
  );
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));

  let span = LIVE_WINDOW_S;
  /** @type {Range | null} Chosen by hand; null: the end while live, else everything. */
  let chosen = null;
  /** @type {number | null} */
  let cursor = null;
  let frame = 0;
  let drawnAt = -Infinity;
  let width = 0;

  /** @returns {Range} */
  function range() {
    if (chosen) return chosen;
    if (!store.live) return { start: 0, end: Math.max(store.now, 0.1) };
    return { start: store.now - span, end: store.now };
  }

  const plotWidth = () => Math.max(1, width - GUTTER);
  /** @param {number} t @param {Range} shown */
  const xOf = (t, shown) => GUTTER + ((t - shown.start) / (shown.end - shown.start)) * plotWidth();
  /** @param {number} x */
  function timeAt(x) {
    const shown = range();
    return shown.start + ((x - GUTTER) / plotWidth()) * (shown.end - shown.start);
  }

  // --- drawing ---

  function schedule() {
    if (frame === 0) frame = requestAnimationFrame(onFrame);
  }

  /** @param {number} time */
  function onFrame(time) {
    frame = 0;
    if (!store.moving || time - drawnAt >= FRAME_MS) {
      drawnAt = time;
      draw();
    }
    if (store.moving) schedule();
  }

  function draw() {
    if (width === 0) return;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(HEIGHT * scale);
    }
    const style = getComputedStyle(canvas);
    const shown = range();
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    context.font = FONT.replace(/var\(.*\)/, style.fontFamily);
    context.textBaseline = "middle";
    drawAxis(shown, style.color);
    context.save();
    context.beginPath();
    context.rect(GUTTER, 0, plotWidth(), HEIGHT);
    context.clip();
    for (const mark of store.marks.values()) if (mark.kind === "speech") drawSpeech(mark, shown);
    for (const lane of /** @type {const} */ (["user", "agent"])) drawLane(lane, shown);
    drawTools(shown, style.color);
    if (cursor !== null) fill(xOf(cursor, shown) - 0.5, 0, 1, HEIGHT - 18, style.color, 0.8);
    context.restore();
    liveButton.hidden = !store.live || chosen === null;
    describe(shown);
  }

  /** @param {Range} shown @param {string} colour */
  function drawAxis(shown, colour) {
    const step = tickStep(shown.end - shown.start, plotWidth());
    context.textAlign = "center";
    for (let n = Math.max(0, Math.ceil(shown.start / step)); n * step <= shown.end; n++) {
      const x = xOf(n * step, shown);
      fill(x, 0, 1, HEIGHT - 20, colour, 0.12);
      const text = timeText(n * step, step);
      const half = context.measureText(text).width / 2;
      if (x - half >= GUTTER - 14 && x + half <= width) write(text, x, HEIGHT - 9, colour, 0.7);
    }
    context.textAlign = "left";
    for (const [name, lane] of [["you", LANES.user], ["agent", LANES.agent], ["tools", LANES.tools]]) {
      const { top, height } = /** @type {{top: number, height: number}} */ (lane);
      write(String(name), 2, top + height / 2, colour, 0.8);
    }
  }

  /** @param {Mark} mark @param {Range} shown */
  function drawSpeech(mark, shown) {
    const { top, height } = LANES.user;
    const end = mark.end_s ?? store.now;
    const x = xOf(mark.t_s, shown);
    fill(x, top, xOf(end, shown) - x, height, COLOURS.speech, SPEECH_ALPHA);
    if (mark.onset_s === null || mark.onset_s === undefined) return;
    const onset = xOf(mark.onset_s, shown);
    const offset = xOf(Math.min(end, mark.offset_s ?? end), shown);
    fill(onset, top, offset - onset, height, COLOURS.speech, SPEECH_ALPHA);
  }

  /** @param {"user" | "agent"} lane @param {Range} shown */
  function drawLane(lane, shown) {
    const { top, height } = LANES[lane];
    const middle = top + height / 2;
    const gain = height / 2 / store.peaks[lane];
    fill(GUTTER, middle, plotWidth(), 1, COLOURS[lane], 0.25);
    const inLane = [...store.clips.values()].filter((clip) => clip.lane === lane);
    const seen = inLane.filter((clip) =>
      clip.start < shown.end && clip.start + clip.count / POINTS_PER_S > shown.start);
    // What was not heard comes first, so that it covers nothing that was.
    for (const wanted of ["unheard", "heard"]) {
      for (const clip of seen) {
        const heard = clip.start + heardSeconds(clip, store.now, store.live);
        const room = wanted === "heard" ? heard : nextStart(inLane, heard);
        const from = wanted === "heard" ? clip.start : heard;
        drawWave(clip, shown, { start: from, end: room }, middle, gain, wanted === "heard" ? 1 : UNHEARD_ALPHA);
      }
    }
  }

  /** When the next clip of that lane begins. @param {Clip[]} clips @param {number} t */
  function nextStart(clips, t) {
    let next = Infinity;
    for (const { start, heard } of clips) {
      if (start > t + 0.01 && heard !== 0) next = Math.min(next, start);
    }
    return next;
  }

  /**
   * @param {Clip} clip
   * @param {Range} shown
   * @param {Range} part Of the clip.
   * @param {number} middle
   * @param {number} gain
   * @param {number} alpha
   */
  function drawWave(clip, shown, part, middle, gain, alpha) {
    if (part.end <= shown.start || part.start >= shown.end || part.end <= part.start) return;
    const { low, high } = columns(clip, shown, Math.ceil(plotWidth()));
    const first = Math.max(0, Math.round(xOf(part.start, shown) - GUTTER));
    const last = Math.min(low.length, Math.round(xOf(Math.min(part.end, shown.end), shown) - GUTTER));
    context.globalAlpha = alpha;
    context.fillStyle = COLOURS[clip.lane];
    context.beginPath();
    for (let x = first; x < last; x++) {
      if (Number.isNaN(low[x])) continue;
      const y = middle - high[x] * gain;
      context.rect(GUTTER + x, y, 1, Math.max(1, (high[x] - low[x]) * gain));
    }
    context.fill();
    context.globalAlpha = 1;
  }

  /** @param {Range} shown @param {string} colour */
  function drawTools(shown, colour) {
    const { top, height } = LANES.tools;
    const middle = top + height / 2;
    let free = GUTTER;
    for (const mark of store.marks.values()) {
      const x = xOf(mark.t_s, shown);
      if (mark.kind === "error") drawCross(x, middle);
      if (mark.kind !== "call") continue;
      const end = mark.end_s ?? store.now;
      const right = xOf(Math.max(mark.t_s, end), shown);
      fill(x, middle - 4, Math.max(2, right - x), 8, COLOURS.call, mark.end_s === null ? 0.4 : 1);
      const text = `${mark.name}, ${mark.end_s === null ? "no output" : lengthText(end - mark.t_s)}`;
      const left = Math.max(GUTTER, right + 4);
      const room = context.measureText(text).width;
      if (x < free || right < GUTTER || left + room > width) continue;
      write(text, left, middle, colour, 0.9);
      free = left + room + 6;
    }
  }

  /** @param {number} x @param {number} y */
  function drawCross(x, y) {
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
  function fill(x, y, w, h, colour, alpha) {
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillRect(x, y, w, h);
    context.globalAlpha = 1;
  }

  /** @param {string} text @param {number} x @param {number} y @param {string} colour
   * @param {number} alpha */
  function write(text, x, y, colour, alpha) {
    context.globalAlpha = alpha;
    context.fillStyle = colour;
    context.fillText(text, x, y);
    context.globalAlpha = 1;
  }

  // --- words ---

  let described = "";
  /** @param {Range} shown */
  function describe(shown) {
    const counts = { speech: 0, call: 0, error: 0 };
    for (const { kind } of store.marks.values()) counts[kind] += 1;
    const text = `Timeline, ${timeText(Math.max(0, Math.floor(shown.start)), 1)} to ${timeText(Math.max(0, Math.floor(shown.end)), 1)}: ${counts.speech} stretches of speech, ${counts.call} function calls, ${counts.error} errors. Arrow keys move, plus and minus zoom.`;
    if (text === described) return;
    described = text;
    canvas.setAttribute("aria-label", text);
  }

  /** What is under the pointer. @param {number} x @param {number} y */
  function wordsAt(x, y) {
    const t = timeAt(x);
    if (x < GUTTER || t < 0) return "";
    const reach = (range().end - range().start) * (5 / plotWidth());
    const where = `${timeText(t, 0.05)}`;
    const lane = y < LANES.agent.top ? "speech" : "";
    for (const mark of [...store.marks.values()].reverse()) {
      const end = mark.end_s ?? (mark.kind === "error" ? mark.t_s : store.now);
      if (t < mark.t_s - reach || t > end + reach) continue;
      if (mark.kind === "speech" && lane === "speech") {
        return `${where} · speech, ${lengthText(end - mark.t_s)} with padding`;
      }
      if (mark.kind === "call" && y >= LANES.tools.top) return `${where} · ${mark.name}, ${lengthText(end - mark.t_s)}`;
      if (mark.kind === "error" && y >= LANES.tools.top) return `${where} · error${mark.name ? `: ${mark.name}` : ""}`;
    }
    return where;
  }

  // --- moving ---

  /** @param {Range} wanted */
  function choose(wanted) {
    const duration = Math.max(store.now, 0.1);
    chosen = within(wanted, duration);
    span = chosen.end - chosen.start;
    if (store.live && chosen.end >= store.now - 0.05) chosen = null;
    schedule();
  }

  /** @param {number} factor @param {number} [at] */
  function zoom(factor, at) {
    const shown = range();
    const moment = at ?? (store.live && chosen === null ? shown.end : (shown.start + shown.end) / 2);
    choose(zoomed(shown, factor, moment, Math.max(store.now, store.live ? LIVE_WINDOW_S : 0)));
  }

  function showAll() {
    chosen = store.live ? { start: 0, end: Math.max(store.now, SHORTEST_S) } : null;
    span = LIVE_WINDOW_S;
    schedule();
  }

  /** @param {number} share Of what is in sight. */
  function move(share) {
    const shown = range();
    const by = (shown.end - shown.start) * share;
    choose({ start: shown.start + by, end: shown.end + by });
  }

  out.addEventListener("click", () => zoom(2), { signal });
  into.addEventListener("click", () => zoom(0.5), { signal });
  whole.addEventListener("click", showAll, { signal });
  liveButton.addEventListener("click", () => {
    chosen = null;
    schedule();
  }, { signal });

  canvas.addEventListener("wheel", (event) => {
    // A page that is scrolled over the canvas must not get stuck in it.
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!sideways && !event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    if (sideways) move((event.deltaX || event.deltaY) / plotWidth());
    else zoom(Math.exp(event.deltaY * 0.002), timeAt(event.offsetX));
  }, { signal, passive: false });

  /** @type {{x: number, shown: Range, moved: boolean} | null} */
  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    drag = { x: event.offsetX, shown: range(), moved: false };
    canvas.setPointerCapture(event.pointerId);
  }, { signal });
  canvas.addEventListener("pointermove", (event) => {
    if (drag === null) {
      status.textContent = wordsAt(event.offsetX, event.offsetY);
      return;
    }
    const by = event.offsetX - drag.x;
    if (!drag.moved && Math.abs(by) < 4) return;
    drag.moved = true;
    const { start, end } = drag.shown;
    const seconds = (by / plotWidth()) * (end - start);
    choose({ start: start - seconds, end: end - seconds });
  }, { signal });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved && event.offsetX >= GUTTER) {
      cursor = Math.max(0, timeAt(event.offsetX));
      status.textContent = wordsAt(event.offsetX, event.offsetY);
      store.click(cursor);
      schedule();
    }
    drag = null;
  }, { signal });
  canvas.addEventListener("pointercancel", () => { drag = null; }, { signal });
  canvas.addEventListener("pointerleave", () => { status.textContent = ""; }, { signal });

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = range();
    const length = shown.end - shown.start;
    if (event.key === "ArrowLeft") move(-0.1);
    else if (event.key === "ArrowRight") move(0.1);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "0") showAll();
    else if (event.key === "Home") choose({ start: 0, end: length });
    else if (event.key === "End") choose({ start: store.now - length, end: store.now });
    else return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });

  const sizes = new ResizeObserver(() => {
    width = canvas.clientWidth;
    schedule();
  });
  sizes.observe(canvas);
  const themes = new MutationObserver(schedule);
  themes.observe(document.body, { attributes: true });
  themes.observe(document.documentElement, { attributes: true });
  store.watchers.add(schedule);
  signal.addEventListener("abort", () => {
    store.watchers.delete(schedule);
    sizes.disconnect();
    themes.disconnect();
    cancelAnimationFrame(frame);
  });
}

export default view(createStore, createView);
