// @ts-check
/**
 * How a person begins and ceases to talk to an agent: by button or by key, held or pressed twice.
 *
 * @typedef {import("./link.js").Model} TalkModel of the panel
 * @typedef {import("./commands.js").Commands} TalkCommands
 * @typedef {import("./microphone.js").MicrophoneApi} TalkMicrophone
 * @typedef {import("./speaker.js").SpeakerApi} TalkSpeaker
 */

const MICROPHONE_OPEN = ["asking", "opening", "on"];

/** @param {EventTarget | null} target @param {string} others what has a use of its own for the key */
function isFree(target, others) {
  const node = /** @type {Element | null} */ (target);
  return node?.closest ? !node.closest(others) : false;
}

/** Whether the space bar, pressed there, is for talking. @param {EventTarget | null} target */
export function takesSpace(target) {
  const node = /** @type {Element | null} */ (target);
  if (node?.closest?.("[data-talk]")) return true;
  return isFree(target, "input, textarea, select, button, summary, canvas, [role=grid], [role=tab]");
}

/** Whether Escape, pressed there, stops the answer. @param {EventTarget | null} target */
export function takesEscape(target) {
  const node = /** @type {Element | null} */ (target);
  if (node?.closest?.(".rtnb-compose")) return true;
  return isFree(target, "input, textarea, select, summary, .rtnb-events, .rtnb-timeline");
}

/** One that talks as long as it is held, or from one press to the next. */
export class TalkKey {
  /** @param {TalkModel} model @param {TalkCommands} commands */
  constructor(model, commands) {
    this._model = model;
    this._commands = commands;
    this._held = false;
    /** @type {TalkMicrophone | null} */
    this.microphone = null;
    /** @type {TalkSpeaker | null} */
    this.speaker = null;
  }

  get talking() {
    const status = this.microphone?.state.status;
    return status ? MICROPHONE_OPEN.includes(status) : Boolean(this._model.get("talking"));
  }

  get byHolding() {
    return Boolean(this._model.get("push_to_talk"));
  }

  press() {
    if (!this.byHolding) this.toggle();
    else if (!this._held) {
      this._held = true;
      this.talk();
    }
  }

  release() {
    if (!this._held) return;
    this._held = false;
    this.stop();
  }

  /** A press that can't be held: Enter, or a screen reader's. */
  toggle() {
    if (this._held) return;
    if (this.talking) this.stop();
    else this.talk();
  }

  talk() {
    if (this._commands.gone) return;
    this.unlock();
    this.microphone?.start();
    this._commands.command("talk");
  }

  stop() {
    this.microphone?.stop();
    this._commands.command("stop");
  }

  /** Browsers let a page sound only after a press. */
  unlock() {
    this.speaker?.unlock();
  }
}

/** @param {HTMLElement} talk the button @param {TalkKey} key @param {AbortSignal} signal */
export function talkButton(talk, key, signal) {
  talk.addEventListener("pointerdown", (event) => {
    if (!key.byHolding || event.button !== 0) return;
    talk.setPointerCapture(event.pointerId);
    key.press();
  }, { signal });
  for (const end of ["pointerup", "pointercancel"]) {
    talk.addEventListener(end, () => key.release(), { signal });
  }
  talk.addEventListener("click", (event) => {
    if (!key.byHolding || event.detail === 0) key.toggle(); // else the pointer has held it
  }, { signal });
  talk.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.repeat) event.preventDefault(); // one press is one click
  }, { signal });
}

/** Space to talk and Escape to stop the answer, unless something else wants them.
 * @param {HTMLElement} root @param {TalkKey} key @param {TalkCommands} commands @param {AbortSignal} signal */
export function talkKeys(root, key, commands, signal) {
  let bySpace = false;
  const letGo = () => {
    bySpace = false;
    key.release();
  };
  root.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "Escape" && takesEscape(event.target)) commands.command("interrupt");
    if (event.key !== " " || !takesSpace(event.target)) return;
    event.preventDefault();
    if (event.repeat) return;
    bySpace = true;
    key.press();
  }, { signal });
  root.addEventListener("keyup", (event) => {
    if (event.key !== " " || !takesSpace(event.target)) return;
    event.preventDefault(); // a button would be clicked now
    letGo();
  }, { signal });
  // A key that is let go elsewhere is let go.
  root.addEventListener("focusout", () => { if (bySpace) letGo(); }, { signal });
  globalThis.addEventListener?.("blur", letGo, { signal });
}
