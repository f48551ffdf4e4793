import assert from "node:assert/strict";
import test from "node:test";
import { load } from "./load.mjs";

const { explain, insecureWords, insteadWords, surroundings } = await load("microphone_trouble.js");

/** A page's globals. */
function page({ origin = "http://localhost:8888", above = [], agent = "Chrome/150", framed = false, allows, code = false } = {}) {
  const scope = { location: { origin, ancestorOrigins: above }, navigator: { userAgent: agent }, document: {} };
  if (allows !== undefined) scope.document.featurePolicy = { allowsFeature: () => allows };
  if (code) scope.acquireVsCodeApi = () => {};
  return Object.assign(scope, { self: scope, top: framed ? {} : scope });
}
const refusedIn = (facts, permission = "denied", message = "") =>
  explain({ name: "NotAllowedError", message }, permission, surroundings(page(facts)))[1];

test("only a browser's own page has an address to allow something beside", () => {
  const others = [
    [{ origin: "vscode-webview://1a", framed: true, allows: false }, /VS Code.*jupyter lab/],
    [{ origin: "https://x.vscode-cdn.net", framed: true }, /VS Code/],
    [{ framed: true, above: ["vscode-webview://1a"] }, /VS Code/],
    [{ code: true, framed: true }, /VS Code/],
    [{ agent: "Chrome/150 Electron/40" }, /This program/],
    [{ framed: true, allows: false }, /frame.*tab of its own/],
    [{ framed: true }, /frame/],
    [{ allows: false }, /Permissions-Policy/],
  ];
  for (const [facts, words] of others) {
    assert.match(refusedIn(facts), words);
    assert.doesNotMatch(refusedIn(facts), /address/, JSON.stringify(facts));
  }
  assert.match(refusedIn({ allows: true }), /beside the page's address/);
  assert.match(refusedIn({ framed: true, allows: true }), /beside the page's address/);
  assert.match(refusedIn({ allows: true }, "prompt"), /closed without an answer/);
  assert.match(refusedIn({ allows: true }, "denied", "Permission denied by system"), /computer's settings/);
});

test("a microphone that is not there is not a matter of permission", () => {
  const around = surroundings(page());
  assert.deepEqual(explain({ name: "NotFoundError" }, "granted", around)[0], "missing");
  assert.match(explain({ name: "NotReadableError" }, "granted", around)[1], /another program/);
});

test("a page from another computer is told its own tunnel", () => {
  const words = insecureWords({ location: { protocol: "http:", hostname: "gpu7", port: "8889" } });
  assert.match(words, /`ssh -N -L 8889:localhost:8889 gpu7`.*`http:\/\/localhost:8889`/);
});

test("what works instead can be pasted", () => {
  const pasted = insteadWords("local").match(/`[^`]+`/g);
  assert.deepEqual(pasted, ['`agent = rt.Agent("local", audio="host")`', '`agent = rt.Agent("local", audio="question.wav")`']);
});
