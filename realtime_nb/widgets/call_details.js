// @ts-check
/**
 * One function call in full: as it was, and beside it as it is when it is run again.
 *
 * @typedef {import("./call_text.js").Call} Call
 *
 * @typedef {object} Details
 * @property {string} call_id
 * @property {string} arguments
 * @property {string | null} output
 * @property {boolean} declared Whether there is a schema.
 * @property {boolean} whole Whether the arguments are complete.
 * @property {{path: string, message: string}[]} broken
 * @property {string} reason Why it can't be run again; empty if it can.
 *
 * @typedef {object} Run
 * @property {boolean} running
 * @property {string} [arguments]
 * @property {string} [output]
 * @property {string} [outcome]
 * @property {string} [traceback]
 * @property {number} [run_ms]
 */
import { clockText } from "./texts.js";
import { element, say } from "./view.js";
import { PART_NAMES, msText, partTexts, pretty, runText, shares, totalMs } from "./call_text.js";

const MOST_VIOLATIONS = 12;

/** A bar of the parts of a call's time, and what sets how much of its width each takes. */
export function createBar() {
  const parts = PART_NAMES.map((name) => element("span", { class: `rtnb-bar-${name}` }));
  return {
    root: element("span", { class: "rtnb-bar", role: "presentation" }, ...parts),
    /** @param {number[]} widths As shares of the bar. */
    show(widths) {
      widths.forEach((share, n) => {
        parts[n].style.width = `${100 * share}%`;
        parts[n].hidden = share === 0;
      });
    },
  };
}

/**
 * @param {{run: (text: string) => void, cancel: () => void, leave: () => void}} asks `leave`: the focus goes elsewhere.
 * @param {AbortSignal} signal
 */
export function createDetails({ run, cancel, leave }, signal) {
  const title = element("span", { class: "rtnb-event-title" });
  const facts = element("span", { class: "rtnb-note" });
  const cancelButton = element("button", {
    type: "button", class: "rtnb-button", text: "Cancel", "aria-label": "Cancel this call",
    title: "End this function; the model is told so", hidden: true,
  });
  const progress = element("div", { class: "rtnb-note rtnb-calls-progress", hidden: true });
  const bar = createBar();
  const times = PART_NAMES.map((name) => element("span", { class: `rtnb-key rtnb-key-${name}` }));
  const ran = element("div", { class: "rtnb-note rtnb-calls-ran" });
  const schema = element("div", { class: "rtnb-note rtnb-calls-schema" });
  const broken = element("ul", { class: "rtnb-calls-broken", "aria-label": "Where the arguments break the schema" });
  const given = element("pre", { class: "rtnb-json", tabindex: "0", "aria-label": "Recorded arguments" });
  const output = element("pre", { class: "rtnb-json", tabindex: "0", "aria-label": "Recorded output" });
  const editor = element("textarea", {
    class: "rtnb-json rtnb-calls-editor", "aria-label": "Arguments to run it with", spellcheck: "false", rows: "4",
  });
  const runButton = element("button", { type: "button", class: "rtnb-button", text: "Run", title: "Run it here (Ctrl+Enter)" });
  const resetButton = element("button", { type: "button", class: "rtnb-button", text: "Reset", title: "The recorded arguments again" });
  const state = element("span", { class: "rtnb-note", role: "status" });
  const result = element("pre", { class: "rtnb-json", tabindex: "0", "aria-label": "Output of the run", hidden: true });
  const raised = element("details", { class: "rtnb-details", hidden: true });
  const raisedText = element("pre", { class: "rtnb-json" });
  raised.append(element("summary", { text: "Traceback" }), raisedText);
  const root = element("section", { class: "rtnb-event rtnb-call", "aria-label": "Call details", hidden: true },
    element("div", { class: "rtnb-toolbar" }, title, facts, cancelButton),
    progress,
    element("div", { class: "rtnb-calls-times" }, bar.root, ...times),
    ran, schema, broken,
    element("div", { class: "rtnb-calls-sides" },
      element("div", {}, element("div", { class: "rtnb-note", text: "Recorded arguments" }), given,
        element("div", { class: "rtnb-note", text: "Recorded output" }), output),
      element("div", {}, element("div", { class: "rtnb-note", text: "Run again with" }), editor,
        element("div", { class: "rtnb-toolbar" }, runButton, resetButton, state), result, raised)));

  let shown = "";  // the call whose arguments are in the editor
  let touched = false;
  let ready = false;

  function start() {
    if (!ready) return;
    ready = false;
    runButton.disabled = true;
    say(state, "Running…");
    run(editor.value);
  }

  function reset() {
    editor.value = given.textContent ?? "";
    touched = false;
  }

  runButton.addEventListener("click", start, { signal });
  cancelButton.addEventListener("click", () => {
    say(cancelButton, "Cancelling…");
    cancel();
  }, { signal });
  resetButton.addEventListener("click", reset, { signal });
  editor.addEventListener("input", () => { touched = true; }, { signal });
  editor.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    start();
    event.preventDefault();
    event.stopPropagation();
  }, { signal });

  /** @param {Call} call */
  function showTimes(call) {
    say(title, call.name);
    const turn = call.turn === null ? "" : ` · turn ${call.turn}`;
    say(facts, `${call.outcome} · ${clockText(call.t_s, 1)}${turn} · ${call.id}`);
    say(progress, call.progress ?? "");
    progress.hidden = !call.progress;
    if (!call.cancels) {
      if (cancelButton.matches(":focus")) leave();
      say(cancelButton, "Cancel");
    }
    cancelButton.hidden = !call.cancels;
    bar.show(shares(call, totalMs(call)));
    partTexts(call).forEach((text, n) => say(times[n], text));
    say(ran, runText(call));
    ran.hidden = ran.textContent === "";
  }

  /** @param {Call} call @param {Details | null} details */
  function showRecorded(call, details) {
    say(given, details ? pretty(details.arguments) : "Fetching…");
    say(output, details ? pretty(details.output ?? "no output") : "");
    const found = details?.broken ?? [];
    const words = !details ? "" : !details.declared ? "The session declares no schema for it."
      : !details.whole ? (call.outcome === "called" ? "The arguments are still coming…" : "The arguments are not whole.")
      : found.length === 0 ? "✓ The arguments fit the schema." : "The arguments break the schema:";
    say(schema, words);
    schema.classList.toggle("rtnb-bad", found.length > 0);
    broken.hidden = found.length === 0;
    const lines = found.slice(0, MOST_VIOLATIONS).map(({ path, message }) => `${path || "arguments"} ${message}`);
    if (found.length > MOST_VIOLATIONS) lines.push(`and ${found.length - MOST_VIOLATIONS} more`);
    if (broken.dataset.text === lines.join("\n")) return;
    broken.dataset.text = lines.join("\n");
    broken.replaceChildren(...lines.map((text) => element("li", { text })));
  }

  /** @param {Details | null} details @param {Run | null} last */
  function showRun(details, last) {
    const running = last?.running ?? false;
    ready = details !== null && details.reason === "" && !running;
    runButton.disabled = !ready;
    editor.readOnly = details === null || details.reason !== "";
    resetButton.hidden = editor.readOnly;
    const done = last && !running ? `${last.outcome} · ${msText(last.run_ms ?? null)}` : "";
    say(state, details?.reason || (running ? "Running…" : done));
    result.hidden = !done;
    say(result, done ? pretty(last?.output ?? "") : "");
    raised.hidden = !done || !last?.traceback;
    say(raisedText, last?.traceback ?? "");
    result.classList.toggle("rtnb-bad", Boolean(done) && last?.outcome !== "ok");
  }

  return {
    root,
    /** Puts the cursor where the arguments can be changed. */
    edit: () => editor.focus(),
    /** @param {Call | null} call @param {Details | null} details @param {Run | null} last */
    show(call, details, last) {
      root.hidden = call === null;
      if (call === null) {
        shown = "";
        return;
      }
      if (call.id !== shown) {
        touched = false;
        say(cancelButton, "Cancel");
      }
      shown = call.id;
      showTimes(call);
      showRecorded(call, details);
      if (!touched) editor.value = details ? pretty(last?.arguments ?? details.arguments) : "";
      showRun(details, last);
    },
  };
}
