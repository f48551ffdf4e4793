// @ts-check
/** The table of `rt.doctor()`, see `realtime_nb/widgets/page_check.py`: it looks at its own page. */
import { keepKeys } from "./keys.js";
import { Link } from "./link.js";
import { surroundings } from "./microphone_trouble.js";
import { element } from "./view.js";

/**
 * @typedef {[mark: string, name: string, text: string]} Line
 * @typedef {{lines: Line[], note: string}} Shown
 */

const LIMIT_MS = 2_000; // Firefox lists devices only once its window has the focus
const PATIENCE_MS = 3_000;
const CELL = "text-align: left; vertical-align: top; padding: 1px 8px 1px 0";

/** @template T @param {Promise<T>} asked @returns {Promise<T | null>} null: no answer in time */
function inTime(asked) {
  return new Promise((resolve) => {
    const limit = setTimeout(() => resolve(null), LIMIT_MS);
    asked.then(resolve, () => resolve(null)).finally(() => clearTimeout(limit));
  });
}

/** @param {any} scope @returns {Promise<number | null>} */
async function countMicrophones(scope) {
  const devices = scope.navigator?.mediaDevices;
  if (!devices?.enumerateDevices) return null;
  const found = await inTime(devices.enumerateDevices());
  return found && found.filter((/** @type {any} */ one) => one.kind === "audioinput").length;
}

/** @param {any} scope @returns {Promise<string>} empty: the browser does not tell */
async function permission(scope) {
  const permissions = scope.navigator?.permissions;
  if (!permissions?.query) return "";
  const answer = await inTime(permissions.query({ name: "microphone" }));
  return answer?.state ?? "";
}

/** What the page can tell without asking the person. @param {any} [scope] */
export async function inspectPage(scope = globalThis) {
  const [microphones, state] = await Promise.all([
    countMicrophones(scope),
    permission(scope).catch(() => ""),
  ]);
  return {
    secure: scope.isSecureContext === true,
    microphones,
    permission: state,
    ...surroundings(scope),
    worklet: "audioWorklet" in (scope.AudioContext?.prototype ?? {}),
  };
}

/** @param {Line} line */
function row([mark, name, text]) {
  return element("tr", {},
    element("td", { style: CELL, text: mark }),
    element("th", { style: CELL, scope: "row", text: name }),
    element("td", { style: CELL, text }));
}

// Called once per widget and page.
export default () => {
  /** @type {Shown} */
  let shown = { lines: [], note: "Looking at this page…" };
  /** @type {Set<() => void>} */
  const watchers = new Set();
  /** @param {Partial<Shown>} change */
  const set = (change) => {
    shown = { ...shown, ...change };
    for (const watcher of watchers) watcher();
  };
  return {
    /** @param {{model: import("./link.js").Model, signal: AbortSignal}} props */
    initialize({ model, signal }) {
      const patience = setTimeout(() => {
        set({ note: "The kernel has not answered this page yet: it waits for a running cell to end." });
      }, LIMIT_MS + PATIENCE_MS);
      signal.addEventListener("abort", () => clearTimeout(patience));
      const lost = () => {
        clearTimeout(patience);
        if (!shown.lines.length) set({ note: "There is no kernel that could look at this page." });
      };
      const link = new Link(model, signal, {
        message: (message) => {
          if (message.kind !== "lines") return;
          clearTimeout(patience);
          set({ lines: message.lines, note: "" });
        },
        yielded: () => {},
        lost,
      });
      inspectPage().then((found) => link.send({ kind: "found", ...found }));
    },

    /** @param {{model: import("./link.js").Model, el: HTMLElement, signal: AbortSignal}} props */
    render({ model, el, signal }) {
      const body = element("tbody");
      const note = element("div", { class: "rtnb-quiet", role: "status" });
      const paint = () => {
        body.replaceChildren(...[...model.get("_known"), ...shown.lines].map(row));
        note.textContent = shown.note;
      };
      watchers.add(paint);
      signal.addEventListener("abort", () => watchers.delete(paint));
      model.on("change:_known", paint);
      signal.addEventListener("abort", () => model.off("change:_known", paint));
      paint();
      keepKeys(el, signal);
      el.classList.add("rtnb");
      el.append(
        element("table", { style: "border-collapse: collapse" }, body),
        element("p", { text: model.get("_verdict") }),
        note,
      );
    },
  };
};
