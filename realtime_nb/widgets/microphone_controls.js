// @ts-check
/**
 * What a page shows of a microphone: its level, its device, and what the browser does to its sound.
 * Included in the microphone's own view and in the agent's panel.
 *
 * @typedef {import("./link.js").Model} ControlsModel of the microphone
 * @typedef {import("./microphone.js").MicrophoneApi} ControlsApi
 * @typedef {import("./microphone.js").MicrophoneState} ControlsState
 */
import { element, say } from "./view.js";

/** Trait, constraint of the browser, name for people. */
export const SWITCHES = /** @type {const} */ ([
  ["echo_cancellation", "echoCancellation", "Echo cancellation"],
  ["noise_suppression", "noiseSuppression", "Noise suppression"],
  ["auto_gain_control", "autoGainControl", "Automatic gain"],
]);
const LEAST_DBFS = -60;
/** Attributes of what takes letters or arrows itself; JupyterLab would cut cells or leave with them. */
export const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" };

/** @param {ControlsModel} model @param {string} name @param {unknown} value */
function set(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** A bar that follows the level; `paint` shows a state. */
export function levelMeter() {
  const bar = element("span", { class: "rtnb-meter-bar" });
  const node = element("span", {
    class: "rtnb-meter", role: "meter", "aria-label": "Microphone level in decibels",
    "aria-valuemin": LEAST_DBFS, "aria-valuemax": 0, "aria-valuenow": LEAST_DBFS,
  }, bar);
  return {
    node,
    /** @param {ControlsState} state */
    paint({ level, speaking }) {
      const part = Math.max(0, Math.min(1, 1 - level / LEAST_DBFS));
      bar.style.transform = `scaleX(${part.toFixed(3)})`;
      node.setAttribute("aria-valuenow", String(Math.round(Math.max(LEAST_DBFS, level))));
      node.classList.toggle("rtnb-speaking", speaking);
    },
  };
}

/** @param {ControlsModel} model @param {ControlsApi} microphone @param {AbortSignal} signal */
export function devicePicker(model, microphone, signal) {
  const select = element("select", { class: "rtnb-select", ...OWN_KEYS });
  select.addEventListener("change", () => set(model, "device_id", select.value), { signal });
  let shown = "";
  microphone.subscribe(({ devices }) => {
    const wanted = model.get("device_id");
    const now = JSON.stringify([devices, wanted]);
    if (now === shown) return;
    shown = now;
    const others = devices.filter(({ id }) => id !== "default");
    const choices = [{ id: "", label: "The browser's choice" }, ...others];
    select.replaceChildren(...choices.map(({ id, label }) => element("option", { value: id, text: label })));
    select.value = choices.some(({ id }) => id === wanted) ? wanted : "";
  }, signal);
  return element("label", { class: "rtnb-field" }, "Device ", select);
}

/** Each with what the browser made of it. @param {ControlsModel} model @param {ControlsApi} microphone @param {AbortSignal} signal */
export function processingSwitches(model, microphone, signal) {
  return SWITCHES.map(([trait, , label]) => {
    const box = element("input", { type: "checkbox" });
    const applied = element("span", { class: "rtnb-quiet" });
    box.addEventListener("change", () => set(model, trait, box.checked), { signal });
    const paint = () => {
      const { status, applied: made } = microphone.state;
      box.checked = Boolean(model.get(trait));
      say(applied, status === "on" ? appliedText(box.checked, made[trait]) : "");
    };
    model.on(`change:${trait}`, paint);
    microphone.subscribe(paint, signal);
    return element("label", { class: "rtnb-field" }, box, ` ${label}`, applied);
  });
}

/** What the browser did, where it isn't what was wanted. @param {boolean} wanted @param {unknown} made */
export function appliedText(wanted, made) {
  if (made === wanted) return "";
  return ` (the browser: ${made ? "on" : made === false ? "off" : "unknown"})`;
}

/** What a microphone that is to be opened waits for; empty: nothing. @param {string} [status] */
export function waitingWords(status) {
  if (status === "asking") return "allow the microphone";
  if (status === "opening") return "opening the microphone";
  return status === "suspended" ? "press Talk to go on" : "";
}
