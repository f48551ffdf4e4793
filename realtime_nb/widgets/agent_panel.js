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
 * @typedef {{count: number, follow(watcher: () => void, signal: AbortSignal): void}} EventsApi
 * @typedef {{exports: any, render(view: {el: HTMLElement, signal: AbortSignal}): Promise<void>}} Part
 * @typedef {{tab: number, draft: string}} Place what was chosen and typed; a cell that is moved is rendered anew
 * @typedef {{getWidget(reference: string): Promise<Part>, getModel(reference: string): Promise<PanelModel>}} Host
 */
import { agentSettings, microphoneSettings, settingsStatus, turnSettings } from "./agent_settings.js";
import { tabs } from "./agent_tabs.js";
import { TalkKey, talkButton, talkKeys } from "./agent_talk.js";
import { Alerts } from "./alerts.js";
import { Commands, followTraits } from "./commands.js";
import { keepKeys } from "./keys.js";
import { lastSession } from "./last_session.js";
import { OWN_KEYS, levelMeter, waitingWords } from "./microphone_controls.js";
import { insteadWords } from "./microphone_trouble.js";
import { SettingsState } from "./settings_state.js";
import { durationText } from "./texts.js";
import { element, say } from "./view.js";

const STATE_WORDS = {
  disconnected: "disconnected", connecting: "connecting", ready: "ready", listening: "listening",
  hearing: "hearing you", thinking: "thinking", speaking: "speaking", gone: "kernel gone",
  waiting: "waiting", reconnecting: "reconnecting",
};
const KERNEL_GONE = "The kernel has ended or was restarted, and the agent with it. Run the cells again that make it and show it.";
const TOO_OLD = "Run the cell again, with anywidget 0.11 or newer.";

/**
 * What the agent does, as the page knows it: with the microphone off it listens to nobody, also when
 * the server still waits for the end of a turn.
 *
 * @param {PanelModel} model @param {TalkKey} key @param {Commands} commands
 * @returns {keyof typeof STATE_WORDS}
 */
function stateShown(model, key, commands) {
  if (commands.gone) return "gone";
  if (waitingWords(key.microphone?.state.status)) return "waiting";
  const state = model.get("state");
  return ["listening", "hearing"].includes(state) && !key.talking ? "ready" : state;
}

/** @param {string} name @param {Record<string, string>} [attributes] */
function button(name, attributes = {}) {
  return element("button", { type: "button", class: "rtnb-button", text: name, ...attributes });
}

/** @param {PanelModel} model @param {TalkKey} key @param {Commands} commands @param {AbortSignal} signal */
function head(model, key, commands, signal) {
  const dot = element("span", { class: "rtnb-panel-dot", "aria-hidden": "true" });
  const word = element("span");
  const state = element("span", { class: "rtnb-panel-state", role: "status" }, dot, word);
  const endpoint = element("span", { class: "rtnb-panel-endpoint" });
  const after = element("span");
  const latest = element("span", { class: "rtnb-panel-latest" }, " · ", element("span", { text: "last answer " }), after);
  const where = element("span", { class: "rtnb-panel-where" }, endpoint, latest);
  const connect = button("Connect");
  const talk = button("Talk", { "data-talk": "" });
  const mute = button("Mute mic", { "aria-pressed": "false", title: "The microphone stays open, and sends silence" });
  const hush = button("Stop answer", { title: "Stop what the agent says or works on (Esc)" });
  const meter = levelMeter();
  const isOpen = () => !commands.gone && (model.get("connected") || model.get("state") === "connecting");

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
  hush.addEventListener("click", () => commands.command("interrupt"), { signal });
  talkButton(talk, key, signal);

  const paint = () => {
    const name = stateShown(model, key, commands);
    dot.dataset.state = name;
    say(word, (name === "waiting" && waitingWords(key.microphone?.state.status)) || STATE_WORDS[name]);
    const latency = durationText(model.get("latency_ms"));
    say(endpoint, model.get("endpoint") ?? "");
    say(after, `after ${latency}`);
    latest.hidden = !latency;
    where.title = `${model.get("endpoint")}${latency ? `; ${latency} from the end of your words to the first sound of the last answer` : ""}`;
    say(connect, isOpen() ? "Disconnect" : "Connect");
    connect.classList.toggle("rtnb-main", !isOpen() && !commands.gone);
    say(talk, key.talking ? "Stop talking" : "Talk");
    talk.classList.toggle("rtnb-main", Boolean(model.get("connected")) && !key.talking && !commands.gone);
    talk.title = key.byHolding ? "Hold it, or the space bar, while you speak; or press Enter on it before and after" : "Space bar";
    mute.setAttribute("aria-pressed", String(Boolean(model.get("muted"))));
    meter.node.hidden = key.microphone === null;
    for (const one of [connect, talk, mute]) one.disabled = commands.gone;
    hush.disabled = commands.gone || !model.get("answering");
  };
  followTraits(model, ["state", "connected", "talking", "muted", "answering", "endpoint", "latency_ms", "push_to_talk"], paint);
  return {
    node: element("div", { class: "rtnb-panel-head" }, state, where,
      element("div", { class: "rtnb-panel-buttons" }, connect, talk, mute, hush, meter.node)),
    paint,
    paintLevel: meter.paint,
  };
}

/** @param {Commands} commands @param {Place} place @param {AbortSignal} signal */
function compose(commands, place, signal) {
  const field = element("input", {
    type: "text", class: "rtnb-input", placeholder: "Type a message", "aria-label": "Message",
    autocomplete: "off", dir: "auto",
  });
  const send = element("button", { type: "submit", class: "rtnb-button", text: "Send" });
  const form = element("form", { class: "rtnb-compose" }, field, send);
  field.value = place.draft;
  field.addEventListener("input", () => { place.draft = field.value; }, { signal });
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
    field.value = place.draft = "";
  }, { signal });
  commands.follow(() => {
    field.disabled = send.disabled = commands.gone;
  }, signal);
  return form;
}

/**
 * A view of the panel.
 *
 * @param {{model: PanelModel, el: HTMLElement, signal: AbortSignal, host: Host}} view
 * @param {Commands} commands
 * @param {Place} place
 */
function show({ model, el, signal, host }, commands, place) {
  keepKeys(el, signal);
  const key = new TalkKey(model, commands);
  const bar = head(model, key, commands, signal);
  const alerts = new Alerts(signal);
  /** @param {string} source @param {string} words @param {() => void} [dismissed] */
  const tell = (source, words, dismissed) => {
    if (!commands.gone) alerts.tell(source, words, dismissed);
  };
  for (const name of ["error", "note"]) {
    followTraits(model, [name], () => tell(name, model.get(name), () => {
      model.set(name, "");
      model.save_changes();
    }));
  }

  const references = model.get("children");
  /** @param {string} name @param {HTMLElement} into */
  const fill = async (name, into) => {
    try {
      const part = await host.getWidget(references[name]);
      if (!signal.aborted) await part.render({ el: into, signal });
    } catch (failure) {
      console.error(failure);
      tell("parts", `A part of the panel can't be shown. ${TOO_OLD}`);
    }
  };

  const timeline = element("div", { class: "rtnb-panel-timeline" });
  const transcript = element("div", { class: "rtnb-panel-transcript" });
  const events = element("div");
  const calls = element("div");
  const timing = element("div");
  const state = new SettingsState(model, commands, signal);
  const settings = element("div", { class: "rtnb-settings" },
    settingsStatus(model, state), ...agentSettings(model, state, signal), turnSettings(model, state, signal));
  /** @type {EventsApi | null} */
  let known = null;
  const eventCount = () => known?.count ?? 0;
  const pages = tabs([
    { label: () => "Transcript", node: transcript, fill: () => fill("transcript", transcript) },
    { label: () => `Events ${eventCount() || ""}`.trim(), node: events, fill: () => fill("events", events) },
    { label: () => `Tools ${model.get("call_count") || ""}`.trim(), node: calls, fill: () => fill("calls", calls) },
    { label: () => "Timing", node: timing, fill: () => fill("timing", timing) },
    { label: () => "Settings", node: settings, fill: () => {} },
  ], place, signal);
  let begun = false;
  const count = () => {
    pages.paint();
    begun ||= model.get("connected") || eventCount() > 0;
    timeline.hidden = !begun;
  };
  followTraits(model, ["connected", "call_count"], count);

  const root = element("section", {
    class: "rtnb rtnb-panel", tabindex: 0, "aria-label": "Voice agent",
  }, bar.node, element("div", { class: "rtnb-panel-top" }, timeline, alerts.node), pages.list, transcript, events, calls, timing, settings, lastSession(model, commands, signal), compose(commands, place, signal));
  talkKeys(root, key, commands, signal);
  el.append(root);
  fill("timeline", timeline);

  const giveUp = () => {
    if (!commands.gone) return;
    bar.paint();
    alerts.clear();
    alerts.tell("kernel", KERNEL_GONE);
    for (const control of settings.querySelectorAll("input, select, textarea")) control.setAttribute("disabled", "");
  };
  commands.follow(giveUp, signal);

  /** Takes hold of the inspector's number of events. */
  const takeEvents = async () => {
    known = /** @type {EventsApi | undefined} */ ((await host.getWidget(references.events)).exports) ?? null;
    known?.follow(count, signal);
  };

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
    mouth.attach(el, signal);
    let status = "";
    mouth.subscribe((state) => {
      bar.paintLevel(state);
      const isOut = state.error && ["denied", "missing", "insecure"].includes(state.status);
      tell("microphone", isOut ? `${state.error}\n${insteadWords(model.get("endpoint"))}` : state.error);
      if (state.status !== status) bar.paint();
      status = state.status;
    }, signal);
    ear.subscribe((state) => tell("speaker", state.error), signal);
    followTraits(model, ["state"], () => ear.rest(model.get("state") === "disconnected"));
    settings.append(microphoneSettings(itsModel, mouth, signal));
    giveUp();
  };
  takeEvents().catch((failure) => console.error(failure));
  takeAudio().catch((failure) => {
    console.error(failure);
    tell("audio", `The page's microphone can't be reached. ${TOO_OLD}`);
  });
}

// Called once per widget and page.
export default () => {
  /** @type {Commands} */
  let commands;
  /** @type {Place} */
  const place = { tab: 0, draft: "" };
  return {
    /** @param {{model: PanelModel, signal: AbortSignal}} props */
    initialize({ model, signal }) {
      commands = new Commands(model, signal);
    },
    /** @param {{model: PanelModel, el: HTMLElement, signal: AbortSignal, host: Host}} view */
    render(view) {
      show(view, commands, place);
    },
  };
};
