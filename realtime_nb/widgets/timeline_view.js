// @ts-check
/**
 * The timeline: what was said, heard and called on one axis, to zoom into, to listen to and to
 * select from. A click listens from there, a drag in the waves selects, one on the axis moves.
 *
 * @typedef {import("./timeline_math.js").Range} Range
 * @typedef {import("./timeline_store.js").Store} Store
 */
import { element, say } from "./view.js";
import { copyText } from "./copying.js";
import { SHORTEST_S, between, clipText, timeText, within, zoomed } from "./timeline_math.js";
import { Picture } from "./timeline_picture.js";

const LIVE_WINDOW_S = 20;
const FRAME_MS = 50;
const DRAG_PX = 4;
const OUTCOME_MS = 2_000;
const KEYS = "Arrow keys move, plus and minus zoom, shift with arrows selects";
const SOUND_KEYS = "space listens, escape stops";

/** @param {string} text @param {string} [title] @param {string} [label] */
function button(text, title = "", label = "") {
  return element("button", {
    type: "button", class: "rtnb-button", text, title, "aria-label": label || false,
  });
}

/** A stretch of time and its length, in words. @param {Range} range */
function rangeText({ start, end }) {
  return `${timeText(start, 0.05)} – ${timeText(end, 0.05)} · ${(end - start).toFixed(2)} s`;
}

/**
 * @param {Store} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 * @param {(canvas: HTMLCanvasElement, store: Store) => Picture} draws what is drawn; a timeline with
 *   more lanes has a picture of its own
 */
export function createTimelineView(store, el, signal, draws = (canvas, shown) => new Picture(canvas, shown)) {
  const { player } = store;
  const canvas = element("canvas", {
    class: "rtnb-canvas", tabindex: "0", role: "application", "aria-roledescription": "timeline",
  });
  const status = element("span", { class: "rtnb-note rtnb-timeline-status" });
  const listen = button("Listen", "Listen from the mark (space)");
  const stop = button("Stop", "Stop (Esc)");
  const selected = element("span", { class: "rtnb-note rtnb-timeline-range", role: "status" });
  const listenSelected = button("Listen to selection");
  const copy = button("", "Copy this line of Python");
  const save = button("Save", "Save both voices as a WAV file, beside the notebook");
  const clear = button("×", "Select nothing (Esc)", "Clear selection");
  const liveButton = button("Live");
  const out = button("−", "Show more time (−)", "Zoom out");
  const into = button("+", "Show less time (+)", "Zoom in");
  const whole = button("All", "Show all (0)");
  el.replaceChildren(
    element("div", { class: "rtnb rtnb-timeline" }, canvas,
      element("div", { class: "rtnb-toolbar" }, listen, stop, status, liveButton, out, into, whole),
      element("div", { class: "rtnb-toolbar rtnb-timeline-selection" }, listenSelected, copy, save, selected, clear)),
  );
  const selectionBar = /** @type {HTMLElement} */ (selected.parentElement);
  const picture = draws(canvas, store);

  let span = LIVE_WINDOW_S;
  /** @type {Range | null} Chosen by hand; null: the end while live, else everything. */
  let chosen = null;
  /** @type {number | null} */
  let cursor = null;
  let frame = 0;
  let drawnAt = -Infinity;
  let described = "";
  let outcome = ""; // of copying
  let wasLive = store.live;

  /** @returns {Range} */
  function range() {
    if (chosen) return chosen;
    if (!store.live) return atLeast(0.1);
    return { start: store.now - span, end: store.now };
  }

  /** All there is, and not less than so long. @param {number} length @returns {Range} */
  function atLeast(length) {
    const { start, end } = store.whole;
    return { start, end: Math.max(end, start + length) };
  }

  /** What has ended is shown whole, what begins at its end. */
  function onChange() {
    if (store.live !== wasLive) {
      wasLive = store.live;
      chosen = null;
      span = LIVE_WINDOW_S;
    }
    schedule();
  }

  // --- painting ---

  function schedule() {
    if (frame === 0) frame = requestAnimationFrame(onFrame);
  }

  /** @param {number} time */
  function onFrame(time) {
    frame = 0;
    if (!store.moving || time - drawnAt >= FRAME_MS) {
      drawnAt = time;
      paint();
    }
    if (store.moving) schedule();
  }

  function paint() {
    if (picture.width === 0) return;
    if (player.state === "playing") follow(player.position);
    const shown = range();
    picture.draw(shown, cursor, player.active ? player.position : null);
    store.refine(shown, picture.pixels);
    paintControls();
    const text = `${picture.inWords()} ${KEYS}${store.audible ? `, ${SOUND_KEYS}` : ""}.`;
    if (text === described) return;
    described = text;
    canvas.setAttribute("aria-label", text);
  }

  function paintControls() {
    const { selection } = store;
    liveButton.hidden = !store.live || chosen === null;
    listen.hidden = !store.audible;
    const label = player.state === "playing" || player.state === "waiting" ? "Pause" : "Listen";
    say(listen, label);
    stop.hidden = !player.active;
    listenSelected.hidden = !store.audible;
    selectionBar.hidden = selection === null;
    copy.hidden = save.hidden = !store.clips;
    say(copy, selection === null ? "" : `Copy ${clipText(selection)}`);
    say(selected, selection === null ? "" : store.saved || outcome || rangeText(selection));
    selected.title = store.saved;
    if (player.problem) status.textContent = player.problem;
    else if (player.active && !pointed) status.textContent = timeText(player.position, 0.5);
  }

  /** Keeps what is played in sight, page by page. @param {number} t */
  function follow(t) {
    if (chosen === null || pointers.size > 0 || (t >= chosen.start && t <= chosen.end)) return;
    const length = chosen.end - chosen.start;
    choose({ start: t - length * 0.05, end: t + length * 0.95 });
  }

  // --- what is in sight ---

  /** @param {Range} wanted */
  function choose(wanted) {
    chosen = within(wanted, atLeast(0.1));
    span = chosen.end - chosen.start;
    if (store.live && chosen.end >= store.now - 0.05) chosen = null;
    schedule();
  }

  /** @param {number} factor @param {number} [at] */
  function zoom(factor, at) {
    const shown = range();
    const marked = cursor !== null && cursor >= shown.start && cursor <= shown.end ? cursor : null;
    const middle = marked ?? (shown.start + shown.end) / 2;
    const moment = at ?? (store.live && chosen === null ? shown.end : middle);
    choose(zoomed(shown, factor, moment, atLeast(store.live ? LIVE_WINDOW_S : 0)));
  }

  function showAll() {
    chosen = store.live ? atLeast(SHORTEST_S) : null;
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

  // --- listening ---

  /** @param {number} t */
  function listenFrom(t) {
    if (store.audible && t < store.now) player.play({ start: Math.max(store.whole.start, t), end: store.now });
  }

  function toggleListening() {
    if (player.state === "paused") player.resume();
    else if (player.active) player.pause();
    else listenFrom(cursor !== null && cursor < store.now - 0.01 ? cursor : range().start);
  }

  listen.addEventListener("click", toggleListening, { signal });
  stop.addEventListener("click", () => player.stop(), { signal });
  listenSelected.addEventListener("click", () => {
    if (store.selection) player.play(store.selection);
  }, { signal });
  copy.addEventListener("click", async () => {
    const { selection } = store;
    if (selection === null) return;
    tellOutcome((await copyText(clipText(selection))) ? "Copied" : "Copying is not allowed here");
    copy.focus();
  }, { signal });
  save.addEventListener("click", () => store.save(), { signal });

  /** @param {string} words */
  function tellOutcome(words) {
    outcome = words;
    schedule();
    setTimeout(() => {
      outcome = "";
      if (!signal.aborted) schedule();
    }, OUTCOME_MS);
  }

  clear.addEventListener("click", () => {
    store.select(null, true);
    canvas.focus();
  }, { signal });

  // --- pointer ---

  /** @typedef {{x: number, t: number, shown: Range, moved: boolean, does: "select" | "move"}} Drag */
  /** @type {Drag | null} */
  let drag = null;
  /** @type {Map<number, number>} Where the pointers are that are down. */
  const pointers = new Map();
  let pointed = false;

  /** What is under the pointer; all of it in a tooltip, as the line may be short. @param {string} words */
  function tellWords(words) {
    say(status, words);
    canvas.title = status.scrollWidth > status.clientWidth || status.scrollHeight > status.clientHeight + 1 ? words : "";
  }

  canvas.addEventListener("wheel", (event) => {
    // A page that is scrolled over the canvas must not get stuck in it.
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!sideways && !event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    if (sideways) move((event.deltaX || event.deltaY) / picture.plotWidth);
    else zoom(Math.exp(event.deltaY * 0.002), picture.timeAt(event.offsetX));
  }, { signal, passive: false });

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, event.offsetX);
    canvas.setPointerCapture(event.pointerId);
    const shown = range();
    const does = event.offsetY >= picture.lanes.axisTop ? "move" : "select";
    if (drag?.moved && drag.does === "select") store.select(null, true);
    drag = pointers.size > 1 ? null
      : { x: event.offsetX, t: picture.timeAt(event.offsetX), shown, moved: false, does };
  }, { signal });

  canvas.addEventListener("pointermove", (event) => {
    pointed = event.pointerType === "mouse";
    if (pointers.size > 1) {
      pinch(event);
      return;
    }
    if (drag === null) {
      canvas.style.cursor = event.offsetY >= picture.lanes.axisTop ? "grab" : "crosshair";
      tellWords(picture.wordsAt(event.offsetX, event.offsetY));
      return;
    }
    const by = event.offsetX - drag.x;
    if (!drag.moved && Math.abs(by) < DRAG_PX) return;
    drag.moved = true;
    if (drag.does === "select") {
      store.select(between(drag.t, picture.timeAt(event.offsetX), store.whole), false);
      return;
    }
    const { start, end } = drag.shown;
    const seconds = (by / picture.plotWidth) * (end - start);
    choose({ start: start - seconds, end: end - seconds });
  }, { signal });

  canvas.addEventListener("pointerup", (event) => {
    pointers.delete(event.pointerId);
    if (drag?.moved && drag.does === "select") store.select(store.selection, true);
    else if (drag && !drag.moved && event.offsetX >= picture.gutter) {
      cursor = Math.max(store.whole.start, Math.min(store.now, picture.timeAt(event.offsetX)));
      tellWords(picture.wordsAt(event.offsetX, event.offsetY));
      store.click(cursor);
      listenFrom(cursor);
      schedule();
    }
    drag = null;
  }, { signal });
  canvas.addEventListener("pointercancel", (event) => {
    pointers.delete(event.pointerId);
    drag = null;
  }, { signal });
  canvas.addEventListener("pointerleave", () => {
    pointed = false;
    tellWords("");
    schedule();
  }, { signal });

  /** Two fingers: what is between them stays there. @param {PointerEvent} event */
  function pinch(event) {
    const before = [...pointers.values()];
    pointers.set(event.pointerId, event.offsetX);
    const after = [...pointers.values()];
    const [apart, now] = [before, after].map(([one, other]) => Math.max(20, Math.abs(one - other)));
    const shift = (after[0] + after[1] - before[0] - before[1]) / 2;
    if (shift) move(-shift / picture.plotWidth);
    if (now !== apart) zoom(apart / now, picture.timeAt((after[0] + after[1]) / 2));
  }

  // --- keys ---

  /** Moves the free end of the selection, which begins at the mark. @param {number} share */
  function extend(share) {
    const shown = range();
    cursor ??= (shown.start + shown.end) / 2;
    const { selection } = store;
    const free = selection === null ? cursor : selection.start < cursor - 1e-6 ? selection.start : selection.end;
    store.select(between(cursor, free + share * (shown.end - shown.start), store.whole), true);
  }

  /** Stops, else selects nothing; whether there was something to end. */
  function escape() {
    if (player.active) player.stop();
    else if (store.selection) store.select(null, true);
    else return false;
    return true;
  }

  /** Whether the key was for the timeline. @param {KeyboardEvent} event */
  function onKey(event) {
    const { start, end } = range();
    switch (event.key) {
      case "ArrowLeft": event.shiftKey ? extend(-0.01) : move(-0.1); return true;
      case "ArrowRight": event.shiftKey ? extend(0.01) : move(0.1); return true;
      case "+": case "=": zoom(0.5); return true;
      case "-": zoom(2); return true;
      case "0": showAll(); return true;
      case "Home": choose({ start: store.whole.start, end: store.whole.start + end - start }); return true;
      case "End": choose({ start: store.now - (end - start), end: store.now }); return true;
      case " ": if (store.audible) toggleListening(); return store.audible;
      case "Escape": return escape();
      default: return false;
    }
  }

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !onKey(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });

  const sizes = new ResizeObserver(() => {
    picture.width = canvas.clientWidth;
    schedule();
  });
  sizes.observe(canvas);
  const themes = new MutationObserver(schedule);
  themes.observe(document.body, { attributes: true });
  themes.observe(document.documentElement, { attributes: true });
  for (const system of ["(forced-colors: active)", "(prefers-color-scheme: dark)"]) {
    matchMedia(system).addEventListener("change", schedule, { signal });
  }
  store.watchers.add(onChange);
  signal.addEventListener("abort", () => {
    store.watchers.delete(onChange);
    if (store.watchers.size === 0) player.stop();
    sizes.disconnect();
    themes.disconnect();
    cancelAnimationFrame(frame);
  });
  return {
    canvas,
    picture,
    redraw: schedule,
    /** What is listened to, else what was clicked; null: neither. */
    moment: () => (player.active ? player.position : cursor),
    /** Shows a stretch. @param {Range} wanted */
    show: choose,
  };
}
