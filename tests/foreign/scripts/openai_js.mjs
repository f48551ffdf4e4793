// The JavaScript package `openai`: what it can do of the seven scenarios, told as one line of JSON.

// docs
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const client = new OpenAI({ baseURL: process.env.BASE_URL, apiKey: process.env.API_KEY });
// docs: end
import { clip, hear, streamed, tell } from "./speech.mjs";

const MODEL = "gpt-realtime-2.1";
const WEATHER = {
  type: "function",
  name: "get_weather",
  description: "Get the current weather in a city.",
  parameters: {
    type: "object",
    properties: { city: { type: "string" } },
    required: ["city"],
  },
};
const SERVER_VAD = { type: "server_vad", silence_duration_ms: 500 };
const TRANSCRIPTION = { model: "gpt-4o-mini-transcribe" };

const told = { said: [], heard: [], calls: [], errors: [] };

function connect(target) {
  // docs
  const realtime = new OpenAIRealtimeWS(target, client);
  // docs: end
  const waiting = [];
  realtime.on("error", (error) => {
    told.errors.push({ code: error.error?.code ?? null, message: error.message });
  });
  realtime.on("event", (event) => {
    for (const one of waiting.splice(0)) {
      if (!one.taken(event)) waiting.push(one);
    }
  });
  realtime.on("response.output_audio.delta", (event) => {
    hear(Buffer.from(event.delta, "base64"));
  });
  realtime.on("response.done", ({ response }) => {
    const parts = response.output.flatMap((item) => item.content ?? []);
    if (response.conversation_id && parts.length) {
      told.said.push(parts.map((part) => part.transcript ?? part.text).join(" "));
    }
  });
  realtime.on("conversation.item.input_audio_transcription.completed", (event) => {
    told.heard.push(event.transcript);
  });
  const until = (type, times = 1) =>
    new Promise((resolve) => {
      const taken = (event) => {
        times -= event.type === type;
        if (!times) resolve(event);
        return !times;
      };
      waiting.push({ taken });
    });
  return { realtime, until };
}

async function opened(session) {
  const connection = connect({ model: MODEL });
  await connection.until("session.created");
  const updated = connection.until("session.updated");
  connection.realtime.send({
    type: "session.update",
    session: { type: "realtime", ...session },
  });
  await updated;
  return connection;
}

function write(realtime, text) {
  const content = [{ type: "input_text", text }];
  realtime.send({
    type: "conversation.item.create",
    item: { type: "message", role: "user", content },
  });
}

const say = (realtime, pcm) =>
  streamed(pcm, (piece) => {
    realtime.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
  });

async function ask({ realtime, until }, text) {
  const done = until("response.done");
  write(realtime, text);
  realtime.send({ type: "response.create" });
  return (await done).response;
}

const scenarios = {
  async text() {
    const session = await opened({ output_modalities: ["text"] });
    await ask(session, "My name is Ada.");
    await ask(session, "What is my name?");
    return session;
  },

  async audio() {
    const audio = { input: { turn_detection: SERVER_VAD, transcription: TRANSCRIPTION } };
    const session = await opened({ audio });
    const done = session.until("response.done");
    const heard = session.until("conversation.item.input_audio_transcription.completed");
    await say(session.realtime, clip("austen_0880.wav"));
    await Promise.all([done, heard]);
    return session;
  },

  async push_to_talk() {
    const audio = { input: { turn_detection: null, transcription: TRANSCRIPTION } };
    const session = await opened({ audio });
    const done = session.until("response.done");
    const heard = session.until("conversation.item.input_audio_transcription.completed");
    await say(session.realtime, clip("cards_001.wav"));
    session.realtime.send({ type: "input_audio_buffer.commit" });
    session.realtime.send({ type: "response.create" });
    await Promise.all([done, heard]);
    return session;
  },

  async tool() {
    const session = await opened({ tools: [WEATHER] });
    const { output } = await ask(session, "What is the weather in London?");
    const call = output.find((item) => item.type === "function_call");
    told.calls.push({ name: call.name, arguments: JSON.parse(call.arguments) });
    const done = session.until("response.done");
    session.realtime.send({
      type: "conversation.item.create",
      item: {
        type: "function_call_output",
        call_id: call.call_id,
        output: JSON.stringify({ sky: "cloudy", celsius: 12 }),
      },
    });
    session.realtime.send({ type: "response.create" });
    await done;
    return session;
  },

  async interruption() {
    const audio = { input: { turn_detection: SERVER_VAD, transcription: TRANSCRIPTION } };
    const session = await opened({ audio });
    const { realtime, until } = session;
    const begun = until("response.output_audio.delta");
    const started = until("input_audio_buffer.speech_started");
    const truncated = until("conversation.item.truncated");
    const done = until("response.done", 2);
    write(realtime, "Please count to thirty.");
    realtime.send({ type: "response.create" });
    const { item_id } = await begun;
    const since = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const speaking = say(realtime, clip("cards_003.wav"));
    await started;
    told.played_ms = Date.now() - since;
    realtime.send({
      type: "conversation.item.truncate",
      item_id,
      content_index: 0,
      audio_end_ms: told.played_ms,
    });
    told.truncated_ms = (await truncated).audio_end_ms;
    told.interrupted = true;
    await Promise.all([done, speaking]);
    return session;
  },

  async out_of_band() {
    const session = await opened({ output_modalities: ["text"] });
    await ask(session, "My name is Ada.");
    const done = session.until("response.done");
    const content = [{ type: "input_text", text: "What is my name?" }];
    session.realtime.send({
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
    await ask(session, "What is my name?");
    return session;
  },

  async transcription() {
    const session = connect({ intent: "transcription" });
    await session.until("session.created");
    const updated = session.until("session.updated");
    const input = { turn_detection: SERVER_VAD, transcription: TRANSCRIPTION };
    session.realtime.send({
      type: "session.update",
      session: { type: "transcription", audio: { input } },
    });
    await updated;
    const heard = session.until("conversation.item.input_audio_transcription.completed");
    await say(session.realtime, clip("austen_0930.wav"));
    await heard;
    return session;
  },
};

const { realtime } = await scenarios[process.argv[2]]();
const closed = new Promise((resolve) => realtime.socket.on("close", resolve));
realtime.close();
await closed;
tell(told);
