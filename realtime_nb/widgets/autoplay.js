// @ts-check
/** Why an audio context is silent: it waits for a press, it is only slow to begin, or nothing plays it. */

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
