// @ts-check
/**
 * A box that shows its newest line, unless somebody has scrolled up in it to read or nothing more
 * comes.
 *
 * @typedef {{scrollHeight: number, scrollTop: number, clientHeight: number}} Place
 */
import { element } from "./view.js";

const NEAR_END_PX = 24;
const ROUNDING_PX = 1;

/** @param {Place} place */
const fromEndPx = ({ scrollHeight, scrollTop, clientHeight }) => scrollHeight - scrollTop - clientHeight;

/**
 * Whether somebody has scrolled up, be it by a pixel: a wheel turns slowly, and lines come in
 * meanwhile. What lies at the end of less content was moved there by the browser.
 *
 * @param {Place} before @param {Place} now
 */
export function isScrolledUp(before, now) {
  return now.scrollTop < before.scrollTop - ROUNDING_PX && now.scrollHeight >= before.scrollHeight
    && fromEndPx(now) > ROUNDING_PX;
}

/** Whether the newest is to be shown, after somebody has scrolled. @param {Place} before @param {Place} now */
export function isFollowing(before, now) {
  return !isScrolledUp(before, now) && fromEndPx(now) < NEAR_END_PX;
}

/** @param {HTMLElement} box @returns {Place} */
const placeOf = ({ scrollHeight, scrollTop, clientHeight }) => ({ scrollHeight, scrollTop, clientHeight });

export class Follower {
  /** @param {HTMLElement} box what is scrolled @param {AbortSignal} signal */
  constructor(box, signal) {
    this._box = box;
    this._follows = true;
    this._rests = false;
    this._before = placeOf(box);
    this.button = element("button", {
      type: "button", class: "rtnb-button rtnb-jump", hidden: true, text: "Latest ↓",
    });
    box.addEventListener("scroll", () => this.look(), { signal, passive: true });
    this.button.addEventListener("click", () => {
      this._showEnd();
      box.focus();
    }, { signal });
    const sizes = new ResizeObserver(() => {
      if (this._follows) this._showEnd();
    });
    sizes.observe(box);
    signal.addEventListener("abort", () => sizes.disconnect());
  }

  /** Takes note of where somebody has scrolled to, or that something was opened. */
  look() {
    if (this._box.clientHeight === 0) return; // it is hidden, and stands nowhere
    const now = placeOf(this._box);
    this._follows = isFollowing(this._before, now);
    if (this._follows) this.button.hidden = true;
    this._before = now;
  }

  /** Stays where it is: what is shown is over, and read from its beginning. */
  rest() {
    this._follows = false;
    this._rests = true;
  }

  /** Shows what has come, or that something has. */
  grown() {
    if (this._rests) { // what goes on has taken the place of what was over
      this._rests = false;
      this._follows = true;
    } else if (isScrolledUp(this._before, placeOf(this._box))) this._follows = false;
    if (this._follows) this._showEnd();
    else this.button.hidden = false;
  }

  _showEnd() {
    this._follows = true;
    this.button.hidden = true;
    this._box.scrollTop = this._box.scrollHeight;
    this._before = placeOf(this._box);
  }
}
