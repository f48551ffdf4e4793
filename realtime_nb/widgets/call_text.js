// @ts-check
/**
 * The call inspector's texts and rows.
 *
 * @typedef {object} Call A row, as call_inspector.py sends it.
 * @property {string} id
 * @property {string} name
 * @property {number | null} turn
 * @property {number | null} t_s When the call began.
 * @property {string} outcome
 * @property {string | null} progress How far it is, of one that runs and told.
 * @property {boolean} cancels Whether it can be cancelled.
 * @property {number} broken How many things in its arguments break the schema.
 * @property {number | null} decide_ms
 * @property {number | null} queue_ms
 * @property {number | null} run_ms
 * @property {number | null} send_ms
 * @property {number | null} others_ms How long its output waited for those of other calls.
 * @property {number | null} resume_ms
 * @property {string | null} run_outcome How its run ended, where the session reported that.
 * @property {string | null} run_note From when to when run_ms is.
 * @property {string | null} queue_note Why queue_ms is not known.
 */
import { durationText } from "./texts.js";

const PARTS = /** @type {const} */ (["decide_ms", "queue_ms", "run_ms", "send_ms", "others_ms", "resume_ms"]);
export const PART_NAMES = PARTS.map((part) => part.slice(0, -"_ms".length));

/**
 * JSON with a line for each entry. It need not be whole, as while it streams, and numbers stay as
 * they were written. What does not begin as an object or array stays as it is.
 *
 * @param {string} text
 */
export function pretty(text) {
  if (!/^\s*[[{]/.test(text)) return text;
  let written = "";
  let depth = 0;
  let quoted = false;
  const line = () => `\n${"  ".repeat(Math.max(0, depth))}`;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at];
    if (quoted) {
      written += letter;
      if (letter === "\\") written += text[++at] ?? "";
      else if (letter === '"') quoted = false;
    } else if (letter === '"') {
      quoted = true;
      written += letter;
    } else if (letter === "{" || letter === "[") {
      const rest = /^\s*[\]}]/.exec(text.slice(at + 1, at + 40));
      if (rest) {
        written += letter + rest[0].trim();
        at += rest[0].length;
      } else {
        depth += 1;
        written += letter + line();
      }
    } else if (letter === "}" || letter === "]") {
      depth -= 1;
      written += line() + letter;
    } else if (letter === ",") written += letter + line();
    else if (letter === ":") written += ": ";
    else if (!/\s/.test(letter)) written += letter;
  }
  return written.trimEnd();
}

/** How long it took; a dash where that is not known. @param {number | null} ms */
export function msText(ms) {
  return durationText(ms) || "–";
}

/** How it ended or how far it is, and whether its arguments fit. @param {Call} call */
export function outcomeText(call) {
  const broken = call.broken ? `${call.broken} off schema` : "";
  return [call.outcome, call.progress, broken].filter(Boolean).join(" · ");
}

/** Each part of a call's time as a share of the longest call. @param {Call} call
 * @param {number} longest In ms. */
export function shares(call, longest) {
  return PARTS.map((part) => (longest > 0 ? Math.max(0, call[part] ?? 0) / longest : 0));
}

/** Each part and how long it took. @param {Call} call */
export function partTexts(call) {
  return PARTS.map((part, n) => `${PART_NAMES[n]} ${msText(call[part])}`);
}

/** What there is to say of how it ran. @param {Call} call */
export function runText(call) {
  if (call.run_outcome === "invalid") return "It was not run: its arguments don't fit.";
  const ended = call.run_outcome ? `The run ended: ${call.run_outcome}.` : "";
  const span = call.run_ms !== null && call.run_note ? `Run is ${call.run_note}.` : "";
  const queue = call.queue_ms === null && call.queue_note ? `No queue: ${call.queue_note}.` : "";
  return [ended, span, queue].filter(Boolean).join(" ");
}

/** @param {Call} call */
export function totalMs(call) {
  return PARTS.reduce((sum, part) => sum + Math.max(0, call[part] ?? 0), 0);
}

/** @param {Call} call @param {string} text */
export function fits(call, text) {
  const wanted = text.toLowerCase();
  return [call.name, call.outcome, call.id, `turn ${call.turn}`, call.broken ? "schema" : ""].some(
    (value) => value.toLowerCase().includes(wanted));
}

/** Whether a call ended as it should. @param {Call} call */
export function failed(call) {
  return !["ok", "running", "called"].includes(call.outcome);
}

/** Keeps the last so many that were put in. @template T @param {Map<string, T>} kept @param {number} most */
export function forgetOldest(kept, most) {
  for (const key of kept.keys()) {
    if (kept.size <= most) return;
    kept.delete(key);
  }
}
