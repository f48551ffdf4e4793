// @ts-check
/**
 * What is left of a session that is over: where its recording is, the line that opens it, its
 * report. It is shown while no session is open.
 *
 * @typedef {import("./link.js").Model} SessionModel of the panel
 * @typedef {import("./commands.js").Commands} SessionCommands
 * @typedef {{state?: "writing" | "done" | "failed", path?: string, link?: string, words?: string, code?: string}} Report
 * @typedef {{words: string, path: string, code: string, advice: string, report?: Report}} LastSession
 */
import { withCode } from "./alerts.js";
import { followTraits } from "./commands.js";
import { copyText } from "./copying.js";
import { element, say } from "./view.js";

/**
 * The address of a file, if the page's server gives it: the notebook's front end knows it.
 *
 * @param {SessionModel} model @param {string} path from the notebook's folder on
 * @param {typeof fetch} ask @returns {Promise<string>} empty: there is none
 */
export async function addressOf(model, path, ask = globalThis.fetch) {
  const resolver = model.widget_manager?.context?.urlResolver;
  if (!resolver || !path) return "";
  try {
    const there = await resolver.resolveUrl(path.split("/").map(encodeURIComponent).join("/"));
    const address = await resolver.getDownloadUrl(there);
    return (await ask(address, { method: "HEAD" })).ok ? address : "";
  } catch {
    return "";
  }
}

/** @param {SessionModel} model @param {SessionCommands} commands @param {AbortSignal} signal */
export function lastSession(model, commands, signal) {
  const words = element("span");
  const path = element("span", { class: "rtnb-last-path", dir: "ltr" });
  const advice = element("span");
  const code = element("code", { dir: "ltr" });
  const copy = element("button", { type: "button", class: "rtnb-button", text: "Copy", title: "Copy this line of Python" });
  const report = element("button", { type: "button", class: "rtnb-button", text: "Report", title: "Write a page with findings, audio, pictures and tables" });
  const copied = element("span", { class: "rtnb-quiet", role: "status" });
  const outcome = element("div", { class: "rtnb-last-outcome", role: "status" });
  const line = element("div", { class: "rtnb-last-line" }, code, copy, report, copied);
  const root = element("section", { class: "rtnb-last", "aria-label": "Last session" },
    element("div", {}, words, path, advice), line, outcome);
  let told = "";

  /** @returns {LastSession} */
  const last = () => model.get("last_session") ?? {};

  copy.addEventListener("click", async () => {
    const done = await copyText(code.textContent ?? "");
    say(copied, done ? "Copied" : "Not copied: select the line and copy it by hand");
    copy.focus();
  }, { signal });
  report.addEventListener("click", () => commands.command("report"), { signal });

  /** @param {Report} made */
  const tell = async (made) => {
    const stamp = JSON.stringify(made);
    if (stamp === told) return;
    told = stamp;
    if (made.state === "writing") outcome.replaceChildren("Writing the report…");
    else if (made.state === "failed") outcome.replaceChildren(`${made.words} `, element("code", { text: made.code ?? "", dir: "ltr" }));
    else if (made.state !== "done") outcome.replaceChildren();
    else {
      const file = element("span", { class: "rtnb-last-path", dir: "ltr", text: made.path ?? "" });
      outcome.replaceChildren("The report is at ", file);
      const address = await addressOf(model, made.link ?? "");
      if (!address || stamp !== told || signal.aborted) return;
      outcome.replaceChildren("The report is at ", element("a", { href: address, target: "_blank", rel: "noopener" }, file));
    }
  };

  const paint = () => {
    const now = last();
    root.hidden = !now.words || model.get("connected") || model.get("state") !== "disconnected";
    say(words, `${now.words} `);
    say(path, now.path ?? "");
    if (advice.dataset.words !== now.advice) {
      advice.dataset.words = now.advice;
      advice.replaceChildren(...withCode(now.advice ?? ""));
    }
    if (code.textContent !== now.code) say(copied, "");
    say(code, now.code ?? "");
    line.hidden = !now.code;
    const made = now.report ?? {};
    outcome.classList.toggle("rtnb-bad", made.state === "failed");
    report.disabled = commands.gone || made.state === "writing";
    void tell(made);
  };
  followTraits(model, ["last_session", "connected", "state"], paint);
  commands.follow(paint, signal);
  return root;
}
