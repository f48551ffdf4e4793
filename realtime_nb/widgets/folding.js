// @ts-check
/** Whether somebody has put a view away, be it that it is still there. */

/**
 * Whether the output that holds a view is collapsed, or the section its cell is in. JupyterLab takes
 * a collapsed output out of its cell and keeps it. A cell that is scrolled out of sight is not put
 * away, nor a notebook behind another.
 *
 * @param {Element} el
 */
export function isPutAway(el) {
  const cell = el.closest(".jp-Cell");
  if (cell) return cell.classList.contains("lm-mod-hidden");
  return !el.isConnected && el.closest(".jp-OutputArea") !== null;
}

/** Calls when a view may have been put away or taken out again.
 * @param {Element} el @param {AbortSignal} signal @param {() => void} call */
export function followPutAway(el, signal, call) {
  const sizes = new ResizeObserver(call); // it has none while it is not on the page
  sizes.observe(el);
  signal.addEventListener("abort", () => sizes.disconnect());
}
