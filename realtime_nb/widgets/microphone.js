// @ts-check
/**
 * The microphone of a page, see `realtime_nb/widgets/microphone.py`.
 *
 * One capture per page and widget, however often the widget is shown. Another widget drives it
 * through what `initialize` returns, which anywidget hands out:
 *
 *     const { exports: microphone } = await host.getWidget(model.get("microphone"));
 *     microphone.attach(el, signal);               // a view that shows it; the last one to go stops it
 *     microphone.subscribe((state) => { … }, signal);
 *     button.addEventListener("click", () => microphone.start());   // start(), stop(), mute(on)
 *
 * `microphone` is a `MicrophoneApi` (below). When somebody starts or stops to speak, the document
 * gets a `realtime-nb:gate` event with `detail: {microphone: key, open}`, which speakers follow.
 */
import { followContext, loadWorklet, waitsForPress } from "./audio_context.js";
import { followPutAway, isPutAway } from "./folding.js";
import { keepKeys } from "./keys.js";
import { Link } from "./link.js";
import { SWITCHES, devicePicker, levelMeter, processingSwitches, waitingWords } from "./microphone_controls.js";
import { explain, insecureWords, permissionNow, surroundings } from "./microphone_trouble.js";
import { element, say } from "./view.js";

/**
 * @typedef {"off"|"asking"|"opening"|"on"|"denied"|"missing"|"insecure"|"suspended"|"ended"} MicrophoneStatus
 * @typedef {{status: MicrophoneStatus, error: string, muted: boolean, level: number, speaking: boolean,
 *   devices: {id: string, label: string}[], applied: Record<string, unknown>}} MicrophoneState
 * @typedef {{state: MicrophoneState, start(): Promise<void>, stop(): void, mute(on: boolean): void,
 *   attach(el: Element, signal: AbortSignal): void,
 *   subscribe(listener: (state: MicrophoneState) => void, signal: AbortSignal): void}} MicrophoneApi
 */

const SILENT_DBFS = -95;
const SILENT_AFTER_MS = 5000;
const PAINT_EVERY_MS = 70;
const LEAVE_AFTER_MS = 300; // a cell that is moved is rendered anew
const FIRST_VIEW_DUE_MS = 3000;
const OPEN = ["asking", "opening", "on"];
const UNSEEN = "The microphone stays off while nothing here shows it. Show it in a cell, then press Talk.";

/** Owner of the page's microphone. */
class Capture {
  /** @param {import("./link.js").Model} model @param {AbortSignal} signal */
  constructor(model, signal) {
    this._model = model;
    this._signal = signal;
    /** @type {Set<() => void>} */
    this._listeners = new Set();
    /** @type {Set<Element>} */
    this._views = new Set();
    this._seen = false; // ever
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this._due = undefined; // asked for before the first view
    this._attempt = 0;
    /** @type {MediaStream | null} */
    this._stream = null;
    /** @type {AudioContext | null} */
    this._context = null;
    /** @type {AudioWorkletNode | null} */
    this._node = null;
    this._silentSinceMs = 0;
    this._heard = false; // anything, ever, from this device
    this._device = "";
    this._paintMs = 0;
    /** @type {MicrophoneState} */
    this.state = {
      status: "off",
      error: "",
      muted: Boolean(model.get("muted")),
      level: -100,
      speaking: false,
      devices: [],
      applied: {},
    };
    this._link = new Link(model, signal, {
      message: (message) => this._order(message),
      yielded: () => this.stop(),
      lost: () => this._lose(),
    });
    for (const name of ["device_id", ...SWITCHES.map(([trait]) => trait)]) {
      model.on(`change:${name}`, () => this._restart());
    }
    model.on("change:muted", () => this._applyMute());
    model.on("change:chunk_ms", () => this._tell({ kind: "chunk", ms: model.get("chunk_ms") }));
    signal.addEventListener("abort", () => {
      this._close();
      this.state.status = "off";
    });
    globalThis.navigator?.mediaDevices?.addEventListener?.("devicechange", () => this._list(), {
      signal,
    });
  }

  /** Whether a person can see that it is on. */
  get _shown() {
    return [...this._views].some((el) => !isPutAway(el));
  }

  /** Called from a click, or by the kernel. Without a view it stays off, whoever asks. */
  async start() {
    if (this._signal.aborted || OPEN.includes(this.state.status)) return;
    if (!this._shown) return this._startUnseen();
    if (this.state.status === "suspended" && this._context) {
      await this._context.resume();
      return;
    }
    this._close();
    this._link.claim();
    if (!this._link.alive) return this._lose();
    const attempt = ++this._attempt;
    this._set({ status: "asking", error: "" });
    if (!globalThis.isSecureContext) {
      this._set({ status: "insecure", error: insecureWords() });
      return;
    }
    if (!navigator.mediaDevices?.getUserMedia) {
      this._set({ status: "missing", error: "This front end has no microphone for what it shows." });
      return;
    }
    try {
      const stream = await this._request();
      if (attempt !== this._attempt || this._signal.aborted) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this._stream = stream;
      await this._open(stream, attempt);
    } catch (failure) {
      const permission = await permissionNow();
      if (attempt !== this._attempt) return;
      this._close();
      const [status, error] = explain(failure, permission, surroundings());
      this._set({ status, error });
    }
  }

  /** The kernel may ask before there is the first view; once that has gone, it asks in vain. */
  _startUnseen() {
    if (!this._link.alive) return this._lose();
    this._close();
    this._set({ status: "asking", error: "" }); // whoever asked gets an answer, also where it was off
    if (this._seen) return this._set({ status: "off", error: UNSEEN });
    this._due = setTimeout(() => {
      if (this.state.status === "asking") this._set({ status: "off", error: UNSEEN });
    }, FIRST_VIEW_DUE_MS);
  }

  /** Hands out the last words and lets go of the microphone. */
  stop() {
    if (![...OPEN, "suspended"].includes(this.state.status)) return; // why not stays told
    this._close();
    this._set({ status: "off", error: "" });
  }

  /** A muted microphone goes on with silence. @param {boolean} on */
  mute(on) {
    this._model.set("muted", on);
    this._model.save_changes();
    this._applyMute();
  }

  /** @param {Element} el where the view is rendered @param {AbortSignal} signal ends when it goes */
  attach(el, signal) {
    this._views.add(el);
    this._seen = true;
    const look = () => {
      if (!this._shown) this.stop();
      else if (this.state.error === UNSEEN) this._set({ error: "" });
    };
    followPutAway(el, signal, look);
    look();
    if (this._due !== undefined) {
      this._close();
      this.state.status = "off";
      this.start();
    }
    signal.addEventListener("abort", () => {
      this._views.delete(el);
      if (!this._shown && this.state.status === "asking") this.stop(); // the answer may come any time
      setTimeout(() => {
        if (!this._shown) this.stop();
      }, LEAVE_AFTER_MS);
    });
  }

  /** @param {(state: MicrophoneState) => void} listener @param {AbortSignal} signal */
  subscribe(listener, signal) {
    const call = () => listener(this.state);
    this._listeners.add(call);
    signal.addEventListener("abort", () => this._listeners.delete(call));
    call();
  }

  /** @returns {Promise<MediaStream>} */
  async _request() {
    const id = this._model.get("device_id");
    /** @type {MediaTrackConstraints} */
    const wanted = { channelCount: 1 };
    for (const [trait, constraint] of SWITCHES)
      wanted[constraint] = Boolean(this._model.get(trait));
    if (id) {
      try {
        return await navigator.mediaDevices.getUserMedia({
          audio: { ...wanted, deviceId: { exact: id } },
        });
      } catch (failure) {
        // The chosen device is gone: any other is better than none.
        if (
          !(failure instanceof Error) ||
          !["OverconstrainedError", "NotFoundError"].includes(failure.name)
        )
          throw failure;
      }
    }
    return navigator.mediaDevices.getUserMedia({ audio: wanted });
  }

  /** @param {MediaStream} stream @param {number} attempt */
  async _open(stream, attempt) {
    this._set({ status: "opening" });
    // At the device's own rate: at another one browsers refuse, or leave gaps.
    const context = new AudioContext({ latencyHint: "interactive" });
    this._context = context;
    await loadWorklet(context, this._model.get("_worklet"));
    if (attempt !== this._attempt) return;
    const node = new AudioWorkletNode(context, "realtime-nb-capture", {
      processorOptions: { chunkMs: this._model.get("chunk_ms") },
      outputChannelCount: [1],
    });
    this._node = node;
    const capture = `${this._link.page}.${attempt}`;
    node.port.onmessage = ({ data }) => this._take(data, capture);
    this._applyMute();
    // Only what leads to the destination is sure to be rendered; the node's output is silence.
    context.createMediaStreamSource(stream).connect(node).connect(context.destination);
    const [track] = stream.getAudioTracks();
    track.addEventListener("ended", () => this._unplug(attempt), { signal: this._signal });
    this._silentSinceMs = performance.now();
    const device = track.getSettings().deviceId ?? track.label;
    this._heard &&= device === this._device;
    this._device = device;
    this._set({ applied: this._readBack(track, context) });
    context.resume().catch(() => {});
    followContext(context, this._signal, (late) => this._follow(attempt, late));
    await this._list();
  }

  /** @param {MediaStreamTrack} track @param {AudioContext} context */
  _readBack(track, context) {
    const settings = track.getSettings();
    /** @type {Record<string, unknown>} */
    const applied = { device: track.label, sample_rate: context.sampleRate };
    for (const [trait, constraint] of SWITCHES) applied[trait] = settings[constraint] ?? null;
    return applied;
  }

  /** The context runs, or waits for a press. @param {number} attempt @param {boolean} late */
  _follow(attempt, late) {
    if (attempt !== this._attempt || !this._context) return;
    if (this._context.state === "running") this._set({ status: "on", error: "" });
    else if (waitsForPress(this._context)) {
      this._set({
        status: "suspended",
        error:
          "The browser holds the microphone back until you press something in the page: press Talk.",
      });
    } else if (late) {
      this._set({
        status: "suspended",
        error:
          "The browser takes no sound from the microphone; some do so where there is no loudspeaker. Connect one, then press Talk again.",
      });
    }
  }

  /** @param {number} attempt */
  _unplug(attempt) {
    if (attempt !== this._attempt) return;
    this._close();
    this._set({
      status: "ended",
      error: "The microphone was unplugged or taken away. Connect it, then press Talk again.",
    });
  }

  /** @param {any} event of the worklet @param {string} capture */
  _take(event, capture) {
    if (event.kind === "gate") this._gate(event.open);
    else if (event.kind === "chunk") {
      const { position, t, pcm } = event;
      this._link.send({ kind: "audio", capture, position, t }, [pcm.buffer]);
      this._meter(event.level);
    }
  }

  /** @param {boolean} open */
  _gate(open) {
    this.state.speaking = open;
    const detail = { microphone: this._model.get("_key"), open };
    document.dispatchEvent(new CustomEvent("realtime-nb:gate", { detail }));
    this._changed();
  }

  /** @param {number} level */
  _meter(level) {
    const now = performance.now();
    if (level > SILENT_DBFS) this._heard = true;
    if (this._heard || this.state.muted) {
      this._silentSinceMs = now;
      if (this.state.status === "on" && this.state.error) this._set({ error: "" });
    } else if (now - this._silentSinceMs > SILENT_AFTER_MS && this.state.status === "on" && !this.state.error) {
      this._set({
        error:
          "The microphone is on and gives nothing but silence. Is it muted in the system, or is another device meant?",
      });
    }
    this.state.level = level;
    if (now - this._paintMs < PAINT_EVERY_MS) return;
    this._paintMs = now;
    this._changed();
  }

  async _list() {
    const devices = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    this._set({
      devices: devices
        .filter(({ kind, label }) => kind === "audioinput" && label)
        .map(({ deviceId, label }) => ({ id: deviceId, label })),
    });
  }

  /** @param {{kind: string}} message from the kernel */
  _order(message) {
    if (message.kind === "start") {
      if (OPEN.includes(this.state.status)) this._set({}); // it waits for an answer
      else this.start();
    } else if (message.kind === "stop") this.stop();
  }

  _restart() {
    if (!["opening", "on", "suspended"].includes(this.state.status)) return;
    this._close();
    this.state.status = "off";
    this.start();
  }

  _applyMute() {
    this.state.muted = Boolean(this._model.get("muted"));
    this._tell({ kind: "mute", on: this.state.muted });
    this._changed();
  }

  /** @param {object} order for the worklet */
  _tell(order) {
    this._node?.port.postMessage(order);
  }

  /** The kernel is gone. */
  _lose() {
    const used = [...OPEN, "suspended"].includes(this.state.status);
    this._close();
    Object.assign(this.state, {
      status: "off",
      error: `The kernel has gone${used ? ", so the microphone was switched off" : ""}. Run the cell again.`,
    });
    this._changed();
  }

  _close() {
    this._attempt++;
    clearTimeout(this._due);
    this._due = undefined;
    this._tell({ kind: "stop" }); // the rest of a chunk still comes
    for (const track of this._stream?.getTracks() ?? []) track.stop();
    const context = this._context;
    this._stream = this._context = this._node = null;
    if (context) setTimeout(() => context.close().catch(() => {}), 100);
    if (this.state.speaking) this._gate(false);
    this.state.level = -100;
  }

  /** @param {Partial<MicrophoneState>} change */
  _set(change) {
    Object.assign(this.state, change);
    const { status, error, devices, applied } = this.state;
    this._link.send({ kind: "state", t: Date.now(), status, error, devices, applied });
    this._changed();
  }

  _changed() {
    for (const listener of this._listeners) listener();
  }
}

// Called once per widget and page.
export default () => {
  /** @type {Capture} */
  let microphone;
  return {
    /** @param {{model: import("./link.js").Model, signal: AbortSignal}} props @returns {MicrophoneApi} */
    initialize({ model, signal }) {
      microphone = new Capture(model, signal);
      return microphone;
    },

    /** @param {{model: import("./link.js").Model, el: HTMLElement, signal: AbortSignal}} props */
    render({ model, el, signal }) {
      microphone.attach(el, signal);
      keepKeys(el, signal);

      const talk = element("button", { class: "rtnb-button rtnb-main", type: "button", text: "Talk" });
      const mute = element("button", {
        class: "rtnb-button", type: "button", "aria-pressed": "false", text: "Mute mic",
      });
      const meter = levelMeter();
      const status = element("span", { class: "rtnb-quiet" });
      const problem = element("div", { class: "rtnb-problem", role: "alert" });
      const isOpen = () => OPEN.includes(microphone.state.status);
      talk.addEventListener(
        "click",
        () => (isOpen() ? microphone.stop() : microphone.start()),
        { signal },
      );
      mute.addEventListener("click", () => microphone.mute(!microphone.state.muted), { signal });
      microphone.subscribe((state) => {
        const words = state.status === "on" ? (state.muted ? "muted" : "listening") : waitingWords(state.status);
        say(talk, isOpen() ? "Stop talking" : "Talk");
        say(status, words);
        say(problem, state.error);
        meter.paint(state);
        mute.setAttribute("aria-pressed", String(state.muted));
      }, signal);

      const settings = element(
        "details",
        { class: "rtnb-details" },
        element("summary", { text: "Microphone settings" }),
        devicePicker(model, microphone, signal),
        ...processingSwitches(model, microphone, signal),
      );
      el.classList.add("rtnb");
      el.append(
        element("div", { class: "rtnb-row" }, talk, mute, meter.node, status),
        problem,
        settings,
      );
    },
  };
};
