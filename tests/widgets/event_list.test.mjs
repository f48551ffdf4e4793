import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { EventList, MAX_EVENTS, decodeSummary, deltaText, folds, secondsText, sinceText, sizeText } =
  await load("event_list.js");

let next = 0;

/** An event as Python sends it. */
function event(type, { sent = false, item = "", response = "", call = "", id = "", cause = "", bytes = 0, text = "" } = {}) {
  const seq = next++;
  return decodeSummary([seq, seq * 10, sent ? 1 : 0, type, id, item, response, call, cause, bytes, text], new Map());
}

function list(...events) {
  const made = new EventList();
  made.append(events);
  return made;
}

const AUDIO = "response.output_audio.delta";
const TEXT = "response.output_audio_transcript.delta";
const rows = ({ entries }) => entries.map(({ first, members }) => `${first.type}${members ? ` ×${members.length}` : ""}`);

test("deltas of a kind fold, though those of another kind come in between", () => {
  const of = { item: "a" };
  const made = list(
    event("response.created"),
    event(AUDIO, { ...of, bytes: 100 }), event(TEXT, { ...of, text: "Hello" }),
    event(AUDIO, { ...of, bytes: 50 }), event(TEXT, { ...of, text: " there" }),
    event("response.done"),
    event(AUDIO, of),
  );
  assert.deepEqual(rows(made), ["response.created", `${AUDIO} ×2`, `${TEXT} ×2`, "response.done", AUDIO]);
  assert.equal(made.entries[1].bytes, 150);
  assert.equal(made.entries[2].text, "Hello there");
});

test("deltas of two items don't fold together", () => {
  assert.deepEqual(rows(list(event(AUDIO, { item: "a" }), event(AUDIO, { item: "b" }))), [AUDIO, AUDIO]);
});

test("folding in two batches is folding in one", () => {
  const events = [event(AUDIO, { item: "a" }), event(AUDIO, { item: "a" }), event("error"), event(AUDIO, { item: "a" })];
  for (let cut = 0; cut <= events.length; cut++) {
    const made = new EventList();
    made.append(events.slice(0, cut));
    made.append(events.slice(cut));
    assert.deepEqual(rows(made), [`${AUDIO} ×2`, "error", AUDIO]);
  }
});

test("only deltas and microphone audio fold", () => {
  assert.ok(folds(AUDIO) && folds("input_audio_buffer.append"));
  assert.ok(!folds("response.done") && !folds("input_audio_buffer.speech_started"));
});

test("a fold opens and closes; what comes later begins another", () => {
  const made = list(event("response.created"), event(AUDIO), event(AUDIO), event("response.done"));
  made.expand(1, true);
  assert.deepEqual(rows(made), ["response.created", `${AUDIO} ×2`, AUDIO, AUDIO, "response.done"]);
  assert.deepEqual(made.entries.map(({ child }) => child), [false, false, true, true, false]);
  made.expand(1, false);
  assert.deepEqual(rows(made), ["response.created", `${AUDIO} ×2`, "response.done"]);

  const running = list(event(AUDIO), event(AUDIO));
  running.expand(0, true);
  running.append([event(AUDIO), event(AUDIO)]);
  assert.deepEqual(rows(running), [`${AUDIO} ×2`, AUDIO, AUDIO, `${AUDIO} ×2`]);
});

test("filters: direction, type, id, text, and all together", () => {
  const made = list(
    event("session.update", { sent: true, id: "evt_1", text: "voice: <b>nobody</b>" }),
    event("error", { cause: "evt_1", text: "invalid_value: No such VOICE" }),
    event("response.output_item.done", { item: "item_1", response: "resp_1", call: "call_1" }),
    event("response.done", { response: "resp_1" }),
  );
  const shown = (change) => {
    made.change({ text: "", id: "", sent: true, received: true, hiddenTypes: new Set(), ...change });
    return rows(made);
  };
  assert.deepEqual(shown({ received: false }), ["session.update"]);
  assert.deepEqual(shown({ sent: false, hiddenTypes: new Set(["error"]) }), ["response.output_item.done", "response.done"]);
  assert.deepEqual(shown({ id: "resp_1" }), ["response.output_item.done", "response.done"]);
  assert.deepEqual(shown({ id: "call_1" }), ["response.output_item.done"]);
  assert.deepEqual(shown({ id: "evt_1" }), ["session.update", "error"]);
  assert.deepEqual(shown({ text: "voice" }), ["session.update", "error"]);
  assert.deepEqual(shown({ text: "ITEM_1" }), ["response.output_item.done"]);
  assert.deepEqual(shown({ text: "voice", sent: false }), ["error"]);
  assert.equal(made.shown, 1);
  assert.equal(shown({}).length, 4);
});

test("what comes under a filter is filtered", () => {
  const made = list(event("a", { sent: true }));
  made.change({ received: false });
  made.append([event("b"), event("c", { sent: true })]);
  assert.deepEqual(rows(made), ["a", "c"]);
  assert.equal(made.events.length, 3);
});

test("unfolded, each event has a row", () => {
  const made = list(event(AUDIO), event(AUDIO));
  made.change({ folded: false });
  assert.deepEqual(rows(made), [AUDIO, AUDIO]);
});

test("an event's row is found, in a fold too", () => {
  const events = [event("response.created"), event(AUDIO), event(TEXT), event(AUDIO), event("response.done")];
  const made = list(...events);
  assert.deepEqual(events.map(({ seq }) => made.place(seq)), [0, 1, 2, 1, 3]);
  assert.equal(made.place(-5), -1);
});

test("an error knows what caused it", () => {
  const cause = event("session.update", { sent: true, id: "evt_9" });
  const made = list(cause, event("error", { cause: "evt_9" }));
  assert.equal(made.sentById.get("evt_9"), cause);
  assert.ok(made.refused.has("evt_9"));
});

test("the oldest are dropped, and counted", () => {
  const made = new EventList();
  made.append(Array.from({ length: MAX_EVENTS + 1 }, (_, n) => event(n === 0 ? "first" : "later")));
  assert.equal(made.events.length + made.dropped, MAX_EVENTS + 1);
  assert.ok(made.events.length <= MAX_EVENTS && made.events.length > MAX_EVENTS / 2);
  assert.equal(made.entries.length, made.events.length);
  assert.ok(!made.types.has("first"));
  assert.equal(made.types.get("later"), made.events.length);
});

test("numbers for people", () => {
  assert.deepEqual([0, 999, 1_000, 12_345, 2_500_000].map(sizeText), ["", "999 B", "1.0 kB", "12 kB", "2.5 MB"]);
  assert.deepEqual([0, 999, 1_500, 600_000].map(deltaText), ["+0 ms", "+999 ms", "+1.5 s", "+10 min"]);
  assert.deepEqual([sinceText(100, 250), sinceText(250, 100), sinceText(null, 1), sinceText(1, null)], ["+150 ms", "+0 ms", "", ""]);
  assert.equal(secondsText(null), "");
  assert.equal(secondsText(12_345.6), "12.346");
});

test("what lost a race is not refused", () => {
  const made = new EventList();
  const row = (benign, cause) => decodeSummary([0, 1, 0, "error", "", "", "", "", cause, 0, "", benign], new Map());
  made.append([row(1, "a"), row(0, "b")]);
  assert.deepEqual(made.events.map((one) => one.benign), [true, false]);
  assert.deepEqual([...made.refused], ["b"]);
});
