// @ts-check
/**
 * The page's side of `realtime_nb.widgets.live`: messages with the kernel, and which page speaks for
 * a widget that several show. Included in the widgets that use it, for a page gets one text each.
 */

/**
 * @typedef {{get(name: string): any, set(name: string, value: unknown): void, save_changes(): void,
 *   send(message: object, callbacks?: unknown, buffers?: ArrayBuffer[]): void,
 *   on(name: string, callback: (...args: any[]) => void): void,
 *   off(name?: string | null, callback?: ((...args: any[]) => void) | null): void,
 *   widget_manager?: any}} Model `widget_manager` is the front end's, each has another
 * @typedef {{message(message: any, buffers: DataView[]): void, yielded(): void, lost(): void}} LinkHandlers
 */

const SECOND_HELLO_MS = 700;

/** Calls when one of JupyterLab's signals tells something. @param {any} told undefined in other front ends
 * @param {AbortSignal} signal @param {() => void} call */
function listen(told, signal, call) {
  if (!told?.connect) return;
  told.connect(call);
  signal.addEventListener("abort", () => told.disconnect(call));
}

/**
 * Calls when nothing can be sent any more: the kernel was restarted or shut down, or has died.
 *
 * @param {Model} model @param {AbortSignal} signal @param {() => void} gone
 */
export function whenGone(model, signal, gone) {
  model.on("comm_live_update", gone);
  signal.addEventListener("abort", () => model.off("comm_live_update", gone));
  listen(model.widget_manager?.kernel?.disposed, signal, gone);
}

/**
 * Calls as long as something can be sent when the page or the widget goes. JupyterLab lets go of the
 * kernel before it takes away what a closed notebook shows, so that is asked after, too.
 *
 * @param {Model} model @param {AbortSignal} signal @param {() => void} leave
 */
function whenLeft(model, signal, leave) {
  listen(model.widget_manager?.context?.sessionContext?.disposed, signal, leave);
  globalThis.addEventListener?.("pagehide", leave, { signal });
  signal.addEventListener("abort", leave);
}

/** Messages between one widget's model and its Python object. */
export class Link {
  /**
   * @param {Model} model
   * @param {AbortSignal} signal ends the link
   * @param {LinkHandlers} handlers `message`: something for this page; `yielded`: another page took
   *   over; `lost`: the kernel is gone, nothing can be sent
   */
  constructor(model, signal, handlers) {
    this.page = Math.random().toString(16).slice(2) + Date.now().toString(16);
    this.owns = false;
    /** Whether there is still a kernel to send to. */
    this.alive = true;
    this._ended = false;
    this._model = model;
    this._handlers = handlers;
    this._receive = this._receive.bind(this);
    model.on("msg:custom", this._receive);
    whenGone(model, signal, () => this._lose());
    whenLeft(model, signal, () => this._leave());
    const again = setTimeout(() => this.owns || this.send({ kind: "link-hello" }), SECOND_HELLO_MS);
    signal.addEventListener("abort", () => {
      this._ended = true;
      clearTimeout(again);
      model.off("msg:custom", this._receive);
    });
    this.send({ kind: "link-hello" });
  }

  /**
   * Sends a message with this page's id.
   * @param {object} message
   * @param {ArrayBuffer[]} [buffers]
   * @returns {boolean} whether there is still a kernel to send to
   */
  send(message, buffers = []) {
    if (this._ended || !this.alive) return false;
    try {
      this._model.send({ ...message, page: this.page }, undefined, buffers);
      return true;
    } catch {
      this._lose();
      return false;
    }
  }

  /** The person uses the widget here: this page speaks for it from now on. */
  claim() {
    if (this.owns) return;
    this.owns = true;
    this.send({ kind: "link-claim" });
  }

  _lose() {
    if (this._ended || !this.alive) return;
    this.alive = false;
    this._handlers.lost();
  }

  /** With this, Python takes the microphone for off and the speaker for silent. */
  _leave() {
    if (this.owns) this.send({ kind: "link-bye" });
    this.owns = false;
  }

  /** @param {any} message @param {DataView[]} buffers */
  _receive(message, buffers) {
    switch (message.kind) {
      case "link-ping":
        this.send({ kind: "link-pong", id: message.id });
        break;
      case "link-who":
        if (message.page === this.page) this.send({ kind: "link-here" });
        break;
      case "link-owner": {
        const owned = this.owns;
        this.owns = message.page === this.page;
        if (owned && !this.owns) this._handlers.yielded();
        break;
      }
      default:
        if (!message.page || message.page === this.page) {
          this._handlers.message(message, buffers);
        }
    }
  }
}
