// @ts-check
/**
 * Why a page has no microphone, in words, and what works there instead. What the page is, is
 * detected: only a browser's own page has an address that something could be allowed beside.
 *
 * @typedef {"insecure"|"denied"|"missing"} Trouble as the microphone's status has it
 * @typedef {{place: "vscode"|"app"|"frame"|"page", forbidden: boolean | null}} Surroundings
 *   `forbidden`: by whoever framed or served the page; null: the browser does not tell
 */

const AGAIN = "then press Talk again.";

/** What a page sits in. @param {any} [scope] its globals @returns {Surroundings} */
export function surroundings(scope = globalThis) {
  const { location, navigator, document } = scope;
  const origins = [location?.origin, ...(location?.ancestorOrigins ?? [])].map(String);
  const policy = document?.permissionsPolicy ?? document?.featurePolicy;
  const allowed = policy?.allowsFeature?.("microphone");
  const isCode = typeof scope.acquireVsCodeApi === "function"
    || origins.some((one) => /^vscode-|\.vscode-cdn\.net$|\.vscode-webview\.net$/.test(one));
  const isApp = /\bElectron\//.test(navigator?.userAgent ?? "");
  const isFramed = scope.top !== undefined && scope.top !== (scope.self ?? scope);
  return {
    place: isCode ? "vscode" : isApp ? "app" : isFramed ? "frame" : "page",
    forbidden: allowed === undefined ? null : !allowed,
  };
}

/** Words for a page that is not safe enough. @param {any} [scope] */
export function insecureWords(scope = globalThis) {
  const { protocol = "", hostname = "", port = "" } = scope.location ?? {};
  const rule = "The browser gives the microphone only to pages from https:// or from localhost";
  if (protocol !== "http:" || !hostname) return `${rule}. Open the notebook at such an address.`;
  const there = port || "80";
  const here = Number(there) < 1024 ? "8888" : there;
  return `${rule}, and this one came from http://${hostname}. Open the notebook at https://, or through a tunnel: `
    + `\`ssh -N -L ${here}:localhost:${there} ${hostname}\` in a terminal, then \`http://localhost:${here}\` in the browser.`;
}

/**
 * Words for a microphone that the browser did not give.
 *
 * @param {unknown} failure of the request for it
 * @param {string} permission what the browser says of it: "granted", "denied", "prompt"; empty: nothing
 * @param {Surroundings} around
 * @returns {[Trouble, string]}
 */
export function explain(failure, permission, around) {
  const { name = "", message = "" } = /** @type {{name?: string, message?: string}} */ (failure ?? {});
  switch (name) {
    case "NotAllowedError":
    case "SecurityError":
      return [name === "SecurityError" ? "insecure" : "denied", refused(permission, message, around)];
    case "NotFoundError":
    case "OverconstrainedError":
      return ["missing", `There is no microphone. Connect one, ${AGAIN}`];
    case "NotReadableError":
    case "AbortError":
      return ["missing", `The microphone can't be read: another program may use it. Close that, ${AGAIN}`];
    default:
      return ["missing", `The microphone can't be used (${String(failure)}).`];
  }
}

/** @param {string} permission @param {string} message @param {Surroundings} around */
function refused(permission, message, { place, forbidden }) {
  if (place === "vscode") {
    return "VS Code gives notebooks no microphone. In a browser there is one: run `jupyter lab` in a terminal and open the notebook there.";
  }
  if (/system/i.test(message)) {
    return `The computer's settings keep the microphone from this program. Allow it there, under privacy, ${AGAIN}`;
  }
  if (place === "app") {
    return "This program gives the page no microphone. In a browser there is one: run `jupyter lab` in a terminal and open the notebook there.";
  }
  if (place === "frame" && forbidden !== false) {
    return "This page sits in a frame that may not use the microphone. Open the notebook in a tab of its own.";
  }
  if (forbidden) {
    return "Who serves this page forbids it the microphone (by a Permissions-Policy header). Open the notebook from another server, such as `jupyter lab` on this computer.";
  }
  if (permission === "prompt") {
    return "The browser's question about the microphone was closed without an answer. Press Talk again, and allow it.";
  }
  return `The browser does not let this page use the microphone. Allow it beside the page's address, ${AGAIN}`;
}

/** What an agent can do without the page's microphone, with lines to paste. @param {string} endpoint its name */
export function insteadWords(endpoint) {
  const agent = `agent = rt.Agent(${JSON.stringify(endpoint)}, audio=`;
  return "Here, this works instead: type a message below; or make the agent, with its other options, "
    + `with the sound of the computer that runs the kernel: \`${agent}"host")\`; or have a file spoken: \`${agent}"question.wav")\`.`;
}

/** What the browser says of the permission; empty: it does not tell. @returns {Promise<string>} */
export async function permissionNow() {
  try {
    const asked = /** @type {any} */ ({ name: "microphone" });
    return (await navigator.permissions.query(asked)).state;
  } catch {
    return "";
  }
}
