// @ts-check
/**
 * The loudspeaker of a page, see `realtime_nb/widgets/speaker.py`.
 *
 * One player per page and widget, however often the widget is shown. Another widget drives it through
 * what `initialize` returns, which anywidget hands out:
 *
 *     const { exports: speaker } = await host.getWidget(model.get("speaker"));
 *     button.addEventListener("click", () => speaker.unlock());   // browsers want a press before sound
 *     speaker.rest(true);                     // nothing more to say: lets go of the device when silent
 *     speaker.subscribe((state) => { … }, signal);
 *
 * `speaker` is a `SpeakerApi` (below).
 */
import { followContext, loadWorklet, waitsForPress } from "./audio_context.js";
import { keepKeys } from "./keys.js";
import { Link } from "./link.js";
import { element, say } from "./view.js";

/**
 * @typedef {"off"|"ready"|"playing"|"suspended"|"insecure"} SpeakerStatus
 * @typedef {{status: SpeakerStatus, error: string, ducked: boolean, underruns: number}} SpeakerState
 * @typedef {{state: SpeakerState, unlock(): Promise<void>, rest(on: boolean): void, duck(on: boolean): void,
 *   subscribe(listener: (state: SpeakerState) => void, signal: AbortSignal): void}} SpeakerApi
 */

const RATE = 24000;

/** Owner of the page's player. */
class Playback {
  /** @param {import("./link.js").Model} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this._model = model;
    this._signal = signal;
    /** @type {Set<() => void>} */
    this._listeners = new Set();
    /** @type {AudioContext | null} */
    this._context = null;
    /** @type {Promise<AudioWorkletNode> | null} */
    this._node = null;
    this._playing = false;
    this._resting = false; // there is nothing more to say
    this._asked = false; // the kernel wants it quiet
    this._speaking = false; // the person speaks
    /** @type {SpeakerState} */
    this.state = { status: "off", error: "", ducked: false, underruns: 0 };
    this._link = new Link(model, signal, {
      message: (message, buffers) => this._order(message, buffers),
      yielded: () => this._close(),
      lost: () => this._close(),
    });
    model.on("change:prebuffer_ms", () => {
      if (this._node) this._tell({ kind: "prebuffer", ms: model.get("prebuffer_ms") });
    });
    document.addEventListener("realtime-nb:gate", (event) => this._hear(event), { signal });
    for (const press of ["pointerdown", "keydown"]) {
      document.addEventListener(press, () => this._wake(), { signal, capture: true }); // before a view keeps it
    }
    signal.addEventListener("abort", () => this._close());
  }

  /** Called from a click: from then on the browser lets the page sound. */
  async unlock() {
    this._link.claim();
    if (await this._open()) await this._context?.resume();
  }

  /** While nothing is to be said, lets go of the sound device as soon as it is silent. @param {boolean} on */
  rest(on) {
    this._resting = on;
    this._node?.then(() => this._closeAtRest()).catch(() => {});
  }

  /** @param {boolean} on */
  duck(on) {
    this._asked = on;
    this._applyDuck();
  }

  /** @param {(state: SpeakerState) => void} listener @param {AbortSignal} signal */
  subscribe(listener, signal) {
    const call = () => listener(this.state);
    this._listeners.add(call);
    signal.addEventListener("abort", () => this._listeners.delete(call));
    call();
  }

  /** @param {any} message from the kernel @param {DataView[]} buffers */
  _order(message, buffers) {
    if (message.kind === "duck") this.duck(message.on);
    else if (message.kind === "audio") {
      // The buffer is a piece of the whole message: the worklet gets a copy of its own.
      const { buffer, byteOffset, byteLength } = buffers[0];
      const pcm = new Int16Array(buffer.slice(byteOffset, byteOffset + byteLength));
      this._tell({ kind: "audio", item: message.item, start: message.start, pcm }, [pcm.buffer]);
    } else if (message.kind === "end") this._tell({ kind: "end", item: message.item });
    else if (message.kind === "flush") {
      const silent = this._context?.state === "suspended";
      this._tell({ kind: "flush", id: message.id, silent });
    }
  }

  /** @param {object} order for the worklet @param {Transferable[]} [transfer] */
  async _tell(order, transfer = []) {
    const node = await this._open();
    node?.port.postMessage(order, transfer);
  }

  /** @returns {Promise<AudioWorkletNode | null>} null: this page can't sound */
  async _open() {
    if (this._signal.aborted) return null;
    if (!globalThis.isSecureContext) {
      this._set({
        status: "insecure",
        error:
          "The browser plays live audio only on pages from https:// or from localhost. Open the notebook at such an address.",
      });
      return null;
    }
    this._node ??= this._make();
    return this._node;
  }

  /** @returns {Promise<AudioWorkletNode>} */
  async _make() {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this._context = context;
    await loadWorklet(context, this._model.get("_worklet"));
    const node = new AudioWorkletNode(context, "realtime-nb-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: { prebufferMs: this._model.get("prebuffer_ms") },
    });
    node.port.onmessage = ({ data }) => this._report(data);
    node.connect(context.destination);
    followContext(context, this._signal, (late) => {
      if (context === this._context) this._follow(late);
    });
    return node;
  }

  /** Any press in the page lets a waiting player sound. */
  _wake() {
    if (this._context?.state === "suspended") this._context.resume().catch(() => {});
  }

  /** Shows what the context does. @param {boolean} [late] */
  _follow(late = false) {
    if (!this._context) return;
    if (this._context.state === "running") {
      this._set({ status: this._playing ? "playing" : "ready", error: "" });
    } else if (waitsForPress(this._context)) {
      this._set({
        status: "suspended",
        error: "The browser holds the sound back until you press something in the page.",
      });
    } else if (late) {
      this._set({
        status: "suspended",
        error: "The browser plays no sound. Is a loudspeaker connected, or does another program hold it?",
      });
    }
  }

  /** @param {any} event of the worklet */
  _report(event) {
    const sent = this._link.send(event);
    if (!sent) return;
    if (event.kind === "underrun") {
      this.state.underruns++;
      this._changed();
    } else if (["started", "finished", "flushed"].includes(event.kind)) {
      this._playing = event.kind === "started";
      this._follow();
      this._closeAtRest();
    }
  }

  /** The person speaks, or has stopped: no need to ask the kernel. @param {Event} event */
  _hear(event) {
    const { microphone, open } = /** @type {CustomEvent} */ (event).detail;
    if (!microphone || microphone !== this._model.get("_gate")) return;
    this._speaking = open;
    this._applyDuck();
  }

  _applyDuck() {
    const on = this._asked || this._speaking;
    if (on === this.state.ducked) return;
    this.state.ducked = on;
    if (this._node) this._tell({ kind: "duck", on });
    this._changed();
  }

  _closeAtRest() {
    if (this._resting && !this._playing) this._close();
  }

  _close() {
    const context = this._context;
    this._node?.then((node) => node.port.postMessage({ kind: "stop" })).catch(() => {});
    this._context = this._node = null;
    this._playing = false;
    context?.close().catch(() => {});
    Object.assign(this.state, { status: "off", error: "" });
    this._changed();
  }

  /** @param {Partial<SpeakerState>} change */
  _set(change) {
    Object.assign(this.state, change);
    const { status, error } = this.state;
    const latency = (this._context?.outputLatency ?? 0) * 1000;
    this._link.send({ kind: "state", status, error, output_latency_ms: latency });
    this._changed();
  }

  _changed() {
    for (const listener of this._listeners) listener();
  }
}

const WORDS = {
  off: "silent",
  ready: "silent",
  playing: "playing",
  suspended: "waiting",
  insecure: "",
};

// Called once per widget and page.
export default () => {
  /** @type {Playback} */
  let speaker;
  return {
    /** @param {{model: import("./link.js").Model, signal: AbortSignal}} props @returns {SpeakerApi} */
    initialize({ model, signal }) {
      speaker = new Playback(model, signal);
      return speaker;
    },

    /** @param {{model: import("./link.js").Model, el: HTMLElement, signal: AbortSignal}} props */
    render({ el, signal }) {
      const unlock = element("button", { class: "rtnb-button", type: "button", text: "Allow sound" });
      const status = element("span", { class: "rtnb-quiet" });
      const problem = element("div", { class: "rtnb-problem", role: "alert" });
      unlock.addEventListener("click", () => speaker.unlock(), { signal });
      speaker.subscribe((state) => {
        const gaps = state.underruns
          ? `, ${state.underruns} ${state.underruns === 1 ? "gap" : "gaps"}`
          : "";
        const words = `${WORDS[state.status]}${state.ducked ? ", lowered" : ""}${gaps}`;
        unlock.hidden = !["off", "suspended"].includes(state.status);
        say(status, words);
        say(problem, state.error);
      }, signal);
      keepKeys(el, signal);
      el.classList.add("rtnb");
      el.append(
        element("div", { class: "rtnb-row" }, element("span", { text: "Speaker" }), status, unlock),
        problem,
      );
    },
  };
};
