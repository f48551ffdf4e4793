import assert from "node:assert/strict";
import test from "node:test";
import { FakeElement, FakeModel, fakeDocument } from "./dom.mjs";
import { load } from "./load.mjs";

fakeDocument();
const panel = await load("agent_panel.js");
const { CALM_MS, flat } = await load("settings_state.js");
const { sliderText, voiceName } = await load("agent_settings.js");
const { takesEscape, takesSpace } = await load("agent_talk.js");
const { Alerts } = await load("alerts.js");

/** As Python has it. */
const TURN_TABLE = {
  kinds: [["server_vad", "Server VAD"], ["semantic_vad", "Semantic VAD"], ["none", "Push-to-talk"]].map(([name, label]) => ({ name, label, does: `${label}.` })),
  sliders: [
    { name: "threshold", label: "Threshold", does: "How sure.", min: 0, max: 1, step: 0.05, usual: 0.5, unit: "" },
    { name: "silence_duration_ms", label: "Silence", does: "How long.", min: 100, max: 2000, step: 50, usual: 200, unit: " ms" },
    { name: "prefix_padding_ms", label: "Padding", does: "How much.", min: 0, max: 1000, step: 50, usual: 300, unit: " ms" },
  ],
  eagerness: ["low", "high", "auto"].map((name) => ({ name, label: name, does: `Waits ${name}.` })),
  switches: [{ name: "create_response", label: "Answers", does: "It answers." }, { name: "interrupt_response", label: "Interrupts", does: "It stops." }],
};

/** The page's microphone or speaker: what it was asked for. */
function part(state) {
  const watchers = new Set();
  const asked = [];
  return {
    asked, state, count: 0,
    tell(change) { Object.assign(state, change); for (const watcher of watchers) watcher(state); },
    subscribe(watcher) { watchers.add(watcher); watcher(state); },
    attach() {},
    start() { this.asked.push("start"); this.tell({ status: "on" }); },
    stop() { this.asked.push("stop"); this.tell({ status: "off" }); },
    mute(on) { this.asked.push(`mute ${on}`); },
    unlock() { this.asked.push("unlock"); },
    rest(on) { this.asked.push(`rest ${on}`); },
  };
}

/** A panel that is shown, with the audio of its page. */
async function shown(traits = {}) {
  const microphone = part({ status: "off", error: "", muted: false, level: -100, speaking: false, devices: [], applied: {} });
  const speaker = part({ status: "off", error: "" });
  const counting = new Set();
  const events = { count: 0, follow(watcher) { counting.add(watcher); watcher(); } };
  const parts = { transcript: {}, events, timeline: {}, microphone, speaker };
  const model = new FakeModel({
    state: "disconnected", error: "", connected: false, talking: false, muted: false, push_to_talk: false,
    endpoint: "local", latency_ms: null, voices: ["alloy", "sage"], turn_table: TURN_TABLE, pending: {},
    settings: { instructions: "", voice: "alloy", turn_detection: { type: "server_vad" } },
    children: Object.fromEntries(Object.keys(parts).map((name) => [name, name])), ...traits,
  });
  const el = new FakeElement("div");
  const { signal } = new AbortController();
  const host = {
    getWidget: async (name) => ({ exports: parts[name], async render() {} }),
    getModel: async () => new FakeModel({ device_id: "" }),
  };
  const widget = panel.default();
  widget.initialize({ model, signal });
  widget.render({ model, el, signal, host });
  await new Promise((resolve) => setImmediate(resolve));
  const named = (name) => el.named("button", name);
  /** The same panel elsewhere on the page, as when its cell is moved. */
  const again = () => {
    const other = new FakeElement("div");
    widget.render({ model, el: other, signal, host });
    return other;
  };
  return {
    model, el, again, microphone, speaker, events, named, counting,
    commands: () => model.sent.filter(({ kind }) => kind === "command").map(({ name, value }) => (value === undefined ? name : [name, value])),
    state: () => el.querySelector(".rtnb-panel-state").textContent,
    alerts: () => el.querySelectorAll(".rtnb-problem-line").filter((line) => !line.hidden).map((line) => line.textContent),
  };
}

test("a slider says where it stands", () => {
  assert.equal(sliderText(0.5, ""), "0.50");
  assert.equal(sliderText(200, " ms"), "200 ms");
});

test("a voice of one's own is called by its id", () => {
  assert.deepEqual(["sage", { id: "voice_1" }, { name: "x" }, null, undefined].map(voiceName), ["sage", "voice_1", '{"name":"x"}', "", ""]);
});

test("the space bar is for talking unless something else wants it", () => {
  const within = (...matched) => ({ closest: (selector) => matched.find((name) => selector.includes(name)) ?? null });
  assert.equal(takesSpace(within()), true);
  assert.equal(takesSpace(within("button")), false);
  assert.equal(takesSpace(within("input")), false);
  assert.equal(takesSpace(within("[data-talk]", "button")), true);
  assert.equal(takesSpace(null), false);
  assert.equal(takesEscape(within("button")), true);
  assert.equal(takesEscape(within(".rtnb-events")), false);
  assert.equal(takesEscape(null), false);
});

test("a kernel that is restarted while the microphone is off: the panel says so and can't be used", async () => {
  const { model, el, microphone, named, state, alerts, commands } = await shown({ state: "listening", connected: true, error: "Something old." });
  assert.equal(state(), "ready");
  model.die();
  assert.equal(state(), "kernel gone");
  assert.equal(alerts().length, 1);
  assert.match(alerts()[0], /Run the cells again/);
  for (const name of ["Connect", "Talk", "Mute mic", "Send"]) assert.equal(named(name).disabled, true, name);
  for (const name of ["input", "select", "textarea"]) {
    assert.ok(el.querySelectorAll(name).every(({ disabled }) => disabled), name);
  }
  microphone.tell({ error: "The kernel has gone, so the microphone was switched off." });
  el.querySelector(".rtnb-panel").fire("keydown", { key: " " });
  assert.equal(alerts().length, 1);
  assert.deepEqual([commands(), microphone.asked], [[], []]);
});

test("a press that can't be sent is noticed as the kernel's end", async () => {
  const { model, named, state } = await shown({ state: "listening", connected: true });
  model.live = false;
  named("Disconnect").click();
  assert.equal(state(), "kernel gone");
});

test("a panel that is shown again after the kernel's end says so, too", async () => {
  const model = new FakeModel({ state: "speaking", connected: true, error: "", settings: {}, voices: [], turn_table: TURN_TABLE, pending: {}, children: {} });
  const widget = panel.default();
  const { signal } = new AbortController();
  widget.initialize({ model, signal });
  model.die();
  const el = new FakeElement("div");
  const host = { getWidget: async () => ({ exports: undefined, async render() {} }) };
  widget.render({ model, el, signal, host });
  assert.equal(el.querySelector(".rtnb-panel-state").textContent, "kernel gone");
});

test("a panel whose cell is moved has the tab that was chosen, and the words that were not sent yet", async () => {
  const { el, again, commands } = await shown();
  const chosen = (place) => place.querySelectorAll("[role=tab]").findIndex((one) => one.getAttribute("aria-selected") === "true");
  const field = (place) => place.named("input", "Message");
  assert.deepEqual([chosen(again()), field(again()).value], [0, ""]);
  el.querySelectorAll("[role=tab]")[4].click();
  field(el).value = "half a sent";
  field(el).fire("input");
  const moved = again();
  assert.deepEqual([chosen(moved), field(moved).value], [4, "half a sent"]);
  field(moved).value += "ence";
  moved.querySelector("form").fire("submit");
  assert.deepEqual(commands(), [["say", "half a sentence"]]);
  assert.equal(field(again()).value, "");
});

test("a slider changes its own setting only, and shows what it is given", async () => {
  const detection = { type: "server_vad", threshold: 0.33, silence_duration_ms: 5000, prefix_padding_ms: 300 };
  const { el, commands } = await shown({ settings: { turn_detection: detection } });
  const [threshold, silence, padding] = el.querySelectorAll("input[type=range]");
  const texts = el.querySelectorAll("output").map((node) => node.textContent);
  assert.deepEqual(texts, ["0.33", "5000 ms", "300 ms"]);
  assert.deepEqual([silence.max, silence.value], ["5000", "5000"]);
  assert.equal(threshold.getAttribute("aria-valuetext"), "0.33");
  padding.value = "400";
  padding.fire("pointerdown");
  padding.fire("change");
  assert.deepEqual(commands(), [["update", { turn_detection: { prefix_padding_ms: 400 } }]]);
});

test("a voice of one's own can be chosen again", async () => {
  const { el, commands } = await shown({ settings: { voice: { id: "voice_1" } } });
  const [voice] = el.querySelectorAll("select");
  assert.deepEqual(voice.children.map((option) => option.textContent), ["voice_1", "alloy", "sage"]);
  assert.equal(voice.value, "voice_1");
  voice.value = "sage";
  voice.fire("change");
  voice.fire("blur");
  voice.value = "voice_1";
  voice.fire("change");
  voice.fire("blur");
  assert.deepEqual(commands(), [["update", { voice: "sage" }], ["update", { voice: { id: "voice_1" } }]]);
});

test("what is wrong now is seen beside what was wrong before, the newest first", async () => {
  const { model, microphone, el, alerts } = await shown({ error: "Unknown option." });
  microphone.tell({ status: "ended", error: "The microphone was unplugged." });
  assert.deepEqual(alerts(), ["The microphone was unplugged.", "Unknown option."]);
  model.change({ error: "The microphone was unplugged." });
  assert.deepEqual(alerts(), ["The microphone was unplugged."]);
  el.named("button", "Dismiss").click();
  microphone.tell({ level: -90 });
  assert.deepEqual(alerts(), []);
  assert.equal(model.get("error"), "");
  model.change({ error: "The microphone was unplugged." });
  assert.deepEqual(alerts(), ["The microphone was unplugged."]);
});

test("what was dismissed comes back when it goes wrong again", () => {
  const alerts = new Alerts(new AbortController().signal);
  alerts.tell("microphone", "No sound.");
  alerts.node.named("button", "Dismiss").click();
  alerts.tell("microphone", "No sound.");
  assert.equal(alerts.node.children.length, 0);
  alerts.tell("microphone", "");
  alerts.tell("microphone", "No sound.");
  assert.equal(alerts.node.children.length, 1);
});

test("push-to-talk: what can't be held talks from one press to the next", async () => {
  const { named, commands, microphone } = await shown({ push_to_talk: true, state: "listening", connected: true });
  const talk = named("Talk");
  talk.click(0);
  assert.equal(microphone.state.status, "on");
  talk.click(0);
  assert.deepEqual(commands(), ["talk", "stop"]);
  talk.fire("pointerdown", { button: 0, pointerId: 1 });
  talk.fire("pointerup");
  talk.click(1);
  assert.deepEqual(commands(), ["talk", "stop", "talk", "stop"]);
  assert.equal(talk.fire("keydown", { key: "Enter", repeat: true }), false);
});

test("Escape stops the answer, but not from where it has a use of its own", async () => {
  const { el, named, commands } = await shown({ state: "speaking", connected: true });
  el.named("textarea", "Instructions").fire("keydown", { key: "Escape" });
  const root = el.querySelector(".rtnb-panel");
  root.fire("keydown", { key: "Escape", isComposing: true });
  assert.deepEqual(commands(), []);
  root.fire("keydown", { key: "Escape" });
  named("Mute mic").fire("keydown", { key: "Escape" });
  const message = el.named("input", "Message");
  message.fire("keydown", { key: "Escape", isComposing: true }); // ends what is being composed
  message.fire("keydown", { key: "Escape" });
  assert.deepEqual(commands(), ["interrupt", "interrupt", "interrupt"]);
});

test("an answer can be stopped by a button as long as there is one, also while the user speaks", async () => {
  const { model, named, commands } = await shown({ state: "listening", connected: true });
  assert.equal(named("Stop answer").disabled, true);
  for (const state of ["thinking", "speaking", "hearing"]) {
    model.change({ state, answering: true });
    named("Stop answer").click();
  }
  model.change({ state: "listening", answering: false });
  named("Stop answer").click();
  assert.deepEqual(commands(), ["interrupt", "interrupt", "interrupt"]);
});

test("with the microphone off it is ready, not listening", async () => {
  const { state, microphone, model } = await shown({ state: "listening", connected: true });
  assert.equal(state(), "ready");
  microphone.tell({ status: "on" });
  assert.equal(state(), "listening");
  model.change({ state: "hearing" });
  assert.equal(state(), "hearing you");
  microphone.tell({ status: "ended" });
  assert.equal(state(), "ready");
  model.change({ state: "speaking" });
  microphone.tell({ status: "off" });
  assert.equal(state(), "speaking");
});

test("it says what it waits for, whatever the server does meanwhile", async () => {
  const { state, microphone, model } = await shown({ state: "listening", connected: true });
  for (const [status, words] of [["asking", "allow the microphone"], ["opening", "opening the microphone"], ["suspended", "press Talk to go on"]]) {
    microphone.tell({ status });
    for (const one of ["listening", "hearing", "connecting"]) {
      model.change({ state: one });
      assert.equal(state(), words);
    }
  }
});

test("without a microphone it says what works here instead, in lines to paste", async () => {
  const { el, microphone, alerts } = await shown({ state: "listening", connected: true });
  microphone.tell({ status: "denied", error: "The browser says no. Run `jupyter lab`." });
  assert.match(alerts()[0], /type a message/);
  const lines = el.querySelectorAll("code").map((node) => node.textContent).filter((line) => line);
  assert.deepEqual(lines,
    ["jupyter lab", 'agent = rt.Agent("local", audio="host")', 'agent = rt.Agent("local", audio="question.wav")']);
  microphone.tell({ status: "on", error: "The microphone is on and gives nothing but silence." });
  assert.doesNotMatch(alerts()[0], /instead/);
});

test("the tab counts the events that the page has", async () => {
  const { el, events, counting } = await shown();
  const tab = el.querySelectorAll("[role=tab]")[1];
  assert.equal(tab.textContent, "Events");
  events.count = 39;
  for (const watcher of counting) watcher();
  assert.equal(tab.textContent, "Events 39");
});

test("the timeline is shown from the first session on", async () => {
  const { el, model } = await shown();
  const timeline = el.querySelector(".rtnb-panel-timeline");
  assert.equal(timeline.hidden, true);
  model.change({ connected: true, state: "listening" });
  assert.equal(timeline.hidden, false);
  model.change({ connected: false, state: "disconnected" });
  assert.equal(timeline.hidden, false);
});

test("disconnected, it lets the loudspeaker rest; the next press wakes it", async () => {
  const { model, named, speaker } = await shown({ state: "listening", connected: true });
  model.change({ connected: false, state: "disconnected" });
  named("Connect").click();
  model.change({ state: "connecting" });
  assert.deepEqual(speaker.asked, ["rest false", "rest true", "unlock", "rest false"]);
});

test("what is typed and shown finds its own direction", async () => {
  const { el } = await shown();
  for (const name of ["Message", "Instructions"]) {
    assert.equal((el.named("input", name) ?? el.named("textarea", name)).getAttribute("dir"), "auto", name);
  }
});

const SILENCE = { type: "server_vad", threshold: 0.5, silence_duration_ms: 200, prefix_padding_ms: 300 };

test("six presses of a key are one update; back again is none", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { el, commands } = await shown({ settings: { turn_detection: SILENCE, open: true, confirmed_s: 1 } });
  const silence = el.querySelectorAll("input[type=range]")[1];
  const press = (value) => {
    silence.fire("keydown", { key: "ArrowRight" });
    silence.value = String(value);
    silence.fire("input");
    silence.fire("change");
    t.mock.timers.tick(CALM_MS / 2);
  };
  for (const value of [250, 300, 350, 400, 450, 500]) press(value);
  assert.deepEqual(commands(), []);
  t.mock.timers.tick(CALM_MS);
  assert.deepEqual(commands(), [["update", { turn_detection: { silence_duration_ms: 500 } }]]);
  press(550);
  press(500);
  t.mock.timers.tick(CALM_MS);
  assert.equal(commands().length, 1);
});

test("a pointer that is let go is an update at once, not each pixel", async () => {
  const { el, commands } = await shown({ settings: { turn_detection: SILENCE, open: true } });
  const silence = el.querySelectorAll("input[type=range]")[1];
  silence.fire("pointerdown");
  for (let value = 210; value <= 700; value += 10) {
    silence.value = String(value);
    silence.fire("input");
  }
  assert.deepEqual(commands(), []);
  silence.fire("change");
  assert.deepEqual(commands(), [["update", { turn_detection: { silence_duration_ms: 700 } }]]);
});

test("what was asked for is pending until it is in force, and a refusal leaves what is", async () => {
  const { el, model } = await shown({ settings: { turn_detection: SILENCE, open: true, confirmed_s: 2 } });
  const status = () => el.querySelector(".rtnb-settings-status").textContent;
  const silence = el.querySelectorAll("input[type=range]")[1];
  const row = silence.parent;
  assert.equal(status(), "In force, confirmed by the server at 0:02.");
  silence.fire("pointerdown");
  silence.value = "750";
  silence.fire("change");
  assert.match(status(), /^Pending/);
  assert.match(row.textContent, /750 ms.*now 200 ms/);
  model.change({ pending: { turn_detection: { silence_duration_ms: 750 } } });
  model.change({ settings: { turn_detection: SILENCE, open: true, confirmed_s: 2 } });
  assert.match(status(), /^Pending/); // of something else: this one is still asked for
  model.change({ settings: { turn_detection: { ...SILENCE, silence_duration_ms: 750 }, open: true, confirmed_s: 9 } });
  assert.equal(status(), "In force, confirmed by the server at 0:09.");
  model.change({ pending: { turn_detection: { silence_duration_ms: 900 } } });
  assert.equal(silence.value, "900");
  model.change({ pending: {} });
  assert.deepEqual([silence.value, row.classList.contains("rtnb-waits")], ["750", false]);
});

test("the kinds of turn detection have controls of their own", async () => {
  const { el, model, commands } = await shown({ settings: { turn_detection: SILENCE, open: true } });
  const seen = () => el.querySelectorAll("input[type=range]").filter((one) => !one.parent.hidden).length;
  const kind = el.named("select", "Turns end by");
  assert.equal(seen(), 3);
  for (const name of ["semantic_vad", "none"]) {
    kind.value = name;
    kind.fire("change");
    kind.fire("blur");
    assert.equal(seen(), 0);
  }
  assert.deepEqual(commands().map(([, { turn_detection: { type } }]) => type), ["semantic_vad", "none"]);
  model.change({ settings: { turn_detection: { type: "azure_vad" }, open: true } });
  assert.equal(kind.value, "azure_vad");
});

test("settings by name", () => {
  assert.deepEqual(flat({ voice: "ash", turn_detection: null }), { voice: "ash", type: "none" });
  assert.deepEqual(flat({ turn_detection: {} }), { type: "server_vad" });
  assert.deepEqual(flat({}), {});
});
