"""A widget that only shows something, in Chromium and without Jupyter.

The Python class and the ES module are the real ones; what Jupyter's comm does in a notebook is done
here by a queue.
"""

from __future__ import annotations

import base64
import json
import queue
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from realtime_nb.widgets.view import View

__all__ = ["ViewPage", "open_view"]

_ADDRESS = "http://localhost/"  # never asked for: a secure origin, as a notebook's is
_PATIENCE_S = 20.0

_CONNECT = """async ({code, css}) => {
  const listeners = new Set();
  const model = {
    send: (message) => window.toKernel(message),
    on: (_, listener) => listeners.add(listener),
    off: (_, listener) => listeners.delete(listener),
  };
  window.deliver = (messages) => {
    for (const [message, buffers] of JSON.parse(messages)) {
      const views = buffers.map((text) =>
        new DataView(Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer));
      for (const listener of listeners) listener(message, views);
    }
  };
  document.head.append(Object.assign(document.createElement("style"), {textContent: css}));
  const url = URL.createObjectURL(new Blob([code], {type: "text/javascript"}));
  const widget = (await import(url)).default();
  await widget.initialize({model});
  window.close_view = widget.render({model, el: document.querySelector("#view")});
}"""


class ViewPage:
    """The page, and the way to it and back.

    Attributes:
        page: Playwright's.
        posted: How many messages went to the page.
    """

    def __init__(self, page: Page, widget: View) -> None:
        self.page = page
        self.posted = 0
        self._outgoing: queue.SimpleQueue[tuple[dict[str, Any], Sequence[bytes]]]
        self._outgoing = queue.SimpleQueue()
        self._widget = widget
        widget.post = self._post  # type: ignore[method-assign]

    def _post(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        self._outgoing.put((message, buffers))

    def connect(self) -> None:
        """Shows the widget."""
        self.page.expose_function("toKernel", lambda message: self._widget.on_message(message, []))
        self.page.evaluate(_CONNECT, {"code": self._widget._esm, "css": self._widget._css})

    def pump(self) -> None:
        """Delivers what the widget has posted so far."""
        messages = []
        while not self._outgoing.empty():
            message, buffers = self._outgoing.get()
            messages.append([message, [base64.b64encode(one).decode() for one in buffers]])
        if messages:
            self.posted += len(messages)
            self.page.evaluate("(text) => window.deliver(text)", json.dumps(messages))

    def until(self, condition: str, argument: object = None) -> None:
        """Delivers messages until a JavaScript expression or function is true of the page.

        Raises:
            TimeoutError: It isn't after 20 s.
        """
        end_s = time.monotonic() + _PATIENCE_S
        while True:
            self.pump()
            if self.page.evaluate(condition, argument):
                return
            if time.monotonic() > end_s:
                raise TimeoutError(f"The page never came to {condition}")
            self.page.wait_for_timeout(20)


@contextmanager
def open_view(
    browser: Browser, widget: View, *, width: int = 860, height: int = 640, head: str = ""
) -> Iterator[ViewPage]:
    """Shows a widget in a page of its own; ``head`` is HTML for the page's head."""
    page = browser.new_page(viewport={"width": width, "height": height})
    body = '<body style="margin: 0"><div id="view"></div></body>'
    html = f"<!doctype html><html><head>{head}</head>{body}</html>"
    page.route("**/*", lambda route: route.fulfill(body=html, content_type="text/html"))
    page.goto(_ADDRESS)
    view = ViewPage(page, widget)
    view.connect()
    try:
        yield view
    finally:
        page.close()
