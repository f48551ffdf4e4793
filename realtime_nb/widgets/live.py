"""Base of the widgets: messages between the kernel and the page that no running cell holds up.

A widget's messages are handled on the thread that the front end chose for them, a subshell where
there is one, so they arrive while a cell runs. Two faults of ipykernel are worked round for our own
comms only:

- ipykernel 7.4 sends a comm's messages to the shell that last wrote on it, that is the main thread;
- every message fires IPython's ``pre_execute`` and ``post_execute``, and with matplotlib's inline
  back end that shows and closes the figure that a running cell is still drawing.

One page at a time speaks for a widget: the *owner*. After a reload, or in a second browser window,
another page takes over. The messages for it are of kind ``link-…``; ``realtime_nb/widgets/link.js``
is the page's side.
"""

from __future__ import annotations

import difflib
import html
import os
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, cast

import anywidget
import traitlets

from realtime_nb.errors import ConfigurationError
from realtime_nb.widgets.kernel_status import keep_status_quiet
from realtime_nb.widgets.page_text import style_text
from realtime_nb.widgets.stand_in import StandIn

__all__ = [
    "LiveWidget",
    "PageMessage",
    "SelfTest",
    "check_range",
    "switch_quickly",
]

PageMessage: TypeAlias = dict[str, Any]
"""A JSON object with a ``kind``; the rest depends on it."""

_SELFTEST_S = 2.5
_ASKED_TIMES = 4
_ASK_AGAIN_S = 0.4
_QUICK_S = 0.001


class _Comm(Protocol):
    """What of ipykernel's comm is touched."""

    def handle_msg(self, msg: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Whether messages from the page arrive while a cell runs, see `LiveWidget.selftest`."""

    live_while_cells_run: bool | None
    """None: nobody answered, or the question could not be asked."""
    thread: str | None
    """Name of the thread that handled the page's answer."""
    idle_ms: float | None
    """Round trip kernel → page → kernel when the page opened the widget."""
    blocked_ms: float | None
    """The same while the calling cell waited; None if the answer had to wait for its end."""
    words: str
    """The result in one line."""
    remedy: str = ""
    """What holds messages up, and what to do about it; empty if nothing does."""

    def __str__(self) -> str:
        return self.words


class _Answer:
    """The page's answer to one or more pings, filled in on the thread that handles it."""

    def __init__(self) -> None:
        self.asked_s = time.monotonic()
        self.thread: threading.Thread | None = None
        self.took_ms: float | None = None
        self.came = threading.Event()
        self.came_beside_cells = threading.Event()

    @property
    def waits(self) -> bool:
        """Whether it was handled where it waits for cells."""
        return self.thread is threading.main_thread()

    def take(self, took_ms: float) -> None:
        """Takes an answer; the first one that needn't wait for cells counts."""
        if self.came_beside_cells.is_set():
            return
        self.thread, self.took_ms = threading.current_thread(), took_ms
        self.came.set()
        if not self.waits:
            self.came_beside_cells.set()


_switching = threading.Lock()
_in_a_hurry: set[str] = set()
_usual_s = 0.0


def switch_quickly(who: str, on: bool) -> None:
    """Has Python change threads every millisecond, not every 5, while anybody asks for it.

    A message is handed over by several threads, and each waits that long behind a cell that
    computes. It does nothing against C code that holds the GIL, and costs a computing cell little.
    """
    global _usual_s
    with _switching:
        before = bool(_in_a_hurry)
        (_in_a_hurry.add if on else _in_a_hurry.discard)(who)
        if on and not before:
            _usual_s = sys.getswitchinterval()
            sys.setswitchinterval(min(_usual_s, _QUICK_S))
        elif before and not _in_a_hurry:
            sys.setswitchinterval(_usual_s)


def check_range(name: str, value: object, least: int, most: int) -> None:
    """Raises ConfigurationError unless a setting is a whole number within its range."""
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ConfigurationError(f"{name} goes from {least} to {most}, not {value!r}.")


class LiveWidget(anywidget.AnyWidget):
    """A widget that trades messages with its page at any time, from any thread.

    Subclasses override `on_message`, `on_page` and `summary`. Without a kernel everything works and
    nothing is sent.

    Args:
        settings: values of the widget's settings (its public traits), and ipywidgets' ``layout``.

    Raises:
        ConfigurationError: a setting that the widget does not have.
    """

    _css: str = style_text("theme.css")

    def __init__(self, **settings: object) -> None:
        self._check_settings(settings)
        self._owner: object = None
        self._owner_there: weakref.ref[object] | None = None
        self._page: str | None = None
        self._page_heard_s = 0.0
        self._claims: dict[str, float] = {}
        self._pings: dict[str, tuple[float, _Answer]] = {}
        self._idle_ms: float | None = None
        self._handled_on: threading.Thread | None = None
        self._send_lock = threading.RLock()
        self._stand_in = StandIn(self._as_saved)
        super().__init__(**settings, _dom_classes=[self._stand_in.view_class])
        if os.environ.get("ANYWIDGET_HMR") == "1":
            from realtime_nb.widgets.hot_reload import keep_fresh

            keep_fresh(self)

    # --- messages ---------------------------------------------------------------------------------

    def post(self, message: PageMessage, buffers: Sequence[bytes] = ()) -> None:
        """Sends a message to the page, from any thread; after `close` it does nothing.

        Messages keep the order in which they were posted.
        """
        with self._send_lock:
            if self.comm is None:
                return
            try:
                self.send(message, list(buffers))
            except Exception:
                # The kernel's sockets close before its threads end.
                if self.comm is not None and not sys.is_finalizing():
                    raise

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes a message from the page.

        Runs on the comm's thread, which the page's next message waits for: hand over, don't work.
        """

    def belong_to(self, owner: object) -> None:
        """Keeps what the widget is a part of, from when a page shows it until it is closed."""
        self._owner_there = weakref.ref(owner)

    def _keep_owner(self) -> None:
        if self._owner is None and self._owner_there is not None and self.comm is not None:
            self._owner = self._owner_there()

    def on_page(self) -> None:
        """Takes note that another page speaks for this widget: what the old one had is gone."""

    @property
    def page(self) -> str | None:
        """Id of the page that speaks for this widget; None while there is none."""
        return self._page

    # --- self-test --------------------------------------------------------------------------------

    def selftest(self, timeout_s: float = _SELFTEST_S) -> SelfTest:
        """Asks the page for a sign of life while the calling cell holds the main thread.

        Until the front end has made a new widget's subshell, its messages take the main way, so the
        page is asked a few times before that is believed. Called from another thread it measures
        the same round trip, and judges by the thread that the answer is handled on. Takes at most
        ``timeout_s``, and much less where audio goes on.
        """
        answer = _Answer()
        until_s = answer.asked_s + timeout_s
        for _ in range(_ASKED_TIMES):
            self._ping(answer)
            if answer.came_beside_cells.wait(min(_ASK_AGAIN_S, _left_s(until_s))):
                break
            if not _left_s(until_s):
                break
        answer.came.wait(_left_s(until_s))
        return self._judge(answer)

    def _judge(self, answer: _Answer) -> SelfTest:
        handled_on = answer.thread or self._handled_on
        name = handled_on.name if handled_on is not None else None
        took_ms = answer.took_ms
        if took_ms is not None and not answer.waits:
            words = f"Audio goes on while cells run (page and back: {took_ms:.0f} ms)."
            return SelfTest(True, name, self._idle_ms, took_ms, words)
        if handled_on is None:
            words = (
                "No page has answered. Show the widget in a cell of its own, wait until it is "
                f"there, then test again. If it is there: {_why_cells_block()}"
            )
            return SelfTest(None, None, None, None, words)
        if handled_on is not threading.main_thread():
            words = "The page did not answer in time. Is it still open? Then test again."
            return SelfTest(None, name, self._idle_ms, None, words)
        remedy = _why_cells_block()
        words = f"Audio will pause while cells run: {remedy}"
        return SelfTest(False, name, self._idle_ms, took_ms, words, remedy)

    def _ping(self, answer: _Answer) -> None:
        identity = uuid.uuid4().hex
        while len(self._pings) >= 16:  # unanswered ones
            self._pings.pop(next(iter(self._pings)))
        self._pings[identity] = (time.monotonic(), answer)
        self.post({"kind": "link-ping", "id": identity})

    # --- the page that owns the widget ------------------------------------------------------------

    def _receive(self, message: PageMessage, buffers: list[memoryview]) -> None:
        self._handled_on = threading.current_thread()
        self._keep_owner()
        page = message.get("page")
        # Any message counts, not only answers: an owner that is busy talking need not be asked.
        if page is not None and page == self._page:
            self._page_heard_s = time.monotonic()
        handler = {
            "link-hello": self._on_hello,
            "link-claim": self._on_claim,
            "link-bye": self._on_bye,
            "link-pong": self._on_pong,
            "link-here": _ignore,
        }.get(str(message.get("kind")))
        if handler is None:
            self.on_message(message, buffers)
        else:
            handler(message)

    def _on_hello(self, message: PageMessage) -> None:
        """Makes a page that shows the widget its owner, unless there is one that still answers.

        A page says hello twice. The owner is asked after the first time; where nothing was heard of
        it until the second, it is gone without a word (a crash, a lost connection).
        """
        page, now_s = str(message["page"]), time.monotonic()
        asked_s = self._claims.pop(page, None)
        if self._page in (None, page):
            self._own(page)
        elif asked_s is None:
            self._claims = {page: now_s}
            self.post({"kind": "link-who", "page": self._page})
        elif self._page_heard_s < asked_s:
            self._own(page)
        if self._idle_ms is None:
            self._ping(_Answer())

    def _on_claim(self, message: PageMessage) -> None:
        self._own(str(message["page"]))

    def _on_bye(self, message: PageMessage) -> None:
        if message["page"] == self._page:
            self._page = None
            self.on_page()

    def _on_pong(self, message: PageMessage) -> None:
        sent_s, answer = self._pings.pop(str(message.get("id")), (0.0, None))
        if answer is None:
            return
        took_ms = (time.monotonic() - sent_s) * 1000
        if self._idle_ms is None:
            self._idle_ms = took_ms
        answer.take(took_ms)

    def _own(self, page: str) -> None:
        before, self._page = self._page, page
        self._page_heard_s = time.monotonic()
        self.post({"kind": "link-owner", "page": page})
        if before != page:
            self.on_page()

    # --- kernel -----------------------------------------------------------------------------------

    @traitlets.observe("comm")
    def _free_comm(self, change: Mapping[str, Any]) -> None:
        if change["new"] is None:
            return
        comm = cast(_Comm, change["new"])
        keep_status_quiet(comm)
        if hasattr(comm, "_reply_subshell_for"):  # ipykernel 7.4: keep the front end's choice
            comm._reply_subshell_for = _front_ends_choice
        if not hasattr(comm, "handle_msg"):
            return

        def handle_msg(msg: Mapping[str, Any]) -> None:
            data = msg["content"]["data"]
            if data.get("method") == "custom" and "kind" in (data.get("content") or {}):
                self._receive(data["content"], list(msg.get("buffers") or []))
            else:
                self._handle_msg(msg)

        comm.handle_msg = handle_msg  # type: ignore[method-assign]

    # --- settings and saved notebooks -------------------------------------------------------------

    @classmethod
    def setting_names(cls) -> list[str]:
        """Returns what the constructor takes beside its named arguments."""
        inherited = set(anywidget.AnyWidget.class_trait_names())
        return sorted(
            name
            for name in cls.class_trait_names(sync=True)
            if name not in inherited and not name.startswith("_")
        )

    @classmethod
    def _check_settings(cls, settings: Mapping[str, object]) -> None:
        known = [*cls.setting_names(), "layout"]
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"It has {', '.join(known)}."
                raise ConfigurationError(f"{cls.__name__} has no setting {name!r}. {hint}")

    def summary(self) -> str:
        """Returns what a saved notebook shows in place of the widget: plain text, no audio, no
        secret."""
        return f"{type(self).__name__} (shown while its kernel runs)"

    def picture(self) -> str:
        """Returns HTML that a saved notebook shows over the summary: no script, audio or secret."""
        return ""

    def close(self) -> None:
        """Ends the widget and its views; its summary stays."""
        if "_stand_in" in self.__dict__:  # not in one that was never made whole
            self._stand_in.close()
            self._owner = None
        super().close()

    def _as_saved(self) -> tuple[str, str]:
        """Returns the summary as text, and as HTML with the picture."""
        text = self.summary()
        return text, f'{self.picture()}<div style="white-space: pre-wrap">{html.escape(text)}</div>'

    def _repr_mimebundle_(
        self, **kwargs: Any
    ) -> tuple[dict[str, object], dict[str, object]] | None:
        """Returns one output, for those who put the widget somewhere themselves."""
        bundle = self._view_bundle(**kwargs)
        if bundle is None:
            return None
        text, page = self._as_saved()
        return {**bundle[0], "text/plain": text, "text/html": page}, bundle[1]

    def _ipython_display_(self, **kwargs: Any) -> None:
        """Shows the summary and the view as two outputs, so that the summary outlives the view."""
        bundle = self._view_bundle(**kwargs)
        if bundle is not None:
            self._stand_in.show(*bundle)

    def _view_bundle(self, **kwargs: Any) -> tuple[dict[str, object], dict[str, object]] | None:
        """Returns what shows the widget; empty once it is closed."""
        if self.comm is None:
            return {}, {}
        self._keep_owner()
        return cast(
            "tuple[dict[str, object], dict[str, object]] | None",
            super()._repr_mimebundle_(**kwargs),
        )


def _front_ends_choice(_data: object, default: str | None) -> str | None:
    return default


def _left_s(until_s: float) -> float:
    return max(0.0, until_s - time.monotonic())


def _ignore(_message: PageMessage) -> None:
    pass


def _why_cells_block() -> str:
    """Returns the remedy where messages are handled on the main thread."""
    ipykernel = sys.modules.get("ipykernel")
    if ipykernel is None:
        return "there is no Jupyter kernel here."
    version = str(ipykernel.__version__)
    if int(version.split(".")[0]) < 7:
        return (
            f"ipykernel {version} handles what the page sends between cells only. "
            "Install ipykernel 7 or newer and restart the kernel."
        )
    return (
        "the front end sends everything to the main thread. Use JupyterLab 4.4 or Notebook 7.4 or "
        'newer, with the setting "commsOverSubshells" as it comes (perCommTarget).'
    )
