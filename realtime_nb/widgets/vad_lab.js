// @ts-check
/**
 * The VAD lab: what the detector hears, where the server and other settings begin and end turns, and
 * the settings, to be tried while somebody speaks or on what was recorded.
 *
 * @typedef {import("./vad_lab_store.js").LabStore} LabStore
 */
import { element, say, view } from "./view.js";
import { Alerts } from "./alerts.js";
import { turnSettings } from "./agent_settings.js";
import { SettingsState } from "./settings_state.js";
import { createTimelineView } from "./timeline_view.js";
import { calibrationBox, historyBox, labButton, scoreboard } from "./vad_lab_board.js";
import { heightOf, thresholdAt } from "./vad_lab_math.js";
import { LabPicture } from "./vad_lab_picture.js";
import { createLabStore } from "./vad_lab_store.js";

const LIMITS = { min: 0, max: 1 };
const FINE = 0.01;
const COARSE = 0.05;
const TYPING = "input:not([type=range], [type=checkbox]), textarea, select";

/** By how much a key moves the threshold; 0: it is for something else. @param {string} key @param {boolean} coarse */
export function thresholdStep(key, coarse) {
  const step = coarse ? COARSE : FINE;
  return { ArrowUp: step, ArrowDown: -step, PageUp: COARSE, PageDown: -COARSE }[key] ?? 0;
}

/** The threshold a step further, in hundredths. @param {number} value @param {number} step */
export function movedThreshold(value, step) {
  return Number(Math.min(LIMITS.max, Math.max(LIMITS.min, value + step)).toFixed(2));
}

/**
 * The line that can be dragged: a slider over the curve.
 *
 * @param {SettingsState} state @param {() => number | null} threshold @param {AbortSignal} signal
 */
function thresholdHandle(state, threshold, signal) {
  const handle = element("div", {
    class: "rtnb-lab-handle", role: "slider", tabindex: "0", "aria-label": "Threshold line", "aria-orientation": "vertical",
    "aria-valuemin": LIMITS.min, "aria-valuemax": LIMITS.max, title: "Drag, or use the arrow keys",
  }, element("span", { class: "rtnb-lab-grip" }));
  let lane = { top: 0, height: 1 };
  let dragged = false;
  /** @param {PointerEvent} event */
  const drag = (event) => {
    const box = /** @type {HTMLElement} */ (handle.offsetParent).getBoundingClientRect();
    state.draft("threshold", thresholdAt(event.clientY - box.top, lane, LIMITS));
  };
  handle.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    dragged = true;
    handle.setPointerCapture(event.pointerId);
    handle.focus();
    event.preventDefault();
  }, { signal });
  handle.addEventListener("pointermove", (event) => { if (dragged) drag(event); }, { signal });
  for (const type of /** @type {const} */ (["pointerup", "pointercancel"])) {
    handle.addEventListener(type, () => {
      if (dragged) state.settle();
      dragged = false;
    }, { signal });
  }
  handle.addEventListener("blur", () => state.settle(), { signal });
  return {
    handle,
    /** @param {{top: number, height: number}} curve @param {number} gutter */
    place(curve, gutter) {
      const value = threshold();
      handle.hidden = value === null;
      if (value === null) return;
      lane = curve;
      handle.style.top = `${heightOf(value, curve)}px`;
      handle.style.left = `${gutter}px`;
      handle.setAttribute("aria-valuenow", String(value));
      handle.setAttribute("aria-valuetext", value.toFixed(2));
    },
  };
}

/** @param {LabStore} store @param {(kind: string) => void} label @param {AbortSignal} signal */
function labBar(store, label, signal) {
  const only = labButton("VAD only", "Turns are detected and nothing is answered: next to free on a paid server", signal,
    () => store.command("vad_only", !store.facts.vad_only));
  const calibrate = labButton("Calibrate", "3 s of silence, 5 s of speech: proposes a threshold, and says why", signal, () => store.command("calibrate"));
  const unfinished = labButton("I wasn't finished (n)", "Marks the end of the last turn as too early", signal, () => label("not_finished"));
  const notMe = labButton("That was not me (m)", "Marks the last turn as no speech of yours", signal, () => label("not_me"));
  const speech = labButton("Selection is speech", "Marks what is selected in the waves as speech: scores count against what is marked", signal, () => {
    const { selection } = store.timeline;
    if (selection) store.command("label_speech", [selection.start, selection.end]);
  });
  const unlabel = labButton("Remove last label", "", signal, () => store.command("remove_label"));
  const keep = labButton("Keep as ghost", "Runs these settings on beside those that you try next", signal, () => store.command("keep"));
  const undo = labButton("Undo", "Asks for the settings from before", signal, () => store.command("undo"));
  const redo = labButton("Redo", "", signal, () => store.command("redo"));
  const labels = element("span", { class: "rtnb-note", role: "status" });
  return {
    bar: element("div", { class: "rtnb-toolbar" }, calibrate, only, keep, undo, redo, unfinished, notMe, speech, unlabel, labels),
    paint() {
      const { facts } = store;
      const live = facts.shows === "session";
      only.hidden = !live;
      only.setAttribute("aria-pressed", String(facts.vad_only));
      for (const one of [unfinished, notMe]) one.hidden = store.rows.every(({ kind }) => kind !== "server");
      speech.disabled = store.timeline.selection === null;
      speech.hidden = live;
      undo.disabled = !facts.can_undo;
      redo.hidden = !facts.can_redo;
      unlabel.hidden = facts.labels === "";
      keep.disabled = store.rows.filter(({ kind }) => kind === "ghost").length >= 6;
      calibrate.disabled = ["quiet", "speech"].includes(facts.calibration.phase);
      say(labels, facts.labels);
    },
  };
}

/**
 * @param {LabStore} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const { model, timeline } = store;
  const state = new SettingsState(model, /** @type {any} */ (store), signal);
  const threshold = () => (store.facts.shows !== "none" && (state.value("type") ?? "server_vad") === "server_vad"
    ? Number(state.value("threshold") ?? 0.5) : null);
  const alerts = new Alerts(signal);
  /** @param {string} kind Of a recording it is about what is heard or was clicked. */
  const label = (kind) => store.command("label", [kind, store.facts.shows === "recording" ? seen.moment() : null]);
  const bar = labBar(store, label, signal);
  const status = element("span", { class: "rtnb-settings-status", role: "status" });
  const agreement = element("span", { class: "rtnb-note" });
  const calibration = calibrationBox(store, signal);
  const board = scoreboard(store, signal);
  const history = historyBox(store);
  const { handle, place } = thresholdHandle(state, threshold, signal);
  const waves = element("div", { class: "rtnb-lab-waves" });
  const settings = element("div", { class: "rtnb-settings rtnb-lab-settings" });
  const root = element("div", { class: "rtnb rtnb-lab" }, alerts.node, bar.bar, calibration.box, waves,
    element("div", { class: "rtnb-lab-state" }, status, agreement), element("div", { class: "rtnb-lab-below" }, settings,
      element("div", { class: "rtnb-lab-results" }, board.box, history.box)));
  el.replaceChildren(root);
  const seen = createTimelineView(timeline, waves, signal, (surface) =>
    new LabPicture(surface, store, threshold, () => place(drawn().curve, drawn().gutter)));
  const { canvas, redraw } = seen;
  const drawn = () => /** @type {LabPicture} */ (seen.picture);
  canvas.after(handle);

  function paint() {
    const { facts } = store;
    root.hidden = facts.shows === "none";
    if (settings.childElementCount === 0 && model.get("turn_table")) settings.append(turnSettings(model, state, signal));
    alerts.tell("deafness", facts.deafness);
    alerts.tell("error", facts.error, () => store.command("read_error"));
    const waits = state.pending.length > 0;
    status.classList.toggle("rtnb-waits", waits);
    say(status, waits ? "Pending: not in force until the server confirms it." : facts.status);
    say(agreement, facts.agreement);
    agreement.classList.toggle("rtnb-problem", !facts.trusted);
    for (const part of [bar, calibration, board, history]) part.paint();
    redraw();
  }

  /** Whether the key was for the lab. @param {KeyboardEvent} event */
  function onKey(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest(TYPING)) return false;
    const kind = { n: "not_finished", m: "not_me" }[event.key];
    if (kind) {
      if (!event.repeat) label(kind);
      return true;
    }
    const value = threshold();
    const step = target === canvas || target === handle ? thresholdStep(event.key, event.shiftKey) : 0;
    if (step === 0 || value === null) return false;
    state.draft("threshold", movedThreshold(value, step));
    state.settleSoon();
    return true;
  }

  el.addEventListener("keydown", (event) => {
    if (onKey(event)) event.preventDefault();
  }, { signal });
  state.follow(paint);
  store.watchers.add(paint);
  timeline.watchers.add(paint);
  signal.addEventListener("abort", () => {
    store.watchers.delete(paint);
    timeline.watchers.delete(paint);
  });
}

export default view(createLabStore, createView);
