// Recorded speech as a microphone would send it, for the JavaScript clients.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const BYTES_PER_MS = 48; // 24 kHz PCM16
const PIECE_MS = 40;

export const silence = (ms) => Buffer.alloc(ms * BYTES_PER_MS);

// The clips lie there as raw 24-kHz PCM16, between silences.
export const clip = (name) =>
  readFileSync(join(process.env.CLIPS, name.replace(".wav", ".pcm")));

// Sends pieces at the pace of life, which is what timings of libraries are made for.
export async function streamed(pcm, send) {
  const step = PIECE_MS * BYTES_PER_MS;
  const begun = Date.now();
  for (let start = 0; start < pcm.length; start += step) {
    send(pcm.subarray(start, start + step));
    const due = begun + (start + step) / BYTES_PER_MS;
    await new Promise((resolve) => setTimeout(resolve, due - Date.now()));
  }
}

const heard = [];

// Keeps audio that came from the server.
export const hear = (pcm) => heard.push(pcm);

// Writes what happened, and what was heard, for the test to read.
export function tell(told) {
  const pcm = Buffer.concat(heard);
  writeFileSync("heard.pcm", pcm);
  writeFileSync("told.json", JSON.stringify({ ...told, audio_ms: pcm.length / BYTES_PER_MS }));
}
