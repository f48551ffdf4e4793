// @ts-check
/** Keys that are typed into a view stay there: a notebook would cut cells, run them or leave with them. */

import { keepFocus } from "./focus.js";

const TYPED = ["keydown", "keypress", "keyup"];

/**
 * Keeps keys from the front end, whatever has the focus in the view now or later. A press beside
 * what can be used leaves the focus in the view, too. JupyterLab and Notebook 7 look for shortcuts
 * from the focused element upwards, so that one itself has to refuse them; other front ends listen
 * further up. A view within a view leaves its keys to that one.
 *
 * @param {HTMLElement} el where the view is rendered @param {AbortSignal} signal ends with the view
 */
export function keepKeys(el, signal) {
  const isWithin = () => Boolean(el.parentElement?.closest(".rtnb"));
  el.addEventListener("focusin", ({ target }) => {
    /** @type {Element} */ (target).setAttribute("data-lm-suppress-shortcuts", "true");
  }, { signal });
  for (const type of TYPED) {
    el.addEventListener(type, (event) => {
      if (!isWithin()) event.stopPropagation();
    }, { signal });
  }
  if (isWithin()) return;
  el.tabIndex = -1;
  keepFocus(el, signal);
}
