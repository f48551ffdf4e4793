"""What a notebook shows in a widget's place when it is opened again without its kernel.

A front end that knows widgets prefers a widget's view over anything beside it in the same output,
also where all it can say is that the widget is gone. So a widget is shown as two outputs: a summary
in HTML, and the view. Wherever the view lives on the page, the summary is hidden; where it is gone,
JupyterLab's and Notebook's words about that are.

It is styles that do this, so it holds whatever is drawn first, moved or drawn anew. A notebook that
is not trusted has no styles, and no widgets either.
"""

from __future__ import annotations

import contextlib
import html
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["LONGEST_S", "QUIET_S", "StandIn"]

QUIET_S = 2.0
"""The summary is made anew when nothing has changed for so long,"""
LONGEST_S = 30.0
"""or so long after it was last made."""

_VIEW = "application/vnd.jupyter.widget-view+json"
# Whatever the view lives in, the view's class is somewhere on the page. The output that follows
# the summary is the view's; without a view there is only text in it.
_STYLE = """<style>
body:has(.{view}) [data-realtime-nb-summary="{id}"],
body:has(.{view}) .jp-OutputArea-child:has([data-realtime-nb-summary="{id}"]),
.jp-OutputArea-child:has([data-realtime-nb-summary="{id}"]) + .jp-OutputArea-child
  > .jp-OutputArea-output.lm-Panel:not(:has(> *)) {{ display: none; }}
</style>"""

Contents = tuple[str, str]
"""A summary as plain text, and as HTML."""


class StandIn:
    """The summary of one widget, wherever that is shown.

    Args:
        contents: makes the summary; no audio, no secret.

    Attributes:
        view_class: a CSS class that the widget's views have, and nothing else.
    """

    def __init__(self, contents: Callable[[], Contents]) -> None:
        self._contents = contents
        self._id = uuid.uuid4().hex
        self.view_class = f"rtnb-view-{self._id}"
        self._shown: Contents | None = None
        self._publishing = threading.RLock()
        self._arming = threading.Lock()
        self._timer: threading.Timer | None = None
        self._changed_s = self._made_s = 0.0

    def show(self, view: Mapping[str, object], metadata: Mapping[str, object]) -> None:
        """Shows the summary and the view in the cell that runs.

        Args:
            view: the widget's bundle, of which the view is taken if there is one.
            metadata: that of the view.
        """
        with self._publishing:
            self._publish(self._contents(), update=False)
            if _VIEW in view:
                # Empty text: what converts notebooks asks for something that it can show.
                _display({_VIEW: view[_VIEW], "text/plain": ""}, metadata, {}, update=False)

    def refresh(self) -> None:
        """Brings the summary up to date where it was shown, for the notebook that is saved next.

        A page that was reloaded since the cell ran doesn't take it in any more.
        """
        if self._shown is None or sys.is_finalizing():
            return
        # The kernel's sockets close before its threads end, and a summary is not worth an error.
        with self._publishing, contextlib.suppress(Exception):
            self._made_s = time.monotonic()
            contents = self._contents()
            if contents != self._shown and _in_kernel():
                self._publish(contents, update=True)

    def refresh_soon(self) -> None:
        """Does the same once nothing has changed for a while; cheap, and from any thread."""
        if self._shown is None:
            return
        self._changed_s = time.monotonic()
        with self._arming:
            if self._timer is None:
                self._arm(QUIET_S)

    def close(self) -> None:
        """Refreshes it for the last time."""
        with self._arming:
            if self._timer is not None:
                self._timer.cancel()
        self.refresh()
        self._shown = None

    def _publish(self, contents: Contents, *, update: bool) -> None:
        text, page = contents
        style = _STYLE.format(id=self._id, view=self.view_class)
        # JupyterLab shows the first line of a collapsed output, as it is written.
        first = html.escape(text.partition("\n")[0], quote=False)
        page = f'<!-- {first} -->\n<div data-realtime-nb-summary="{self._id}">{style}{page}</div>'
        transient = {"display_id": f"realtime-nb-{self._id}"}
        _display({"text/plain": text, "text/html": page}, {}, transient, update=update)
        self._shown, self._made_s = contents, time.monotonic()

    def _arm(self, after_s: float) -> None:
        self._timer = threading.Timer(after_s, self._fire)
        self._timer.daemon = True
        self._timer.name = "realtime_nb summary"
        self._timer.start()

    def _fire(self) -> None:
        due_s = min(self._changed_s + QUIET_S, self._made_s + LONGEST_S)
        rest_s = due_s - time.monotonic()
        with self._arming:
            self._timer = None
            if rest_s > 0:
                self._arm(rest_s)
                return
        self.refresh()


def _shell() -> Any:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _in_kernel() -> bool:
    """Tells whether outputs can be changed afterwards; a terminal would only print them again."""
    return getattr(_shell(), "kernel", None) is not None


def _display(
    data: Mapping[str, object],
    metadata: Mapping[str, object],
    transient: Mapping[str, str],
    *,
    update: bool,
) -> None:
    shell = _shell()
    if shell is not None:
        shell.display_pub.publish(
            data=dict(data), metadata=dict(metadata), transient=dict(transient), update=update
        )
