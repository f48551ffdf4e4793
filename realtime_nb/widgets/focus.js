// @ts-check
/**
 * The focus stays in a view. Where what has it is switched off, hidden or taken away, browsers give
 * it to the page: keys go nowhere then, and a screen reader begins at the top.
 */

/** @param {HTMLElement} el where the view is rendered @param {AbortSignal} signal ends with the view */
export function keepFocus(el, signal) {
  /** What has the focus, and what it is in. @type {{node: HTMLElement, around: HTMLElement} | null} */
  let kept = null;
  el.addEventListener("focusin", ({ target }) => {
    const node = /** @type {HTMLElement} */ (target);
    kept = { node, around: node.parentElement?.closest("[tabindex]") ?? el };
  }, { signal });
  el.addEventListener("focusout", ({ relatedTarget }) => {
    const before = kept;
    if (relatedTarget) kept = null; // focusin has a say in it, too
    // Chromium tells of the focus of what is being taken away, too, and that is not known before it is.
    else setTimeout(() => { if (kept === before && activeIn(el) !== before?.node) kept = null; });
  }, { signal });
  const changes = new MutationObserver(() => {
    if (kept === null || !isLost(el, kept.node)) return;
    const { node, around } = kept;
    const now = activeIn(el);
    if (now && now !== node && now !== document.body) return;
    kept = null;
    (isLost(el, around) ? el : around).focus({ preventScroll: true });
  });
  changes.observe(el, { subtree: true, childList: true, attributes: true, attributeFilter: ["disabled", "hidden"] });
  signal.addEventListener("abort", () => changes.disconnect());
}

/** @param {HTMLElement} el @param {HTMLElement} node */
function isLost(el, node) {
  return !el.contains(node) || node.closest("[disabled], [hidden]") !== null;
}

/** @param {HTMLElement} el */
function activeIn(el) {
  return /** @type {Document | ShadowRoot} */ (el.getRootNode()).activeElement;
}
