// @ts-check
/**
 * The panel of an agent, see agent_panel.py: a line of buttons, and what happens below it.
 *
 * Its parts are widgets of their own: the views are rendered into it, the microphone and the speaker
 * are driven through what they export. Whatever the person wants goes to Python as a `command`; the
 * microphone is opened here, too, since browsers give it only to a click.
 *
 * @typedef {import("./link.js").Model} PanelModel
 * @typedef {import("./microphone.js").MicrophoneApi} MicrophoneApi
 * @typedef {import("./speaker.js").SpeakerApi} SpeakerApi
 * @typedef {{exports: any, render(view: {el: HTMLElement, signal: AbortSignal}): Promise<void>}} Part
 * @typedef {{getWidget(reference: string): Promise<Part>, getModel(reference: string): Promise<PanelModel>}} Host
 * @typedef {{command(name: string, value?: unknown): void}} Commands
 */
import { OWN_KEYS, devicePicker, levelMeter, processingSwitches, say } from "./microphone_controls.js";
import { element } from "./view.js";

const STATE_WORDS = {
  disconnected: "disconnected", connecting: "connecting", listening: "listening",
  hearing: "hearing you", thinking: "thinking", speaking: "speaking",
};
const SLIDERS = /** @type {const} */ ([
  ["threshold", "Threshold", 0, 1, 0.05, 0.5, ""],
  ["silence_duration_ms", "Silence", 100, 2000, 50, 200, " ms"],
  ["prefix_padding_ms", "Padding", 0, 1000, 50, 300, " ms"],
]);
const MICROPHONE_OPEN = ["asking", "on"];

/** How long the agent took to answer. @param {number | null | undefined} ms */
export function latencyText(ms) {
  if (ms === null || ms === undefined) return "";
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** What a slider stands at, in words. @param {number} value @param {string} unit */
export function sliderText(value, unit) {
  return unit ? `${value}${unit}` : value.toFixed(2);
}

/** Whether the space bar, pressed there, is for talking. @param {EventTarget | null} target */
export function takesSpace(target) {
  const node = /** @type {Element | null} */ (target);
  if (!node?.closest) return false;
  if (node.closest("[data-talk]")) return true;
  return !node.closest("input, textarea, select, button, summary, canvas, [role=grid], [role=tab]");
}

/** @param {string} name @param {Record<string, string>} [attributes] */
function button(name, attributes = {}) {
  return element("button", { type: "button", class: "rtnb-button", text: name, ...attributes });
}

/** Calls at once and whenever one of the traits changes. @param {PanelModel} model @param {string[]} traits @param {() => void} paint */
function follow(model, traits, paint) {
  for (const name of traits) model.on(`change:${name}`, paint);
  paint();
}

/** One that talks as long as it is held, or from one press to the next. */
class TalkKey {
  /** @param {PanelModel} model @param {Commands} commands */
  constructor(model, commands) {
    this._model = model;
    this._commands = commands;
    this._held = false;
    /** @type {MicrophoneApi | null} */
    this.microphone = null;
    /** @type {SpeakerApi | null} */
    this.speaker = null;
  }

  get talking() {
    const status = this.microphone?.state.status;
    return status ? MICROPHONE_OPEN.includes(status) : Boolean(this._model.get("talking"));
  }

  get byHolding() {
    return Boolean(this._model.get("push_to_talk"));
  }

  press() {
    if (!this.byHolding) {
      if (this.talking) this.stop();
      else this.talk();
    } else if (!this._held) {
      this._held = true;
      this.talk();
    }
  }

  release() {
    if (!this._held) return;
    this._held = false;
    this.stop();
  }

  talk() {
    this.unlock();
    this.microphone?.start();
    this._commands.command("talk");
  }

  stop() {
    this.microphone?.stop();
    this._commands.command("stop");
  }

  /** Browsers let a page sound only after a press. */
  unlock() {
    this.speaker?.unlock();
  }
}

/** @param {PanelModel} model @param {TalkKey} key @param {Commands} commands @param {AbortSignal} signal */
function head(model, key, commands, signal) {
  const dot = element("span", { class: "rtnb-panel-dot", "aria-hidden": "true" });
  const word = element("span");
  const state = element("span", { class: "rtnb-panel-state", role: "status" }, dot, word);
  const where = element("span", { class: "rtnb-panel-where" });
  const connect = button("Connect");
  const talk = button("Talk", { "data-talk": "" });
  const mute = button("Mute", { "aria-pressed": "false" });
  const meter = levelMeter();
  const isOpen = () => model.get("connected") || model.get("state") === "connecting";

  connect.addEventListener("click", () => {
    if (isOpen()) {
      key.microphone?.stop();
      commands.command("disconnect");
    } else {
      key.unlock();
      commands.command("connect");
    }
  }, { signal });
  mute.addEventListener("click", () => {
    const muted = !model.get("muted");
    key.microphone?.mute(muted);
    commands.command("mute", muted);
  }, { signal });
  talk.addEventListener("pointerdown", (event) => {
    if (!key.byHolding || event.button !== 0) return;
    talk.setPointerCapture(event.pointerId);
    key.press();
  }, { signal });
  for (const end of ["pointerup", "pointercancel"]) {
    talk.addEventListener(end, () => key.release(), { signal });
  }
  talk.addEventListener("click", () => { if (!key.byHolding) key.press(); }, { signal });

  const paint = () => {
    const name = /** @type {keyof typeof STATE_WORDS} */ (model.get("state"));
    dot.dataset.state = name;
    say(word, STATE_WORDS[name]);
    const latency = latencyText(model.get("latency_ms"));
    say(where, [model.get("endpoint"), latency && `answered in ${latency}`].filter(Boolean).join(" · "));
    where.title = `${model.get("endpoint")}${latency ? `; ${latency} from the end of your words to the first sound of the answer` : ""}`;
    say(connect, isOpen() ? "Disconnect" : "Connect");
    connect.classList.toggle("rtnb-main", !isOpen());
    say(talk, key.talking ? "Stop" : "Talk");
    talk.classList.toggle("rtnb-main", Boolean(model.get("connected")) && !key.talking);
    talk.title = key.byHolding ? "Hold it, or the space bar, while you speak" : "Space bar";
    mute.setAttribute("aria-pressed", String(Boolean(model.get("muted"))));
    meter.node.hidden = key.microphone === null;
  };
  follow(model, ["state", "connected", "talking", "muted", "endpoint", "latency_ms", "push_to_talk"], paint);
  return {
    node: element("div", { class: "rtnb-panel-head" }, state, where,
      element("div", { class: "rtnb-panel-buttons" }, connect, talk, mute, meter.node)),
    paint,
    paintLevel: meter.paint,
  };
}

/**
 * Tabs with the arrow keys; what is under one is made when it is first chosen.
 *
 * @param {{label: () => string, node: HTMLElement, fill: () => void}[]} pages
 * @param {AbortSignal} signal
 */
function tabs(pages, signal) {
  const filled = new Set();
  const id = `rtnb-${Math.random().toString(36).slice(2)}`;
  const buttons = pages.map((_, index) => element("button", {
    type: "button", class: "rtnb-tab", role: "tab", id: `${id}-tab-${index}`, ...OWN_KEYS,
    "aria-controls": `${id}-page-${index}`,
  }));
  pages.forEach(({ node }, index) => {
    node.setAttribute("role", "tabpanel");
    node.id = `${id}-page-${index}`;
    node.setAttribute("aria-labelledby", `${id}-tab-${index}`);
  });
  const list = element("div", { class: "rtnb-tabs", role: "tablist" }, ...buttons);
  const paint = () => pages.forEach(({ label }, index) => say(buttons[index], label()));
  /** @param {number} chosen */
  const choose = (chosen) => {
    pages.forEach(({ node, fill }, index) => {
      node.hidden = index !== chosen;
      buttons[index].setAttribute("aria-selected", String(index === chosen));
      buttons[index].tabIndex = index === chosen ? 0 : -1;
      if (index === chosen && !filled.has(index)) {
        filled.add(index);
        fill();
      }
    });
  };
  buttons.forEach((one, index) => {
    one.addEventListener("click", () => choose(index), { signal });
    one.addEventListener("keydown", ({ key }) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
      if (!step) return;
      const next = (index + step + pages.length) % pages.length;
      choose(next);
      buttons[next].focus();
    }, { signal });
  });
  choose(0);
  paint();
  return { list, paint };
}

/** @param {Commands} commands @param {AbortSignal} signal */
function compose(commands, signal) {
  const field = element("input", {
    type: "text", class: "rtnb-input", placeholder: "Type a message", "aria-label": "Message",
    autocomplete: "off",
  });
  const send = element("button", { type: "submit", class: "rtnb-button", text: "Send" });
  const form = element("form", { class: "rtnb-compose" }, field, send);
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault(); // JupyterLab does, too, and then nothing would be sent
    form.requestSubmit();
  }, { signal });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    commands.command("say", text);
    field.value = "";
  }, { signal });
  return form;
}

/** What the agent is told to be. @param {PanelModel} model @param {Commands} commands @param {AbortSignal} signal */
function agentSettings(model, commands, signal) {
  const text = element("textarea", { "aria-label": "Instructions", rows: 3, spellcheck: "false" });
  const voice = element("select", { class: "rtnb-select", ...OWN_KEYS });
  text.addEventListener("change", () => commands.command("update", { instructions: text.value }), { signal });
  voice.addEventListener("change", () => commands.command("update", { voice: voice.value }), { signal });
  follow(model, ["settings", "voices"], () => {
    const settings = model.get("settings");
    if (document.activeElement !== text) text.value = settings.instructions ?? "";
    const names = model.get("voices");
    const chosen = String(settings.voice ?? "");
    const choices = names.includes(chosen) ? names : [chosen, ...names];
    voice.replaceChildren(...choices.map((/** @type {string} */ name) =>
      element("option", { value: name, text: name || "the server's choice" })));
    voice.value = chosen;
  });
  return [
    element("fieldset", { class: "rtnb-settings-wide" }, element("legend", { text: "Instructions" }), text),
    element("label", { class: "rtnb-field rtnb-settings-wide" }, "Voice ", voice),
  ];
}

/** When a turn begins and ends. @param {PanelModel} model @param {Commands} commands @param {AbortSignal} signal */
function turnSettings(model, commands, signal) {
  const byHand = element("div", {
    class: "rtnb-quiet", text: "You say when: hold Talk, or the space bar, while you speak.",
  });
  const semantic = element("div", {
    class: "rtnb-quiet", text: "The server judges by the words whether you have finished.",
  });
  const rows = SLIDERS.map(([name, label, min, max, step, usual, unit]) => {
    const input = element("input", { type: "range", min, max, step, "aria-label": label, ...OWN_KEYS });
    const output = element("output");
    const row = element("label", { class: "rtnb-slider" }, label, input, output);
    const show = () => say(output, sliderText(Number(input.value), unit));
    input.addEventListener("input", show, { signal });
    input.addEventListener("change", () => commands.command("update", { turn_detection: values() }), { signal });
    /** @param {Record<string, unknown>} detection */
    const paint = (detection) => {
      input.value = String(detection[name] ?? usual);
      show();
    };
    return { name, input, row, paint };
  });
  const values = () => Object.fromEntries(rows.map(({ name, input }) => [name, Number(input.value)]));
  follow(model, ["settings"], () => {
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

/** @param {PanelModel} model of the microphone @param {MicrophoneApi} microphone @param {AbortSignal} signal */
function microphoneSettings(model, microphone, signal) {
  return element("fieldset", {}, element("legend", { text: "Microphone" }),
    devicePicker(model, microphone, signal), ...processingSwitches(model, microphone, signal));
}

/** The first of some texts that says anything, in a line that screen readers announce. */
function alertLine() {
  const node = element("div", { class: "rtnb-problem", role: "alert" });
  /** @type {Record<string, string>} */
  const told = {};
  return {
    node,
    /** @param {string} source @param {string} words */
    tell(source, words) {
      told[source] = words;
      say(node, Object.values(told).find(Boolean) ?? "");
    },
  };
}

/** Space to talk and Escape to stop the answer, unless something else wants them.
 * @param {HTMLElement} root @param {TalkKey} key @param {Commands} commands @param {AbortSignal} signal */
function keyboard(root, key, commands, signal) {
  let bySpace = false;
  const letGo = () => {
    bySpace = false;
    key.release();
  };
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") commands.command("interrupt");
    if (event.key !== " " || !takesSpace(event.target)) return;
    event.preventDefault();
    if (event.repeat) return;
    bySpace = true;
    key.press();
  }, { signal });
  root.addEventListener("keyup", (event) => {
    if (event.key !== " " || !takesSpace(event.target)) return;
    event.preventDefault(); // a button would be clicked now
    letGo();
  }, { signal });
  // A key that is let go elsewhere is let go.
  root.addEventListener("focusout", () => { if (bySpace) letGo(); }, { signal });
  globalThis.addEventListener("blur", letGo, { signal });
}

/** @param {{model: PanelModel, el: HTMLElement, signal: AbortSignal, host: Host}} view */
function render({ model, el, signal, host }) {
  /** @type {Commands} */
  const commands = { command: (name, value) => model.send({ kind: "command", name, value }) };
  const key = new TalkKey(model, commands);
  const bar = head(model, key, commands, signal);
  const problem = alertLine();
  follow(model, ["error"], () => problem.tell("python", model.get("error")));

  const references = model.get("children");
  /** @param {string} name @param {HTMLElement} into */
  const show = async (name, into) => {
    try {
      const part = await host.getWidget(references[name]);
      if (!signal.aborted) await part.render({ el: into, signal });
    } catch (failure) {
      console.error(failure);
      problem.tell("parts", "A part of the panel can't be shown. Run the cell again, with anywidget 0.11 or newer.");
    }
  };

  const timeline = element("div", { class: "rtnb-panel-timeline" });
  const transcript = element("div", { class: "rtnb-panel-transcript" });
  const events = element("div");
  const turns = turnSettings(model, commands, signal);
  const settings = element("div", { class: "rtnb-settings" }, ...agentSettings(model, commands, signal), turns);
  const pages = tabs([
    { label: () => "Transcript", node: transcript, fill: () => show("transcript", transcript) },
    {
      label: () => `Events ${model.get("event_count") || ""}`.trim(),
      node: events,
      fill: () => show("events", events),
    },
    { label: () => "Settings", node: settings, fill: () => {} },
  ], signal);
  follow(model, ["event_count"], pages.paint);

  const root = element("section", {
    class: "rtnb rtnb-panel", tabindex: 0, "aria-label": "Voice agent", "data-lm-suppress-shortcuts": "true",
  }, bar.node, problem.node, timeline, pages.list, transcript, events, settings, compose(commands, signal));
  keyboard(root, key, commands, signal);
  el.append(root);
  show("timeline", timeline);

  /** Takes hold of the page's audio, if the agent's is there. */
  const takeAudio = async () => {
    if (!references.microphone) return;
    const [microphone, speaker, itsModel] = await Promise.all([
      host.getWidget(references.microphone),
      host.getWidget(references.speaker),
      host.getModel(references.microphone),
    ]);
    if (signal.aborted) return;
    const mouth = /** @type {MicrophoneApi} */ (microphone.exports);
    const ear = /** @type {SpeakerApi} */ (speaker.exports);
    key.microphone = mouth;
    key.speaker = ear;
    mouth.attach(signal);
    let status = "";
    mouth.subscribe((state) => {
      bar.paintLevel(state);
      problem.tell("microphone", state.error);
      if (state.status !== status) bar.paint();
      status = state.status;
    }, signal);
    ear.subscribe((state) => problem.tell("speaker", state.error), signal);
    settings.append(microphoneSettings(itsModel, mouth, signal));
  };
  takeAudio().catch((failure) => {
    console.error(failure);
    problem.tell("audio", "The page's microphone can't be reached. Run the cell again, with anywidget 0.11 or newer.");
  });
}

export default { render };
