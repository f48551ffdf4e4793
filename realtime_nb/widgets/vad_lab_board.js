// @ts-check
/**
 * What of the lab is words and buttons: the scoreboard, calibration, history.
 *
 * @typedef {import("./vad_lab_store.js").LabStore} LabStore
 * @typedef {import("./vad_lab_store.js").LabRow} LabRow
 * @typedef {import("./vad_lab_store.js").LabCalibration} LabCalibration
 */
import { element, say } from "./view.js";

/** @param {string} text @param {string} title @param {AbortSignal} signal @param {() => void} press */
export function labButton(text, title, signal, press) {
  const made = element("button", { type: "button", class: "rtnb-button", text, title });
  made.addEventListener("click", press, { signal });
  return made;
}

/** What there is to see of a calibration, in words. @param {LabCalibration} calibration */
export function calibrationText({ phase, left_s: left, words }) {
  if (phase === "quiet") return `Be silent, please: ${Math.ceil(left)} s more. ${words}`.trim();
  if (phase === "speech") return `Now speak as you will: ${Math.ceil(left)} s more. ${words}`.trim();
  return words;
}

/** @param {LabStore} store @param {AbortSignal} signal */
export function calibrationBox(store, signal) {
  const said = element("div", { class: "rtnb-lab-said", role: "status" });
  const facts = element("div", { class: "rtnb-quiet" });
  const use = labButton("Use it", "Asks for the proposed threshold", signal, () => store.command("use_calibration"));
  const away = labButton("Close", "", signal, () => store.command("end_calibration"));
  const box = element("div", { class: "rtnb-lab-calibration" }, said, facts, element("div", { class: "rtnb-toolbar" }, use, away));
  return {
    box,
    paint() {
      const { calibration } = store.facts;
      box.hidden = calibration.phase === "";
      say(said, calibrationText(calibration));
      say(facts, calibration.facts.join(" · "));
      facts.hidden = calibration.facts.length === 0;
      use.hidden = calibration.threshold === null || calibration.threshold === calibration.current;
      say(away, calibration.phase === "done" ? "Close" : "Cancel");
    },
  };
}

/** @param {LabStore} store @param {LabRow} row @param {AbortSignal} signal */
function rowButtons(store, row, signal) {
  const makes = store.facts.shows === "recording" ? "Makes these the settings that you try" : "Asks the server for these settings";
  const promote = labButton("Promote", makes, signal, () => store.command("promote", row.name));
  const remove = labButton("×", "Removes this ghost", signal, () => store.command("remove_ghost", row.name));
  remove.setAttribute("aria-label", `Remove ${row.name}`);
  promote.setAttribute("aria-label", `Promote ${row.name}`);
  return [promote, remove];
}

/** The scores of what is in force and of each ghost. @param {LabStore} store @param {AbortSignal} signal */
export function scoreboard(store, signal) {
  // Roles are said, as in a narrow cell these are no boxes of a table.
  const head = element("tr", { role: "row" });
  const body = element("tbody", { role: "rowgroup" });
  const table = element("table", { class: "rtnb-lab-scores", role: "table" }, element("thead", { role: "rowgroup" }, head), body);
  const scored = element("div", { class: "rtnb-quiet" });
  const meaning = element("div", { class: "rtnb-quiet", role: "status" });
  /** @type {Map<string, {line: HTMLElement, cells: HTMLElement[], name: HTMLElement, words: HTMLElement}>} */
  const lines = new Map();

  /** A column's name, which says what it means below the table while it is focused or under the pointer.
   * @param {{label: string, does: string}} column */
  function titleOf({ label, does }) {
    const title = element("th", { scope: "col", role: "columnheader", text: label, title: does, tabindex: "0" });
    for (const type of ["focus", "pointerenter"]) title.addEventListener(type, () => say(meaning, `${label}: ${does}`), { signal });
    for (const type of ["blur", "pointerleave"]) title.addEventListener(type, () => say(meaning, ""), { signal });
    return title;
  }

  /** @param {LabRow} row */
  function lineOf(row) {
    const name = element("span", { class: "rtnb-lab-name" });
    const words = element("span", { class: "rtnb-lab-words" });
    const chip = element("span", { class: `rtnb-lab-chip rtnb-lab-${row.kind}` });
    const cells = store.facts.columns.map(() => element("td", { role: "cell" }));
    const acts = element("td", { class: "rtnb-lab-acts", role: "cell" }, ...(row.kind === "ghost" ? rowButtons(store, row, signal) : []));
    const line = element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, chip, name, words), ...cells, acts);
    return { line, cells, name, words };
  }

  return {
    box: element("div", { class: "rtnb-lab-board" }, element("div", { class: "rtnb-lab-scroll", tabindex: "0", role: "region", "aria-label": "Scores" }, table), meaning, scored),
    paint() {
      const { columns } = store.facts;
      const named = columns.map(({ label }) => label).join("\n");
      if (head.dataset.columns !== named) {
        head.dataset.columns = named;
        table.style.setProperty("--columns", String(columns.length));
        const name = element("th", { scope: "col", role: "columnheader", text: "settings" });
        head.replaceChildren(name, ...columns.map(titleOf), element("th", { role: "columnheader", "aria-label": "Actions" }));
        lines.clear();
      }
      const rows = store.rows.filter(({ cells }) => Object.keys(cells).length > 0);
      const ids = rows.map(({ id }) => id);
      for (const id of lines.keys()) if (!ids.includes(id)) lines.delete(id);
      for (const row of rows) if (!lines.has(row.id)) lines.set(row.id, lineOf(row));
      const wanted = ids.map((id) => /** @type {any} */ (lines.get(id)).line);
      if (wanted.some((line, n) => body.children[n] !== line) || body.children.length !== wanted.length) body.replaceChildren(...wanted);
      for (const row of rows) {
        const { line, cells, name, words } = /** @type {any} */ (lines.get(row.id));
        line.classList.toggle("rtnb-lab-grey", row.grey);
        line.title = row.grey ? "The emulator agrees too little with the server for this to be believed" : "";
        say(name, row.name);
        say(words, [row.words, row.judged].filter(Boolean).join(" · "));
        columns.forEach(({ label }, n) => {
          say(cells[n], row.cells[label] ?? "");
          cells[n].title = row.notes[label] ?? "";
        });
      }
      table.hidden = rows.length === 0;
      say(scored, store.facts.scored);
    },
  };
}

/** What was changed, and what that did. @param {LabStore} store */
export function historyBox(store) {
  const diff = element("div", { class: "rtnb-lab-said" });
  const list = element("ol");
  const count = element("summary");
  const past = element("details", { class: "rtnb-details" }, count, list);
  return {
    box: element("div", {}, diff, past),
    paint() {
      const { history, diff: words } = store.facts;
      say(diff, words);
      past.hidden = history.length === 0;
      say(count, `History (${history.length})`);
      if (list.dataset.lines === history.join("\n")) return;
      list.dataset.lines = history.join("\n");
      list.replaceChildren(...history.map((text) => element("li", { text })));
    },
  };
}
