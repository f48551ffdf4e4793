// @ts-check
/**
 * What the widgets that only show something have in common; the page's side of view.py.
 *
 * @typedef {object} Model
 * @property {(message: object) => void} send
 * @property {(name: string, callback: Function) => void} on
 * @property {(name: string, callback: Function) => void} off
 */

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

/**
 * A widget with one store, which takes the messages, and any number of views of it.
 *
 * @template {{onMessage: (message: any, buffers: DataView[]) => void, close?: () => void}} Store
 * @param {(send: (message: object) => void) => Store} createStore
 * @param {(store: Store, el: HTMLElement, signal: AbortSignal) => void} createView
 */
export function view(createStore, createView) {
  return () => {
    /** @type {Store | undefined} */
    let store;
    return {
      /** @param {{model: Model}} context */
      initialize({ model }) {
        const made = createStore((message) => model.send(message));
        let received = 0;
        /** @param {any} message @param {DataView[]} buffers */
        const onMessage = (message, buffers) => {
          received += 1;
          if (received % CONFIRM_EVERY === 0) model.send({ kind: "seen" });
          made.onMessage(message, buffers);
        };
        model.on("msg:custom", onMessage);
        model.send({ kind: "show" });
        store = made;
        return () => {
          model.off("msg:custom", onMessage);
          made.close?.();
        };
      },
      /** @param {{el: HTMLElement}} context */
      render({ el }) {
        const abort = new AbortController();
        if (store) createView(store, el, abort.signal);
        return () => abort.abort();
      },
    };
  };
}
