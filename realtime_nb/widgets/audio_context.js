// @ts-check
/**
 * What all audio contexts need: their worklets' code, and why one is silent: it waits for a press, it
 * is only slow to begin, or nothing plays it.
 */

const BEGIN_MS = 5_000;

/**
 * Whether the browser holds a context back. Firefox calls one that may sound "suspended", too, until
 * the device has begun, up to a second later; but it tells what it allows.
 *
 * @param {AudioContext} context
 */
export function waitsForPress(context) {
  if (context.state === "running") return false;
  const page = /** @type {{getAutoplayPolicy?: (context: AudioContext) => string}} */ (navigator);
  return page.getAutoplayPolicy?.(context) !== "allowed";
}

/**
 * Calls at once and whenever a context begins or ceases to run. `late`: it should long have begun;
 * Firefox runs none without a loudspeaker.
 *
 * @param {AudioContext} context @param {AbortSignal} signal @param {(late: boolean) => void} follow
 */
export function followContext(context, signal, follow) {
  context.addEventListener("statechange", () => follow(false), { signal });
  const due = setTimeout(() => follow(context.state === "suspended"), BEGIN_MS);
  signal.addEventListener("abort", () => clearTimeout(due));
  follow(false);
}

/** Loads the code of a worklet, which Python sent as text. @param {AudioContext} context @param {string} code */
export async function loadWorklet(context, code) {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
