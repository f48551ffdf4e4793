// @ts-check
/**
 * The settings of an agent in its panel: what it is told to be, when a turn ends, its microphone.
 *
 * @typedef {import("./link.js").Model} SettingsModel of the panel
 * @typedef {{name: string, label: string, does: string, min: number, max: number, step: number, usual: number, unit: string}} Slider
 * @typedef {{name: string, label: string, does: string}} Named
 * @typedef {{kinds: Named[], sliders: Slider[], eagerness: Named[], switches: Named[]}} TurnTable
 * @typedef {import("./settings_state.js").SettingsState} State
 * @typedef {import("./microphone.js").MicrophoneApi} SettingsMicrophone
 */
import { followTraits } from "./commands.js";
import { copyText } from "./copying.js";
import { OWN_KEYS, devicePicker, processingSwitches } from "./microphone_controls.js";
import { clockText } from "./texts.js";
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

/** Says beside a setting that it is not in force yet, and what is. */
function pendingNote() {
  const note = element("span", { class: "rtnb-settings-now" });
  return {
    note,
    /** @param {HTMLElement} row @param {boolean} waits @param {string} now */
    paint(row, waits, now) {
      row.classList.toggle("rtnb-waits", waits);
      note.hidden = !waits;
      say(note, waits && now ? `now ${now}` : "");
    },
  };
}

/** Whether what is shown is in force. @param {SettingsModel} model @param {State} state */
export function settingsStatus(model, state) {
  const line = element("div", { class: "rtnb-settings-wide rtnb-settings-status", role: "status" });
  state.follow(() => {
    const { pending } = state;
    line.classList.toggle("rtnb-waits", pending.length > 0);
    const { confirmed_s: at, open } = model.get("settings");
    if (pending.length > 0) say(line, "Pending: not in force until the server confirms it.");
    else if (model.get("state") === "connecting") say(line, "Pending: the session is being opened.");
    else if (!open) say(line, "Not connected: this is asked for when you connect.");
    else say(line, at === null ? "In force." : `In force, confirmed by the server at ${clockText(at)}.`);
  });
  return line;
}

/** What the agent is told to be. @param {SettingsModel} model @param {State} state @param {AbortSignal} signal */
export function agentSettings(model, state, signal) {
  const text = element("textarea", { "aria-label": "Instructions", rows: 3, spellcheck: "false", dir: "auto" });
  const voice = element("select", { class: "rtnb-select", ...OWN_KEYS });
  const later = element("span", { class: "rtnb-settings-now" });
  const now = { text: pendingNote(), voice: pendingNote() };
  const wide = element("fieldset", { class: "rtnb-settings-wide" },
    element("legend", {}, "Instructions ", now.text.note), text);
  const row = element("label", { class: "rtnb-field rtnb-settings-wide", title: "What the agent sounds like; it can't change once the agent has spoken." },
    "Voice ", voice, " ", now.voice.note, later);
  /** @type {Map<string, unknown>} */
  let voices = new Map();
  text.addEventListener("change", () => {
    state.draft("instructions", text.value);
    state.settle();
  }, { signal });
  voice.addEventListener("change", () => {
    state.draft("voice", voices.get(voice.value));
    state.settleSoon();
  }, { signal });
  voice.addEventListener("blur", () => state.settle(), { signal });
  const paint = () => {
    if (document.activeElement !== text) text.value = String(state.value("instructions") ?? "");
    now.text.paint(wide, state.waits("instructions"), "others");
    const chosen = voiceName(state.value("voice"));
    const names = /** @type {string[]} */ (model.get("voices"));
    const known = new Map(/** @type {[string, unknown][]} */ (names.map((name) => [name, name])));
    const own = [state.value("voice"), state.inForce("voice")].filter((one) => !known.has(voiceName(one)));
    voices = new Map([...own.map((one) => /** @type {[string, unknown]} */ ([voiceName(one), one ?? ""])), ...known]);
    const options = [...voices.keys()];
    if (voice.dataset.options !== options.join("\n")) {
      voice.dataset.options = options.join("\n");
      voice.replaceChildren(...options.map((name) => element("option", { value: name, text: name || "the server's choice" })));
    }
    voice.value = chosen;
    now.voice.paint(row, state.waits("voice"), voiceName(state.inForce("voice")));
    const next = voiceName(model.get("settings").later?.voice);
    say(later, next ? `${next} from the next session on` : "");
  };
  state.follow(paint);
  followTraits(model, ["voices"], paint);
  return [wide, row];
}

/**
 * A slider that tells only its own value, and grows to the value that it is given.
 *
 * @param {Slider} kind @param {State} state @param {AbortSignal} signal
 */
function slider({ name, label, does, min, max, step, usual, unit }, state, signal) {
  const input = element("input", { type: "range", min, max, step, "aria-label": label, title: does, ...OWN_KEYS });
  const output = element("output");
  const now = pendingNote();
  const row = element("label", { class: "rtnb-slider", title: does }, label, input, element("span", {}, output, now.note));
  let pointed = false;
  input.addEventListener("pointerdown", () => { pointed = true; }, { signal });
  input.addEventListener("keydown", () => { pointed = false; }, { signal });
  input.addEventListener("input", () => state.draft(name, Number(input.value)), { signal });
  input.addEventListener("change", () => {
    state.draft(name, Number(input.value));
    if (pointed) state.settle(); // it was let go; of keys, more may come
    else state.settleSoon();
  }, { signal });
  input.addEventListener("blur", () => state.settle(), { signal });
  return {
    row,
    paint() {
      const value = Number(state.value(name) ?? usual);
      input.max = String(Math.max(Number(input.max), value));
      input.min = String(Math.min(Number(input.min), value));
      input.value = String(value);
      say(output, sliderText(value, unit)); // it may lie between two steps
      input.setAttribute("aria-valuetext", sliderText(value, unit));
      now.paint(row, state.waits(name), sliderText(Number(state.inForce(name) ?? usual), unit));
    },
  };
}

/** A choice among names. @param {string} name @param {string} label @param {Named[]} choices @param {string} usual
 * @param {State} state @param {AbortSignal} signal */
function choice(name, label, choices, usual, state, signal) {
  const select = element("select", { class: "rtnb-select", "aria-label": label, ...OWN_KEYS });
  const does = element("div", { class: "rtnb-quiet" });
  const now = pendingNote();
  const row = element("div", {}, element("label", { class: "rtnb-field" }, `${label} `, select, " ", now.note), does);
  select.addEventListener("change", () => {
    state.draft(name, select.value);
    state.settleSoon();
  }, { signal });
  select.addEventListener("blur", () => state.settle(), { signal });
  /** @param {unknown} value */
  const find = (value) => choices.find((one) => one.name === value)
    ?? { name: String(value), label: String(value), does: "This kind is not known here." };
  return {
    row,
    paint() {
      const chosen = find(state.value(name) ?? usual);
      const options = choices.includes(chosen) ? choices : [chosen, ...choices];
      if (select.dataset.options !== options.map((one) => one.name).join("\n")) {
        select.dataset.options = options.map((one) => one.name).join("\n");
        select.replaceChildren(...options.map((one) => element("option", { value: one.name, text: one.label, title: one.does })));
      }
      select.value = chosen.name;
      select.title = chosen.does;
      say(does, chosen.does);
      now.paint(row, state.waits(name), find(state.inForce(name) ?? usual).label);
    },
  };
}

/** @param {Named} kind @param {State} state @param {AbortSignal} signal */
function toggle({ name, label, does }, state, signal) {
  const box = element("input", { type: "checkbox", title: does });
  const now = pendingNote();
  const row = element("label", { class: "rtnb-field", title: does }, box, ` ${label} `, now.note);
  box.addEventListener("change", () => {
    state.draft(name, box.checked);
    state.settleSoon();
  }, { signal });
  box.addEventListener("blur", () => state.settle(), { signal });
  return {
    row,
    paint() {
      box.checked = state.value(name) !== false;
      now.paint(row, state.waits(name), state.inForce(name) === false ? "off" : "on");
    },
  };
}

/** The line that asks for the same from code. @param {SettingsModel} model @param {AbortSignal} signal */
function asCode(model, signal) {
  const code = element("code", { class: "rtnb-settings-code" });
  const copy = element("button", { type: "button", class: "rtnb-button", text: "Copy as code", title: "The line that asks for this turn detection, as it is in force" });
  const done = element("span", { class: "rtnb-quiet", role: "status" });
  copy.addEventListener("click", async () => {
    say(done, (await copyText(code.textContent ?? "")) ? "Copied" : "Not copied");
  }, { signal });
  followTraits(model, ["settings"], () => {
    say(code, model.get("settings").code ?? "");
    say(done, "");
  });
  return element("div", { class: "rtnb-settings-copy" }, code, copy, done);
}

/** When a turn begins and ends. @param {SettingsModel} model @param {State} state @param {AbortSignal} signal */
export function turnSettings(model, state, signal) {
  const table = /** @type {TurnTable} */ (model.get("turn_table"));
  const kind = choice("type", "Turns end by", table.kinds, "server_vad", state, signal);
  const sliders = table.sliders.map((one) => slider(one, state, signal));
  const eagerness = choice("eagerness", "Eagerness", table.eagerness, "auto", state, signal);
  const switches = table.switches.map((one) => toggle(one, state, signal));
  state.follow(() => {
    const chosen = state.value("type") ?? "server_vad";
    for (const { row } of sliders) row.hidden = chosen !== "server_vad";
    eagerness.row.hidden = chosen !== "semantic_vad";
    for (const { row } of switches) row.hidden = chosen === "none";
    // Whoever used what is gone now must not type into the notebook.
    const left = [...sliders, eagerness, ...switches].some(({ row }) => row.hidden && row.contains(document.activeElement));
    if (left) kind.row.querySelector("select")?.focus();
    for (const control of [kind, eagerness, ...sliders, ...switches]) if (!control.row.hidden) control.paint();
  });
  return element("fieldset", {}, element("legend", { text: "Turn detection" }), kind.row,
    ...sliders.map(({ row }) => row), eagerness.row, ...switches.map(({ row }) => row), asCode(model, signal));
}

/** @param {SettingsModel} model of the microphone @param {SettingsMicrophone} microphone @param {AbortSignal} signal */
export function microphoneSettings(model, microphone, signal) {
  return element("fieldset", {}, element("legend", { text: "Microphone" }),
    devicePicker(model, microphone, signal), ...processingSwitches(model, microphone, signal));
}
