/** As much of a page's document as the widgets' tests under node need, and a model to show. */

/** @param {string} selector a list of names, classes, `[name]` and `[name=value]`, or two in a row */
function matches(node, selector) {
  return selector.split(",").some((one) => {
    const found = /^([a-z]*)(?:\.([\w-]+))?(?:\[([\w-]+)(?:="?([\w-]+)"?)?\])?$/.exec(one.trim());
    if (!found) throw new Error(`not known here: ${one}`);
    const [, tag, name, attribute, value] = found;
    return (!tag || node.tag === tag) && (!name || node.classList.contains(name))
      && (!attribute || (node.attributes.has(attribute) && (value ?? node.attributes.get(attribute)) === node.attributes.get(attribute)));
  });
}

export class FakeElement {
  constructor(tag) {
    this.tag = tag;
    this.attributes = new Map();
    this.nodes = [];
    this.parent = null;
    this.dataset = {};
    this.style = {};
    this.listeners = [];
    this.value = "";
    const own = this;
    this.classList = {
      contains: (name) => (own.attributes.get("class") ?? "").split(" ").includes(name),
      toggle(name, on = !this.contains(name)) {
        const others = (own.attributes.get("class") ?? "").split(" ").filter((one) => one && one !== name);
        own.attributes.set("class", [...others, ...(on ? [name] : [])].join(" "));
      },
    };
    for (const name of ["hidden", "disabled"]) {
      Object.defineProperty(this, name, {
        get: () => own.attributes.has(name),
        set: (on) => (on ? own.attributes.set(name, "") : own.attributes.delete(name)),
      });
    }
    for (const name of ["min", "max", "step", "id", "title"]) {
      Object.defineProperty(this, name, {
        get: () => own.attributes.get(name) ?? "", set: (value) => own.attributes.set(name, String(value)),
      });
    }
  }

  get children() { return this.nodes.filter((node) => node instanceof FakeElement); }
  /** Whether it is on the page: in a cell. */
  get isConnected() { return this.closest(".jp-Cell") !== null; }
  get parentElement() { return this.parent; }
  get tabIndex() { return Number(this.attributes.get("tabindex") ?? -1); }
  set tabIndex(index) { this.attributes.set("tabindex", String(index)); }
  getRootNode() { return document; }
  get firstElementChild() { return this.children[0] ?? null; }
  get textContent() { return this.nodes.map((node) => (typeof node === "string" ? node : node.textContent)).join(""); }
  set textContent(text) { this.replaceChildren(...(text === "" ? [] : [text])); }
  setAttribute(name, value) { this.attributes.set(name, String(value)); }
  getAttribute(name) { return this.attributes.get(name) ?? null; }

  _adopt(nodes) {
    for (const node of nodes) {
      if (!(node instanceof FakeElement)) continue;
      node.remove();
      node.parent = this;
    }
    return nodes;
  }
  append(...nodes) { this.nodes.push(...this._adopt(nodes)); }
  prepend(...nodes) { this.nodes.unshift(...this._adopt(nodes)); }
  replaceChildren(...nodes) {
    for (const node of this.children) node.parent = null;
    this.nodes = this._adopt(nodes);
  }
  insertBefore(node, before) {
    this._adopt([node]);
    const at = this.nodes.indexOf(before);
    this.nodes.splice(at < 0 ? this.nodes.length : at, 0, node);
  }
  normalize() {}
  remove() {
    if (this.parent) this.parent.nodes = this.parent.nodes.filter((node) => node !== this);
    this.parent = null;
  }

  contains(node) {
    for (let one = node; one; one = one.parent) if (one === this) return true;
    return false;
  }
  closest(selector) {
    if (matches(this, selector)) return this;
    return this.parent?.closest(selector) ?? null;
  }
  querySelectorAll(selector) {
    return this.children.flatMap((node) => [...(matches(node, selector) ? [node] : []), ...node.querySelectorAll(selector)]);
  }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  /** The one that is named so, by its label or its text. */
  named(selector, name) {
    return this.querySelectorAll(selector).find((node) => (node.getAttribute("aria-label") ?? node.textContent) === name);
  }

  addEventListener(type, call, { signal } = {}) {
    const one = { type, call };
    this.listeners.push(one);
    signal?.addEventListener("abort", () => { this.listeners = this.listeners.filter((other) => other !== one); });
  }
  /** Tells the listeners here and above. @returns {boolean} whether the usual would happen */
  fire(type, facts = {}) {
    let prevented = false;
    const event = {
      type, target: this, ...facts,
      preventDefault() { prevented = true; },
      stopPropagation() {},
    };
    for (let node = this; node; node = node.parent) {
      for (const { type: wanted, call } of [...node.listeners]) if (wanted === type) call(event);
    }
    return !prevented;
  }
  /** With a pointer, unless `detail` is 0. */
  click(detail = 1) { if (!this.disabled) this.fire("click", { detail }); }
  setPointerCapture() {}
  focus() {
    document.activeElement = this;
    this.fire("focusin");
  }
  /** The focus goes to another element, or to none. */
  blur(relatedTarget = null) { this.fire("focusout", { relatedTarget }); }
  requestSubmit() { this.fire("submit"); }
}

/** Tells of sizes when a test says so. */
export class FakeSizes {
  static all = new Set();
  static tell() { for (const one of [...FakeSizes.all]) one.call(); }
  constructor(call) { this.call = call; }
  observe() { FakeSizes.all.add(this); }
  disconnect() { FakeSizes.all.delete(this); }
}

/** Tells of changes when a test says so. */
export class FakeChanges extends FakeSizes {
  static all = new Set();
  static tell() { for (const one of [...FakeChanges.all]) one.call(); }
  observe() { FakeChanges.all.add(this); }
  disconnect() { FakeChanges.all.delete(this); }
}

/** Puts the document in its place. */
export function fakeDocument() {
  globalThis.ResizeObserver = FakeSizes;
  globalThis.MutationObserver = FakeChanges;
  globalThis.document = {
    activeElement: null,
    body: new FakeElement("body"),
    createElement: (tag) => new FakeElement(tag),
    addEventListener() {},
    dispatchEvent() {},
  };
}

/** The front end's half of a widget. */
export class FakeModel {
  /** @param {Record<string, unknown>} traits */
  constructor(traits = {}, widget_manager = undefined) {
    this.traits = traits;
    this.sent = [];
    this.live = true;
    this.widget_manager = widget_manager;
    this.handlers = [];
  }
  get(name) { return this.traits[name]; }
  set(name, value) { this.change({ [name]: value }); }
  save_changes() {}
  send(message, _callbacks, buffers = []) {
    if (!this.live) throw new Error("Cannot send");
    this.sent.push(message);
  }
  on(name, call) { this.handlers.push([name, call]); }
  off(name, call) { this.handlers = this.handlers.filter((one) => one[0] !== name || one[1] !== call); }
  tell(name, ...facts) { for (const [wanted, call] of [...this.handlers]) if (wanted === name) call(...facts); }
  /** Python sets traits. */
  change(traits) {
    Object.assign(this.traits, traits);
    for (const name of Object.keys(traits)) this.tell(`change:${name}`);
  }
  /** The kernel is restarted. */
  die() {
    this.live = false;
    this.tell("comm_live_update");
  }
}

/** One of JupyterLab's signals. */
export class FakeSignal {
  constructor() { this.calls = new Set(); }
  connect(call) { this.calls.add(call); }
  disconnect(call) { this.calls.delete(call); }
  emit() { for (const call of [...this.calls]) call(); }
}
