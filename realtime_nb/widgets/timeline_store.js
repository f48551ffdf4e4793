// @ts-check
/**
 * What the page knows of a session: waves and marks as Python sends them, the selection, the sound.
 *
 * @typedef {import("./timeline_math.js").Wave} Wave
 * @typedef {import("./timeline_math.js").Mark} Mark
 * @typedef {import("./timeline_math.js").Range} Range
 * @typedef {import("./timeline_math.js").Detail} Detail
 * @typedef {ReturnType<typeof createStore>} Store
 */
import { SOUND_RATE, covers, detailWanted } from "./timeline_math.js";
import { SoundPlayer, numbersOf } from "./timeline_player.js";

const QUIET = 0.05 * 32_768;
const MAX_POINTS = 3600 * 100 * 2;
const LONGEST_WAIT_S = 0.5;
const DETAIL_DUE_MS = 3_000;

/** @param {(message: object) => void} send */
export function createStore(send) {
  /** @type {Map<number, Wave>} */
  const waves = new Map();
  /** @type {Map<string, Mark>} */
  const marks = new Map();
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const peaks = { user: QUIET, agent: QUIET };
  let live = true;
  let audible = false;
  let clips = false;
  let saved = "";  // what came of saving, in words
  let begin = 0;  // of what is shown; below 0 where something was said before the session
  let now = 0;
  let base = -Infinity;  // of the session's clock over the page's
  let rate = Infinity;  // of the coarsest wave
  /** @type {Range | null} */
  let selection = null;
  /** @type {Detail | null} */
  let detail = null;
  let detailAsked = 0;  // when, in ms; 0: none is asked for

  const tell = () => { for (const watcher of watchers) watcher(); };
  const player = new SoundPlayer(send, tell);

  /** @param {any} facts @param {Int16Array} points @returns {Wave} */
  function newWave({ id, lane, start_s, heard_s, step }, points) {
    return { id, lane, start: start_s, heard: heard_s, rate: SOUND_RATE / step, points, count: points.length / 2 };
  }

  /** @param {any} facts @param {Int16Array} points */
  function addWave(facts, points) {
    const wave = waves.get(facts.id) ?? newWave(facts, new Int16Array(0));
    wave.start = facts.start_s;
    wave.heard = facts.heard_s;
    const wanted = 2 * wave.count + points.length;
    if (wanted > wave.points.length) {
      const larger = new Int16Array(Math.max(wanted, wave.points.length * 2));
      larger.set(wave.points.subarray(0, 2 * wave.count));
      wave.points = larger;
    }
    wave.points.set(points, 2 * wave.count);
    wave.count += points.length / 2;
    waves.set(wave.id, wave);
    rate = Math.min(rate, wave.rate);
    for (const value of points) peaks[wave.lane] = Math.max(peaks[wave.lane], Math.abs(value));
  }

  function dropOldest() {
    let total = 0;
    for (const wave of waves.values()) total += wave.count;
    for (const [id, wave] of waves) {
      if (total <= MAX_POINTS || waves.size === 1) return;
      total -= wave.count;
      waves.delete(id);
    }
  }

  /** Up to when time goes on without a message: a moment, and while the agent is heard. */
  function horizon() {
    let end = now + LONGEST_WAIT_S;
    for (const wave of waves.values()) {
      if (wave.lane === "agent" && wave.heard === null) {
        end = Math.max(end, wave.start + wave.count / wave.rate);
      }
    }
    return end;
  }

  function forget() {
    waves.clear();
    marks.clear();
    player.stop();
    peaks.user = peaks.agent = QUIET;
    begin = now = 0;
    base = -Infinity;
    rate = Infinity;
    detail = null;
    detailAsked = 0;
  }

  /** @param {any} message @param {Int16Array} points */
  function takeChanges(message, points) {
    live = message.live;
    audible = message.audible;
    clips = message.clips;
    begin = message.begin_s;
    let at = 0;
    for (const wave of message.waves) {
      addWave(wave, points.subarray(at, at + 2 * wave.count));
      at += 2 * wave.count;
    }
    for (const mark of message.marks) marks.set(mark.id, mark);
    dropOldest();
    if (message.now_s > now) {
      // Messages are late by this much or that; the least late ones tell the time.
      base = Math.max(base - 0.002, message.now_s - performance.now() / 1000);
    }
    now = message.now_s;
  }

  /** @param {any} message @param {Int16Array} points */
  function takeDetail({ start_s, end_s, step, waves: parts }, points) {
    let at = 0;
    detail = { start: start_s, end: end_s, rate: SOUND_RATE / step, waves: [] };
    for (const part of parts) {
      detail.waves.push(newWave({ ...part, step }, points.subarray(at, at + 2 * part.count)));
      at += 2 * part.count;
    }
    detailAsked = 0;
  }

  return {
    marks,
    watchers,
    peaks,
    player,
    get live() { return live; },
    /** Whether the session can be listened to. */
    get audible() { return audible; },
    /** Whether parts of it can be had in Python. */
    get clips() { return clips; },
    get saved() { return saved; },
    save() {
      saved = "Saving…";
      send({ kind: "save" });
      tell();
    },
    /** Whether time goes on. */
    get moving() {
      return player.state === "playing" || (live && base + performance.now() / 1000 < horizon());
    },
    /** The present on the session's clock; of a recording, its end. */
    get now() {
      return live ? Math.max(now, Math.min(base + performance.now() / 1000, horizon())) : now;
    },
    /** From when to when there is anything. @returns {Range} */
    get whole() { return { start: begin, end: this.now }; },
    get selection() { return selection; },
    /** @param {Range | null} range @param {boolean} final Whether the kernel is to know it. */
    select(range, final) {
      selection = range;
      saved = "";
      if (final) send({ kind: "select", range: range && [range.start, range.end] });
      tell();
    },
    /** @param {number} t_s */
    click: (t_s) => send({ kind: "click", t_s }),
    /** The waves to draw, the finest that are there. @param {Range} shown @returns {Wave[]} */
    waves(shown) {
      return detail && covers(detail, shown, { start: begin, end: now }) && detail.rate > rate ? detail.waves : [...waves.values()];
    },
    /** Asks for finer waves, if they are worth it. @param {Range} shown @param {number} pixels */
    refine(shown, pixels) {
      if (!audible || (detailAsked && performance.now() - detailAsked < DETAIL_DUE_MS)) return;
      const wanted = detailWanted(shown, pixels, rate, detail, { start: begin, end: now });
      if (wanted === null) return;
      detailAsked = performance.now();
      send({ kind: "detail", start_s: wanted.start, end_s: wanted.end, points: wanted.points });
    },
    close: () => player.close(),
    /** @param {any} message @param {DataView[]} buffers */
    onMessage(message, buffers) {
      const content = numbersOf(buffers);
      if (message.kind === "audio") {
        player.onBlock(message, content);
        return;
      }
      if (message.kind === "saved") saved = message.words;
      else if (message.kind === "detail") takeDetail(message, content);
      else if (message.kind === "reset") {
        forget();
        selection = message.selection && { start: message.selection[0], end: message.selection[1] };
        takeChanges(message, content);
      } else if (message.kind === "more") takeChanges(message, content);
      tell();
    },
  };
}
