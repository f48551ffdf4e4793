// @ts-check
/** The panel's tabs, as ARIA's pattern has them: one stop for Tab, arrow keys within. */
import { OWN_KEYS } from "./microphone_controls.js";
import { element, say } from "./view.js";

/** Which tab a key leads to; undefined where it leads to none. @param {string} key
 * @param {number} index @param {number} count */
export function tabFor(key, index, count) {
  return {
    ArrowRight: (index + 1) % count, ArrowLeft: (index + count - 1) % count, Home: 0, End: count - 1,
  }[key];
}

/**
 * Tabs; what is under one is made when it is first chosen.
 *
 * @param {{label: () => string, node: HTMLElement, fill: () => void}[]} pages
 * @param {{tab: number}} place the one that is chosen first, and then the one that is
 * @param {AbortSignal} signal
 */
export function tabs(pages, place, signal) {
  const filled = new Set();
  const id = `rtnb-${Math.random().toString(36).slice(2)}`;
  const buttons = pages.map((_, index) => element("button", {
    type: "button", class: "rtnb-tab", role: "tab", id: `${id}-tab-${index}`, ...OWN_KEYS,
    "aria-controls": `${id}-page-${index}`,
  }));
  pages.forEach(({ node }, index) => {
    node.setAttribute("role", "tabpanel");
    node.id = `${id}-page-${index}`;
    node.setAttribute("aria-labelledby", `${id}-tab-${index}`);
  });
  const list = element("div", { class: "rtnb-tabs", role: "tablist", "aria-label": "Views" }, ...buttons);
  const paint = () => pages.forEach(({ label }, index) => say(buttons[index], label()));
  /** @param {number} chosen */
  const choose = (chosen) => {
    place.tab = chosen;
    pages.forEach(({ node, fill }, index) => {
      node.hidden = index !== chosen;
      buttons[index].setAttribute("aria-selected", String(index === chosen));
      buttons[index].tabIndex = index === chosen ? 0 : -1;
      if (index === chosen && !filled.has(index)) {
        filled.add(index);
        fill();
      }
    });
  };
  buttons.forEach((one, index) => {
    one.addEventListener("click", () => choose(index), { signal });
    one.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      const next = tabFor(event.key, index, pages.length);
      if (next === undefined) return;
      event.preventDefault(); // Home and End would scroll the page
      choose(next);
      buttons[next].focus();
    }, { signal });
  });
  choose(place.tab);
  paint();
  return { list, paint };
}
