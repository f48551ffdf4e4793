// `@openai/agents-realtime`: what it can do of the seven scenarios, told as one line of JSON.

// docs
import { RealtimeAgent, RealtimeSession, tool } from "@openai/agents-realtime";
// docs: end
import { z } from "zod";
import { clip, hear, silence, streamed, tell } from "./speech.mjs";

const MODEL = "gpt-realtime-2.1";
const SERVER_VAD = { type: "server_vad", silenceDurationMs: 500, interruptResponse: true };
const TRANSCRIPTION = { model: "gpt-4o-mini-transcribe" };

const told = { said: [], heard: [], calls: [], errors: [] };
const asides = new Set(); // its history holds these answers, too

const getWeather = tool({
  name: "get_weather",
  description: "Get the current weather in a city.",
  parameters: z.object({ city: z.string() }),
  execute: async (given) => {
    told.calls.push({ name: "get_weather", arguments: given });
    return { sky: "cloudy", celsius: 12 };
  },
});

async function opened({ tools = [], ...config }) {
  // docs
  const agent = new RealtimeAgent({ name: "Assistant", instructions: "Be brief.", tools });
  const session = new RealtimeSession(agent, {
    transport: "websocket",
    model: MODEL,
    config,
  });
  // docs: end
  const until = (name, times = 1) =>
    new Promise((resolve) => {
      const listener = (...given) => {
        times -= 1;
        if (times) return;
        session.off(name, listener);
        resolve(given);
      };
      session.on(name, listener);
    });
  const untilEvent = (type, times = 1) =>
    new Promise((resolve) => {
      const listener = (event) => {
        times -= event.type === type;
        if (times) return;
        session.off("transport_event", listener);
        resolve(event);
      };
      session.on("transport_event", listener);
    });
  session.on("error", ({ error }) => {
    const cause = error?.error?.error ?? error?.error ?? error;
    told.errors.push({ code: cause?.code ?? null, message: String(cause?.message) });
  });
  session.on("audio", ({ data }) => {
    hear(Buffer.from(data));
  });
  const updated = untilEvent("session.updated", 2); // its tracing, then its settings
  // docs
  const url = `${process.env.REALTIME_URL}?model=${MODEL}`;
  await session.connect({ apiKey: process.env.API_KEY, url });
  // docs: end
  await updated;
  return { session, until, untilEvent };
}

const ask = async ({ session, untilEvent }, text) => {
  const done = untilEvent("response.done");
  session.sendMessage(text);
  await done;
};

const say = (session, pcm) =>
  streamed(pcm, (piece) => {
    const { buffer, byteOffset, length } = piece;
    session.sendAudio(buffer.slice(byteOffset, byteOffset + length));
  });

const scenarios = {
  async text() {
    const opening = await opened({ outputModalities: ["text"] });
    await ask(opening, "My name is Ada.");
    await ask(opening, "What is my name?");
    return opening.session;
  },

  async audio() {
    const audio = { input: { turnDetection: SERVER_VAD, transcription: TRANSCRIPTION } };
    const { session, untilEvent } = await opened({ audio });
    const done = untilEvent("response.done");
    const heard = untilEvent("conversation.item.input_audio_transcription.completed");
    await say(session, clip("austen_0880.wav"));
    await Promise.all([done, heard]);
    return session;
  },

  async push_to_talk() {
    const audio = { input: { turnDetection: null, transcription: TRANSCRIPTION } };
    const { session, untilEvent } = await opened({ audio });
    const done = untilEvent("response.done");
    const heard = untilEvent("conversation.item.input_audio_transcription.completed");
    await say(session, clip("cards_001.wav"));
    session.sendAudio(new Uint8Array(silence(40)).buffer, { commit: true });
    session.transport.sendEvent({ type: "response.create" });
    await Promise.all([done, heard]);
    return session;
  },

  async tool() {
    const { session, untilEvent } = await opened({ tools: [getWeather] });
    const done = untilEvent("response.done", 2);
    session.sendMessage("What is the weather in London?");
    await done;
    return session;
  },

  async interruption() {
    const audio = { input: { turnDetection: SERVER_VAD, transcription: TRANSCRIPTION } };
    const { session, until, untilEvent } = await opened({ audio });
    const done = untilEvent("response.done", 2);
    const begun = until("audio_start");
    const interrupted = until("audio_interrupted");
    const truncated = untilEvent("conversation.item.truncated");
    session.sendMessage("Please count to thirty.");
    await begun;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const speaking = say(session, clip("cards_003.wav"));
    await interrupted;
    told.interrupted = true;
    told.truncated_ms = (await truncated).audio_end_ms;
    await Promise.all([done, speaking]);
    return session;
  },

  async out_of_band() {
    const opening = await opened({ outputModalities: ["text"] });
    const { session, untilEvent } = opening;
    await ask(opening, "My name is Ada.");
    const done = untilEvent("response.done");
    const content = [{ type: "input_text", text: "What is my name?" }];
    session.transport.sendEvent({
      type: "response.create",
      response: {
        conversation: "none",
        metadata: { topic: "aside" },
        output_modalities: ["text"],
        input: [{ type: "message", role: "user", content }],
      },
    });
    const { response } = await done;
    told.aside = { metadata: response.metadata, said: response.output[0].content[0].text };
    asides.add(response.output[0].id);
    await ask(opening, "What is my name?");
    return session;
  },
};

const session = await scenarios[process.argv[2]]();
const end = Date.now() + 3000; // its history takes what came last a moment later
const whole = () => session.history.every((item) => item.status !== "in_progress");
while (!whole() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
for (const item of session.history) {
  if (item.type !== "message" || asides.has(item.itemId)) continue;
  const words = item.content.map((part) => part.transcript ?? part.text ?? "").join(" ");
  if (item.role === "assistant") told.said.push(words);
  else if (item.content.some((part) => part.type === "input_audio")) told.heard.push(words);
}
session.close();
tell(told);
process.exit(0);
