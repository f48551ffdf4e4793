// @ts-check
/** Moments and durations as people read them. Nothing for what is not known. */

/**
 * A moment of a session in minutes and seconds; one before it began has a sign.
 *
 * @param {number | null | undefined} seconds
 * @param {number} [digits] behind the seconds
 * @param {(units: number) => number} [whole] what is done with the rest
 */
export function clockText(seconds, digits = 0, whole = Math.floor) {
  if (seconds === null || seconds === undefined) return "";
  const minute = 60 * 10 ** digits;
  const units = whole(Math.abs(seconds) * 10 ** digits + 1e-6);
  const rest = ((units % minute) / 10 ** digits).toFixed(digits);
  const sign = seconds < 0 && units > 0 ? "−" : "";
  return `${sign}${Math.floor(units / minute)}:${rest.padStart(digits > 0 ? digits + 3 : 2, "0")}`;
}

/** @param {number | null | undefined} ms */
export function durationText(ms) {
  if (ms === null || ms === undefined) return "";
  return ms < 1_000 ? `${ms.toFixed(0)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** "1 call", "2,000 calls". @param {number} count @param {string} noun @param {string} [plural] */
export function counted(count, noun, plural = `${noun}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}
