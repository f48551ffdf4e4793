// @ts-check
/**
 * A player for a stretch of a recording.
 *
 * @typedef {ReturnType<typeof createStore>} Store
 */
import { element, say, view } from "./view.js";
import { clockText } from "./texts.js";
import { SoundPlayer, numbersOf } from "./timeline_player.js";

const STEP_MS = 100;

/** @param {(message: object) => void} send */
function createStore(send) {
  /** @type {Set<() => void>} */
  const watchers = new Set();
  const tell = () => { for (const watcher of watchers) watcher(); };
  const player = new SoundPlayer(send, tell);
  let clip = { name: "", range: [0, 0] };
  let from = 0; // where it goes on
  return {
    watchers,
    player,
    get clip() { return clip; },
    get position() { return player.active ? player.position : from; },
    toggle() {
      if (player.state === "paused") player.resume();
      else if (player.active) player.pause();
      else this.play(from < clip.range[1] ? from : clip.range[0]);
    },
    /** @param {number} start */
    play(start) {
      from = clip.range[0];
      player.play({ start, end: clip.range[1] });
    },
    /** Goes on there, if it is heard; else begins there next. @param {number} position */
    seek(position) {
      const heard = player.state === "playing" || player.state === "waiting";
      player.stop();
      if (heard) this.play(position);
      else from = position;
      tell();
    },
    close: () => player.close(),
    /** @param {any} message @param {DataView[]} buffers */
    onMessage(message, buffers) {
      if (message.kind === "audio") {
        player.onBlock(message, numbersOf(buffers));
      } else if (message.kind === "clip") {
        player.stop();
        clip = message;
        from = clip.range[0];
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
  const button = element("button", { type: "button", class: "rtnb-button" });
  const place = element("input", { type: "range", "aria-label": "Where it is heard", step: "any" });
  const time = element("span", { class: "rtnb-time" });
  const name = element("span", { class: "rtnb-quiet rtnb-clip-name" });
  const problem = element("div", { class: "rtnb-problem", role: "status" });
  const controls = element("div", { class: "rtnb-clip-controls" }, button, place, time, name);
  el.replaceChildren(element("div", { class: "rtnb rtnb-clip" }, controls, problem));
  let timer = 0;

  function paint() {
    const { clip, player, position } = store;
    const [start, end] = clip.range;
    const heard = player.state === "playing" || player.state === "waiting";
    say(button, heard ? "Pause" : "Play");
    button.disabled = !(start < end); // until it is told what to play
    place.min = String(start);
    place.max = String(end);
    place.value = String(position);
    say(time, `${clockText(position)} / ${clockText(end)}`);
    say(name, clip.name);
    say(problem, player.problem);
    if (heard && !timer) timer = window.setInterval(paint, STEP_MS);
    if (!heard) stopPainting();
  }

  function stopPainting() {
    clearInterval(timer);
    timer = 0;
  }

  button.addEventListener("click", () => store.toggle(), { signal });
  place.addEventListener("input", () => store.seek(Number(place.value)), { signal });
  store.watchers.add(paint);
  signal.addEventListener("abort", () => {
    stopPainting();
    store.watchers.delete(paint);
    if (store.watchers.size === 0) store.player.stop();
  });
  paint();
}

export default view(createStore, createView);
