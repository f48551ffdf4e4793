// @ts-check
/**
 * One event as a whole: its payload, which is fetched from Python, and what it points to.
 *
 * @typedef {import("./event_list.js").Entry} Entry
 * @typedef {import("./event_list.js").EventList} EventList
 * @typedef {import("./event_list.js").Summary} Summary
 * @typedef {(seqs: number[], whole?: boolean) => Promise<{json: string, note: string}>} Fetch
 */
import { copyText } from "./copying.js";
import { secondsText } from "./event_list.js";
import { element } from "./view.js";

const MOST_SHOWN = 400;

export class EventDetails {
  /**
   * @param {Fetch} fetch
   * @param {{goTo(event: Summary): void, filterById(id: string): void, closed(): void}} actions
   * @param {AbortSignal} signal
   */
  constructor(fetch, actions, signal) {
    this._fetch = fetch;
    this._actions = actions;
    this._signal = signal;
    this._shown = -1;
    this._whole = { json: "", seqs: 0 }; // what is shown of how many events, if nothing is left out
    this.root = element("section", {
      class: "rtnb-event", "aria-label": "Event details", hidden: true,
    });
  }

  get open() {
    return !this.root.hidden;
  }

  /** @param {Entry} entry @param {EventList} list */
  async show(entry, list) {
    const { first } = entry;
    const key = (this._shown = first.seq);
    const pre = element("pre", { class: "rtnb-json", tabindex: "0", text: "Fetching…" });
    const note = element("div", { class: "rtnb-note", hidden: true });
    this.root.replaceChildren(this._head(entry, list), note, pre);
    this.root.hidden = false;
    this._whole = { json: "", seqs: 0 };
    const seqs = seqsOf(entry);
    const answer = await this._fetch(seqs.slice(0, MOST_SHOWN));
    if (this._shown !== key || this._signal.aborted) return;
    if (answer.note === "" && seqs.length <= MOST_SHOWN) this._whole = { json: answer.json, seqs: seqs.length };
    pre.textContent = answer.json || entry.text;
    note.textContent = answer.note;
    note.hidden = answer.note === "";
  }

  close() {
    this.root.hidden = true;
    this._shown = -1;
    this.root.replaceChildren();
    this._actions.closed();
  }

  /** Copies an event without showing it. @param {Entry} entry @returns {Promise<string>} what came of it */
  async copy(entry) {
    const seqs = seqsOf(entry);
    const shown = this._shown === entry.first.seq && this._whole.seqs === seqs.length ? this._whole.json : "";
    if (shown) return copied(shown);
    const { json, note } = await this._fetch(seqs, true);
    return json && !note ? copied(json) : `Not copied. ${note}`;
  }

  /** @param {Entry} entry @param {EventList} list */
  _head(entry, list) {
    const { first, members } = entry;
    const said = element("span", { role: "status", class: "rtnb-note" });
    const which = members ? `×${members.length}` : `#${first.seq}`;
    const end = members?.[members.length - 1].t ?? null;
    const times = first.t === null ? `${which} · time unknown`
      : `${which} · ${secondsText(first.t)}${end === null ? "" : `–${secondsText(end)}`} s`;
    return element(
      "div", { class: "rtnb-toolbar" },
      element("span", { class: "rtnb-event-title", text: first.type }),
      element("span", { class: "rtnb-note", text: `${first.sent ? "sent" : "received"} · ${times}` }),
      ...this._links(first, list), said,
      this._button({ class: "rtnb-button", text: "Copy JSON" }, async () => {
        said.textContent = await this.copy(entry);
      }),
      this._button({ class: "rtnb-button", text: "Close", title: "Close (Esc)" }, () => this.close()),
    );
  }

  /** Buttons for what an event points to. @param {Summary} event @param {EventList} list */
  _links(event, list) {
    const { goTo, filterById } = this._actions;
    const buttons = [];
    const cause = event.cause ? list.sentById.get(event.cause) : undefined;
    if (cause) {
      const text = `caused by #${cause.seq} ${cause.type}`;
      buttons.push(this._button({ class: "rtnb-chip rtnb-chip-error", text }, () => goTo(cause)));
    }
    const error = event.sent && event.eventId && list.refused.has(event.eventId)
      ? list.events.find((other) => other.cause === event.eventId) : undefined;
    if (error) {
      const text = `refused by #${error.seq}`;
      buttons.push(this._button({ class: "rtnb-chip rtnb-chip-error", text }, () => goTo(error)));
    }
    for (const id of new Set([event.item, event.response, event.call])) {
      if (!id) continue;
      const title = "Show only what names this id";
      buttons.push(this._button({ class: "rtnb-chip", text: id, title }, () => filterById(id)));
    }
    return buttons;
  }

  /** @param {{[name: string]: string}} attributes @param {() => void} press */
  _button(attributes, press) {
    const button = element("button", { type: "button", ...attributes });
    button.addEventListener("click", press, { signal: this._signal });
    return button;
  }
}

/** @param {Entry} entry */
function seqsOf(entry) {
  return entry.members?.map((event) => event.seq) ?? [entry.first.seq];
}

/** @param {string} text @returns {Promise<string>} what came of it, in words */
async function copied(text) {
  return (await copyText(text)) ? "Copied" : "Copying is not allowed here";
}
