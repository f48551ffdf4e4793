// @ts-check
/**
 * What the widgets that only show something have in common; the page's side of view.py.
 */

import { keepKeys } from "./keys.js";

const CONFIRM_EVERY = 50;

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {{[name: string]: string | boolean | number}} [attributes] `text` is its text.
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") node.textContent = String(value);
    else if (value !== false) node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children);
  return node;
}

/** Changes an element's text only if it is another one. @param {Element} node @param {string} text */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * A widget with one store, which takes the messages, and any number of views of it.
 *
 * @template {{onMessage: (message: any, buffers: DataView[]) => void, close?: () => void,
 *   exports?: object}} Store `exports`: what other widgets of the page get
 * @param {(send: (message: object) => void) => Store} createStore
 * @param {(store: Store, el: HTMLElement, signal: AbortSignal) => void} createView
 */
export function view(createStore, createView) {
  return () => {
    /** @type {Store | undefined} */
    let store;
    let note = ""; // what can't be shown, and why
    /** @type {Set<() => void>} */
    const noted = new Set();
    return {
      /** @param {{model: import("./link.js").Model, signal?: AbortSignal}} context */
      initialize({ model, signal }) {
        const made = createStore((message) => model.send(message));
        let received = 0;
        /** @param {any} message @param {DataView[]} buffers */
        const onMessage = (message, buffers) => {
          received += 1;
          if (received % CONFIRM_EVERY === 0) model.send({ kind: "seen" });
          if (message.kind !== "note") return made.onMessage(message, buffers);
          note = message.words;
          for (const show of noted) show();
        };
        model.on("msg:custom", onMessage);
        model.send({ kind: "show" });
        store = made;
        const end = () => {
          model.off("msg:custom", onMessage);
          made.close?.();
        };
        if (!made.exports) return end;
        signal?.addEventListener("abort", end);
        return made.exports;
      },
      /** @param {{el: HTMLElement}} context */
      render({ el }) {
        const abort = new AbortController();
        keepKeys(el, abort.signal);
        if (store) createView(store, el, abort.signal);
        const words = element("div", { class: "rtnb rtnb-note", role: "status" });
        const show = () => {
          words.textContent = note;
          words.hidden = !note;
        };
        noted.add(show);
        abort.signal.addEventListener("abort", () => noted.delete(show));
        show();
        el.append(words);
        return () => abort.abort();
      },
    };
  };
}
