// @ts-check
/**
 * Findings in a table; each that has a place in the recording can be listened to.
 *
 * @typedef {object} Row
 * @property {string} id
 * @property {string} severity
 * @property {string} time
 * @property {string} text
 * @property {string} suggestion
 * @property {[number, number] | null} range What to listen to, in seconds.
 *
 * @typedef {ReturnType<typeof createStore>} Store
 */
import { element, say, view } from "./view.js";
import { SoundPlayer, numbersOf } from "./timeline_player.js";

/** @param {(message: object) => void} send */
function createStore(send) {
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const tell = () => { for (const watcher of watchers) watcher(); };
  const player = new SoundPlayer(send, tell);
  /** @type {{headline: string, rows: Row[], more: string[]}} */
  let found = { headline: "", rows: [], more: [] };
  /** @type {Row | null} */
  let heard = null;
  return {
    watchers,
    player,
    get found() { return found; },
    /** What is listened to. */
    get heard() { return player.active ? heard : null; },
    /** Listens to it, or stops if it is what is heard. @param {Row} row */
    toggle(row) {
      const stops = player.active && heard === row;
      player.stop();
      if (stops || row.range === null) return;
      heard = row;
      player.play({ start: row.range[0], end: row.range[1] });
    },
    close: () => player.close(),
    /** @param {any} message @param {DataView[]} buffers */
    onMessage(message, buffers) {
      if (message.kind === "audio") {
        player.onBlock(message, numbersOf(buffers));
      } else if (message.kind === "findings") {
        player.stop();
        found = message;
        tell();
      }
    },
  };
}

/**
 * @param {Store} store
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function createView(store, el, signal) {
  const headline = element("div", { class: "rtnb-findings-headline" });
  const body = element("div", { role: "table", "aria-label": "Findings" });
  const problem = element("div", { class: "rtnb-problem", role: "status" });
  const more = element("div", { class: "rtnb-note" });
  el.replaceChildren(element("div", { class: "rtnb rtnb-findings" }, headline, body, problem, more));
  /** @type {object | null} What is shown. */
  let shown = null;
  /** @type {Map<Row, HTMLButtonElement>} */
  const buttons = new Map();

  /** @param {Row} row */
  function rowOf(row) {
    const listen = element("button", { type: "button", class: "rtnb-button" });
    listen.addEventListener("click", () => store.toggle(row), { signal });
    if (row.range) buttons.set(row, listen);
    const words = element("span", { role: "cell" }, row.text);
    if (row.suggestion) words.append(element("div", { class: "rtnb-quiet", text: row.suggestion }));
    return element(
      "div", { role: "row", class: `rtnb-finding rtnb-finding-${row.severity}` },
      element("span", { role: "cell" }, ...(row.range ? [listen] : [])),
      element("span", { role: "cell", text: row.severity }),
      element("span", { role: "cell", class: "rtnb-time", text: row.time }),
      words,
      element("span", { role: "cell", class: "rtnb-note", text: row.id }),
    );
  }

  function paint() {
    const { found, heard, player } = store;
    if (shown !== found) {
      shown = found;
      buttons.clear();
      say(headline, found.headline);
      body.replaceChildren(...found.rows.map(rowOf));
      more.replaceChildren(...found.more.map((text) => element("div", { text })));
    }
    for (const [row, listen] of buttons) {
      const label = row === heard ? "Stop" : "Play";
      say(listen, label);
      listen.setAttribute("aria-label", `${label}: ${row.text}`);
    }
    say(problem, player.problem);
  }

  store.watchers.add(paint);
  signal.addEventListener("abort", () => {
    store.watchers.delete(paint);
    if (store.watchers.size === 0) store.player.stop();
  });
  paint();
}

export default view(createStore, createView);
