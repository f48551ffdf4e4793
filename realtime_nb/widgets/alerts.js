// @ts-check
/** What is wrong, in words: a line for each source that says something, the newest first. */
import { element } from "./view.js";

const CODE = /`([^`]+)`/; // what may be pasted

/** The words, what may be pasted set off. @param {string} words @returns {(Node | string)[]} */
export function withCode(words) {
  return words.split(CODE).map((part, index) => (index % 2 ? element("code", { text: part }) : part));
}

export class Alerts {
  /** @param {AbortSignal} signal */
  constructor(signal) {
    this.node = element("div", { class: "rtnb-alerts" });
    this._signal = signal;
    /** @type {Map<string, {words: string, line: HTMLElement | null, dismissed: () => void}>} */
    this._told = new Map();
  }

  /**
   * A source says what is wrong; nothing: all is well. What was dismissed comes back only when the
   * source has said something else meanwhile.
   *
   * @param {string} source @param {string} words @param {() => void} [dismissed] somebody has read it
   */
  tell(source, words, dismissed = () => {}) {
    const before = this._told.get(source);
    if ((before?.words ?? "") === words) return;
    before?.line?.remove();
    const line = words ? this._line(words) : null;
    this._told.set(source, { words, line, dismissed });
    if (line) this.node.prepend(line);
    this._show();
  }

  clear() {
    for (const source of this._told.keys()) this.tell(source, "");
  }

  /** @param {string} words */
  _line(words) {
    const away = element("button", { type: "button", class: "rtnb-dismiss", "aria-label": "Dismiss", title: "Dismiss" });
    away.addEventListener("click", () => this._dismiss(words), { signal: this._signal });
    const said = element("span", { class: "rtnb-problem", role: "alert", dir: "auto" }, ...withCode(words));
    return element("div", { class: "rtnb-problem-line" }, said, away);
  }

  /** @param {string} words */
  _dismiss(words) {
    for (const told of [...this._told.values()]) {
      if (told.words !== words) continue;
      told.line?.remove();
      told.line = null;
      told.dismissed();
    }
    this._show();
  }

  /** Says once what several sources say. */
  _show() {
    const said = new Set();
    for (const line of /** @type {Iterable<HTMLElement>} */ (this.node.children)) {
      const words = line.textContent;
      line.hidden = said.has(words);
      said.add(words);
    }
  }
}
