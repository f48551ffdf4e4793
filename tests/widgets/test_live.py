from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import comm
import pytest
import traitlets

from realtime_nb.errors import ConfigurationError
from realtime_nb.widgets import live
from realtime_nb.widgets.live import LiveWidget, PageMessage
from tests.widgets.conftest import FakeComm, FakePage


class Lamp(LiveWidget):
    """A widget of the tests."""

    _esm = "export default {}"
    bright = traitlets.Int(3).tag(sync=True)

    def __init__(self, **settings: object) -> None:
        self.heard: list[tuple[PageMessage, list[bytes], str]] = []
        self.pages: list[str | None] = []
        super().__init__(**settings)

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        thread = threading.current_thread().name
        self.heard.append((message, [bytes(buffer) for buffer in buffers], thread))

    def on_page(self) -> None:
        self.pages.append(self.page)


@pytest.fixture
def lamp() -> Iterator[Lamp]:
    made = Lamp()
    yield made
    made.close()


def test_unknown_settings_are_named_with_what_was_meant() -> None:
    with pytest.raises(ConfigurationError, match=r"Lamp has no setting 'brigt'.*'bright'"):
        Lamp(brigt=1)
    with pytest.raises(ConfigurationError, match=r"no setting 'colour'. It has bright, layout"):
        Lamp(colour=1)
    assert Lamp(bright=5).bright == 5


def test_messages_reach_the_page_with_their_buffers_and_none_after_close(lamp: Lamp) -> None:
    page = FakePage(lamp)
    lamp.post({"kind": "light"}, [b"ab", b"c"])
    assert ({"kind": "light"}, [b"ab", b"c"]) in page.messages()
    lamp.close()
    lamp.post({"kind": "late"})
    assert page.got("late") == []


def test_posts_of_many_threads_all_arrive_in_the_order_of_each(lamp: Lamp) -> None:
    def post(name: int) -> None:
        for i in range(200):
            lamp.post({"kind": "n", "from": name, "i": i})

    threads = [threading.Thread(target=post, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = FakePage(lamp).got("n")
    for name in range(4):
        assert [message["i"] for message in got if message["from"] == name] == list(range(200))


def test_a_closed_kernel_does_not_break_a_thread_that_still_posts(
    lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        lamp.comm = None
        raise OSError("socket closed")

    monkeypatch.setattr(lamp.comm, "publish_msg", broken)
    lamp.post({"kind": "light"})


# --- what ipykernel does to messages --------------------------------------------------------------


class StickyComm(FakeComm):
    """Routes as ipykernel 7.4 does: to the shell that wrote last."""

    def _reply_subshell_for(self, data: object, default: str | None) -> str | None:
        return "the main thread"


def test_the_front_ends_choice_of_shell_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", StickyComm)
    lamp = Lamp()
    assert lamp.comm._reply_subshell_for({"method": "custom"}, "subshell") == "subshell"
    assert lamp.comm._reply_subshell_for({"method": "update"}, None) is None
    assert StickyComm()._reply_subshell_for({}, "subshell") == "the main thread"


def test_the_hook_is_not_made_up_where_ipykernel_has_none(lamp: Lamp) -> None:
    assert not hasattr(lamp.comm, "_reply_subshell_for")


def test_no_message_of_ours_fires_ipythons_cell_events(
    lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    fired: list[str] = []
    shell = SimpleNamespace(events=SimpleNamespace(trigger=fired.append))
    monkeypatch.setattr("IPython.get_ipython", lambda: shell)
    page = FakePage(lamp)
    page.send({"kind": "touch"}, [b"xyz"])
    page.deliver({"method": "update", "state": {"bright": 9}})
    assert [(message["kind"], buffers) for message, buffers, _ in lamp.heard] == [
        ("touch", [b"xyz"])
    ]
    assert lamp.bright == 9
    assert fired == []

    other = FakeComm(target_name="other")
    other.on_msg(lambda _: None)
    other.handle_msg({"content": {"data": {}}})
    assert fired == ["pre_execute", "post_execute"], "others' comms are as they were"


def test_messages_are_handled_on_the_thread_that_brings_them(lamp: Lamp) -> None:
    page = FakePage(lamp)
    subshell = threading.Thread(target=page.send, args=({"kind": "touch"},), name="subshell-1")
    subshell.start()
    subshell.join()
    assert [thread for _, _, thread in lamp.heard] == ["subshell-1"]
    page.send({"kind": "touch"})
    assert lamp.heard[-1][-1] == threading.main_thread().name


# --- which page speaks ----------------------------------------------------------------------------


def test_the_first_page_owns_the_widget_and_tells_of_life(lamp: Lamp) -> None:
    assert (lamp.page, lamp._page_heard_s) == (None, 0.0)
    page = FakePage(lamp, "first")
    page.hello()
    assert lamp.page == "first"
    assert lamp.pages == ["first"]
    assert page.got("link-owner") == [{"kind": "link-owner", "page": "first"}]
    assert time.monotonic() - lamp._page_heard_s < 5


def test_a_second_window_waits_while_the_first_answers(lamp: Lamp) -> None:
    first, second = FakePage(lamp, "first"), FakePage(lamp, "second")
    first.hello()
    second.hello()
    assert second.got("link-who") == [{"kind": "link-who", "page": "first"}]
    first.send({"kind": "link-here"})
    second.hello()
    assert lamp.pages == ["first"]
    second.send({"kind": "link-claim"})  # the person presses a button there
    assert lamp.pages == ["first", "second"]


def test_after_a_reload_the_new_page_takes_over(lamp: Lamp) -> None:
    old, new = FakePage(lamp, "old"), FakePage(lamp, "new")
    old.hello()
    new.hello()
    new.hello()  # nobody answered
    new.send({"kind": "link-bye"})
    FakePage(lamp, "newest").hello()
    assert lamp.pages == ["old", "new", None, "newest"]


def test_a_bye_of_another_window_changes_nothing(lamp: Lamp) -> None:
    FakePage(lamp, "first").hello()
    FakePage(lamp, "second").send({"kind": "link-bye"})
    assert lamp.page == "first"


# --- self-test ------------------------------------------------------------------------------------


class Answering(FakeComm):
    """A page that answers pings, from a thread of the given name or after the cell."""

    thread = "subshell"

    def publish_msg(self, msg_type: str, data: Any = None, *args: Any, **keys: Any) -> None:
        super().publish_msg(msg_type, data, *args, **keys)
        content = (data or {}).get("content", {})
        if content.get("kind") == "link-ping":
            pong = {"kind": "link-pong", "id": content["id"], "page": "page"}
            message = {"content": {"data": {"method": "custom", "content": pong}}, "buffers": []}
            if thread := self.thread:
                threading.Thread(target=self.handle_msg, args=(message,), name=thread).start()
            else:
                self.handle_msg(message)


def test_selftest_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", Answering)
    result = Lamp().selftest()
    assert result.live_while_cells_run is True
    assert result.thread == "subshell"
    assert result.blocked_ms is not None and result.blocked_ms < 1500
    assert re.fullmatch(r"Audio goes on while cells run \(page and back: \d+ ms\)\.", str(result))


def test_selftest_waits_for_a_subshell_that_comes_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first answers of a page that has just appeared take the main way."""
    monkeypatch.setattr(comm, "create_comm", Answering)
    monkeypatch.setattr(live, "_ASK_AGAIN_S", 0.01)
    ways = ["", "", "subshell"]
    monkeypatch.setattr(Answering, "thread", property(lambda _: ways.pop(0)))
    result = Lamp().selftest()
    assert (result.live_while_cells_run, result.thread, ways) == (True, "subshell", [])


def test_selftest_of_a_page_that_falls_silent(lamp: Lamp) -> None:
    page = FakePage(lamp)
    sender = threading.Thread(target=page.send, args=({"kind": "touch"},), name="subshell")
    sender.start()
    sender.join()
    result = lamp.selftest(0.01)
    assert (result.live_while_cells_run, result.thread) == (None, "subshell")
    assert str(result).startswith("The page did not answer in time.")


def test_selftest_on_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", Answering)
    monkeypatch.setattr(live, "_ASK_AGAIN_S", 0.001)
    monkeypatch.setattr(Answering, "thread", "")
    monkeypatch.setitem(
        sys.modules, "ipykernel", SimpleNamespace(__version__="6.31.0", version_info=(6, 31, 0))
    )
    result = Lamp().selftest()
    assert result.live_while_cells_run is False
    assert str(result).startswith("Audio will pause while cells run: ipykernel 6.31.0 handles")
    assert "Install ipykernel 7" in str(result)
    monkeypatch.setitem(
        sys.modules, "ipykernel", SimpleNamespace(__version__="7.3.0", version_info=(7, 3, 0))
    )
    assert "commsOverSubshells" in str(Lamp().selftest())


def test_selftest_without_an_answer(lamp: Lamp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    result = lamp.selftest(0.01)
    assert result.live_while_cells_run is None
    assert str(result).startswith("No page has answered. Show the widget")
    FakePage(lamp).send({"kind": "touch"})  # heard on the main thread, and the ping never answered
    assert lamp.selftest(0.01).live_while_cells_run is False


def test_unanswered_pings_are_forgotten(lamp: Lamp) -> None:
    for _ in range(100):
        lamp.selftest(0)
    assert len(lamp._pings) <= 16


# --- what is sent to the page and saved -----------------------------------------------------------


def test_a_saved_notebook_has_a_summary_in_place_of_the_widget(
    lamp: Lamp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lamp, "summary", lambda _: "<b>lit</b> & on")
    bundle = lamp._repr_mimebundle_()
    assert bundle is not None
    assert bundle[0]["text/plain"] == "<b>lit</b> & on"
    assert "&lt;b&gt;lit&lt;/b&gt; &amp; on" in str(bundle[0]["text/html"])
    assert "application/vnd.jupyter.widget-view+json" in bundle[0]
