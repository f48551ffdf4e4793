// @ts-check
/**
 * The settings of an agent in its panel: what it is told to be, when a turn ends, its microphone.
 *
 * @typedef {import("./link.js").Model} SettingsModel of the panel
 * @typedef {[name: string, label: string, min: number, max: number, step: number, usual: number, unit: string]} Slider
 * @typedef {import("./commands.js").Commands} SettingsCommands
 * @typedef {import("./microphone.js").MicrophoneApi} SettingsMicrophone
 */
import { followTraits } from "./commands.js";
import { OWN_KEYS, devicePicker, processingSwitches } from "./microphone_controls.js";
import { element, say } from "./view.js";

/** What a slider stands at, in words. @param {number} value @param {string} unit */
export function sliderText(value, unit) {
  return unit ? `${value}${unit}` : value.toFixed(2);
}

/** What a voice is called; one of the person's own is an object with an id. @param {unknown} voice */
export function voiceName(voice) {
  if (voice === null || typeof voice !== "object") return String(voice ?? "");
  const { id } = /** @type {{id?: unknown}} */ (voice);
  return id ? String(id) : JSON.stringify(voice);
}

/** What the agent is told to be. @param {SettingsModel} model @param {SettingsCommands} commands @param {AbortSignal} signal */
export function agentSettings(model, commands, signal) {
  const text = element("textarea", { "aria-label": "Instructions", rows: 3, spellcheck: "false", dir: "auto" });
  const voice = element("select", { class: "rtnb-select", ...OWN_KEYS });
  /** @type {Map<string, unknown>} */
  let voices = new Map();
  text.addEventListener("change", () => commands.command("update", { instructions: text.value }), { signal });
  voice.addEventListener("change", () => commands.command("update", { voice: voices.get(voice.value) }), { signal });
  followTraits(model, ["settings", "voices"], () => {
    const settings = model.get("settings");
    if (document.activeElement !== text) text.value = settings.instructions ?? "";
    const chosen = voiceName(settings.voice);
    const names = /** @type {string[]} */ (model.get("voices"));
    voices = new Map(names.map((name) => [name, name]));
    if (!voices.has(chosen)) voices = new Map([[chosen, settings.voice ?? ""], ...voices]);
    voice.replaceChildren(...[...voices.keys()].map((name) =>
      element("option", { value: name, text: name || "the server's choice" })));
    voice.value = chosen;
  });
  return [
    element("fieldset", { class: "rtnb-settings-wide" }, element("legend", { text: "Instructions" }), text),
    element("label", { class: "rtnb-field rtnb-settings-wide" }, "Voice ", voice),
  ];
}

/**
 * A slider that tells only its own value, and grows to the value that it is given.
 *
 * @param {Slider} kind @param {SettingsCommands} commands @param {AbortSignal} signal
 */
function slider([name, label, min, max, step, usual, unit], commands, signal) {
  const input = element("input", { type: "range", min, max, step, "aria-label": label, ...OWN_KEYS });
  const output = element("output");
  const row = element("label", { class: "rtnb-slider" }, label, input, output);
  /** @param {number} value */
  const show = (value) => {
    say(output, sliderText(value, unit));
    input.setAttribute("aria-valuetext", sliderText(value, unit));
  };
  input.addEventListener("input", () => show(Number(input.value)), { signal });
  input.addEventListener("change", () => {
    commands.command("update", { turn_detection: { [name]: Number(input.value) } });
  }, { signal });
  return {
    row,
    /** @param {Record<string, unknown>} detection */
    paint(detection) {
      const value = Number(detection[name] ?? usual);
      input.max = String(Math.max(Number(input.max), value));
      input.min = String(Math.min(Number(input.min), value));
      input.value = String(value);
      show(value); // it may lie between two steps
    },
  };
}

/** When a turn begins and ends. @param {SettingsModel} model @param {SettingsCommands} commands @param {AbortSignal} signal */
export function turnSettings(model, commands, signal) {
  const byHand = element("div", {
    class: "rtnb-quiet", text: "You say when: hold Talk, or the space bar, while you speak.",
  });
  const semantic = element("div", {
    class: "rtnb-quiet", text: "The server judges by the words whether you have finished.",
  });
  const rows = /** @type {Slider[]} */ (model.get("sliders")).map((kind) => slider(kind, commands, signal));
  followTraits(model, ["settings"], () => {
    const detection = model.get("settings").turn_detection;
    byHand.hidden = detection !== null;
    semantic.hidden = detection?.type !== "semantic_vad";
    for (const { row, paint } of rows) {
      row.hidden = detection === null || detection?.type === "semantic_vad";
      paint(detection ?? {});
    }
  });
  return element("fieldset", {}, element("legend", { text: "Turn detection" }),
    byHand, semantic, ...rows.map(({ row }) => row));
}

/** @param {SettingsModel} model of the microphone @param {SettingsMicrophone} microphone @param {AbortSignal} signal */
export function microphoneSettings(model, microphone, signal) {
  return element("fieldset", {}, element("legend", { text: "Microphone" }),
    devicePicker(model, microphone, signal), ...processingSwitches(model, microphone, signal));
}
