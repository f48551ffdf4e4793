from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from realtime_nb.archive.recorder import Recorder
from realtime_nb.errors import ConfigurationError
from realtime_nb.protocol.conversation import Conversation, FunctionCall, ToolReport
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.tools import tool
from realtime_nb.widgets.call_inspector import CallInspector
from realtime_nb.widgets.schema_check import Violation
from tests.scripted_session import LiveSession, three_turns
from tests.widgets.pages import ListeningPage, ToldSession

EVIL = "<img src=x onerror=alert(1)>"


@tool
def book(time: str, people: int = 2) -> dict[str, Any]:
    """Book a table."""
    if time == "never":
        raise ValueError(EVIL)
    return {"booked": time, "people": people}


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    recorder = Recorder(tmp_path_factory.mktemp("recordings"), {})
    three_turns(LiveSession(recorder))
    recorder.close()
    return load(recorder.path)


@pytest.fixture
def inspector(recording: Recording) -> Iterator[CallInspector]:
    widget = CallInspector(recording, tools=[book])
    yield widget
    widget.close()


def shown(page: ListeningPage) -> CallInspector:
    page.say("show")
    page.take()
    widget = page._widget
    assert isinstance(widget, CallInspector)
    return widget


def call(live: LiveSession | ToldSession, n: int, arguments: str, output: str | None) -> None:
    """A whole call, at n seconds."""
    item = {"id": f"i{n}", "type": "function_call", "name": "book", "call_id": f"call_{n}"}
    ids: dict[str, Any] = {"response_id": f"r{n}", "output_index": 0}
    response = {"id": f"r{n}", "status": "in_progress", "conversation_id": "c"}
    live.received(n, "response.created", response=response)
    begun = {**item, "arguments": "", "status": "in_progress"}
    live.received(n + 0.1, "response.output_item.added", item=begun, **ids)
    done = {**item, "arguments": arguments, "status": "completed"}
    live.received(n + 0.2, "response.output_item.done", item=done, **ids)
    if output is not None:
        answer(live, n, output)


def answer(live: LiveSession | ToldSession, n: int, output: str) -> None:
    """What the function returned, half a second after the call."""
    result = {"type": "function_call_output", "call_id": f"call_{n}", "output": output}
    live.sent(n + 0.5, "conversation.item.create", item=result)


def test_the_calls_of_a_recording(inspector: CallInspector) -> None:
    page = ListeningPage(inspector)
    page.say("show")
    [message] = page.take()
    assert (message["kind"], message["afresh"], message["over"]) == ("calls", True, True)
    [row] = message["rows"]
    assert row == {
        "id": "call_1",
        "name": "book",
        "turn": 2,
        "t_s": 7.4,
        "outcome": "ok",
        "broken": 0,
        "progress": None,
        "cancels": False,
        "decide_ms": 400.0,
        "queue_ms": None,
        "run_ms": 800.0,
        "send_ms": None,
        "others_ms": 0.0,
        "resume_ms": 500.0,
        "run_outcome": None,
        "run_note": "from whole arguments to the output",
        "queue_note": "when the function began to run is not recorded",
    }


class RunningSession(ToldSession):
    """A session that runs functions and cancels them."""

    def __init__(self) -> None:
        super().__init__()
        self.tools = {"book": book}
        self.cancelled: list[str] = []

    def cancel_call(self, call_id: str) -> bool:
        self.cancelled.append(call_id)
        return True


def test_a_call_that_runs_tells_how_far_it_is_and_can_be_cancelled() -> None:
    session = RunningSession()
    widget = CallInspector(session)
    page = ListeningPage(widget)
    shown(page)
    call(session, 1, '{"time": "10:00"}', None)
    session.tool(ToolReport("call_1", "started", 1.2))
    session.tool(ToolReport("call_1", "progress", 1.3, progress=EVIL))
    [row] = page.take()[0]["rows"]
    assert (row["outcome"], row["progress"], row["cancels"]) == ("running", EVIL, True)
    page.say("cancel", call_id="call_1")
    page.say("cancel", call_id="call_2")
    page.say("cancel", call_id=1)
    page.take()
    assert session.cancelled == ["call_1"]
    session.tool(ToolReport("call_1", "ended", 1.4, "cancelled"))
    answer(session, 1, '{"error": "book was cancelled before it was done."}')
    [row] = page.take()[0]["rows"]
    assert (row["outcome"], row["progress"], row["cancels"]) == ("cancelled", None, False)
    widget.close()


def test_a_call_that_somebody_else_answers_cant_be_cancelled() -> None:
    session = ToldSession()
    widget = CallInspector(session, tools=[book])
    page = ListeningPage(widget)
    shown(page)
    call(session, 1, '{"time": "10:00"}', None)
    [row] = page.take()[0]["rows"]
    assert (row["outcome"], row["cancels"]) == ("running", False)
    page.say("cancel", call_id="call_1")
    assert page.take() == []
    widget.close()


def test_details_come_for_the_call_that_is_opened(inspector: CallInspector) -> None:
    page = ListeningPage(inspector)
    shown(page)
    page.say("open", call_id="call_1")
    [details] = page.take()
    assert (details["kind"], details["call_id"]) == ("details", "call_1")
    assert (details["arguments"], details["output"]) == ('{"time": "10:00"}', '{"ok": true}')
    assert (details["declared"], details["broken"], details["reason"]) == (True, [], "")
    page.say("open", call_id="no such")
    page.say("open", call_id=["call_1"])
    assert page.take() == []


def test_a_call_runs_again_from_the_page(inspector: CallInspector) -> None:
    page = ListeningPage(inspector)
    shown(page)
    page.say("run", call_id="call_1", arguments='{"time": "11:00", "people": 3}')
    page.take()
    run = inspector._runs["call_1"]
    if isinstance(run, Future):
        run.result(5)
    while not page.messages or page.messages[-1].get("running") is not False:
        page.messages += page.take()
    done = page.messages[-1]
    assert (done["kind"], done["call_id"], done["outcome"]) == ("run", "call_1", "ok")
    assert done["output"] == '{"booked":"11:00","people":3}'
    assert done["traceback"] == ""


def test_rerun(inspector: CallInspector) -> None:
    assert inspector.rerun("call_1").output == '{"booked":"10:00","people":2}'
    assert inspector.rerun("call_1", {"time": "12:00"}).output == '{"booked":"12:00","people":2}'
    assert inspector.rerun("call_1", '{"time": 5}').outcome == "invalid"
    failed = inspector.rerun("call_1", {"time": "never"})
    assert isinstance(failed.exception, ValueError)


def test_what_can_not_be_run_says_why(recording: Recording) -> None:
    without = CallInspector(recording)
    with pytest.raises(ConfigurationError, match=r"tools=\[book\]"):
        without.rerun("call_1")
    with pytest.raises(ConfigurationError, match=r"no call 'call_9'. Calls here: call_1"):
        without.rerun("call_9")
    page = ListeningPage(without)
    shown(page)
    page.say("open", call_id="call_1")
    [details] = page.take()
    assert details["reason"].endswith("CallInspector(…, tools=[book]).")
    assert not details["declared"]
    page.say("run", call_id="call_1", arguments="{}")
    assert page.take() == []
    with pytest.raises(ConfigurationError, match="declares no tool 'book'"):
        without.violations("call_1")
    without.close()


def test_a_tool_of_the_notebooks_loop_is_not_waited_for(recording: Recording) -> None:
    inspector = CallInspector(recording, tools=[tool(name="book", main_thread=True)(lambda: None)])
    with pytest.raises(ConfigurationError, match="Press Run in the inspector"):
        inspector.rerun("call_1")
    page = ListeningPage(inspector)
    shown(page)
    page.say("open", call_id="call_1")
    assert "needs the notebook's own loop" in page.take()[0]["reason"]
    inspector.close()


def test_arguments_that_break_the_declared_schema() -> None:
    live = LiveSession()
    live.received(0.1, "session.created", session={"tools": [book.definition()]})
    call(live, 1, '{"time": 10, "day": 2}', '{"error": "The arguments of book don\'t fit."}')
    inspector = CallInspector(Held(live.conversation))
    assert inspector.violations("call_1") == [
        Violation("time", "must be string, not 10"),
        Violation("day", "is unknown"),
    ]
    page = ListeningPage(inspector)
    page.say("show")
    [row] = page.take()[0]["rows"]
    assert (row["broken"], row["outcome"]) == (2, "error")
    inspector.close()


class Held:
    """Something with a conversation."""

    def __init__(self, conversation: Conversation) -> None:
        self.conversation = conversation


def test_a_session_is_followed() -> None:
    session = ToldSession()
    session.tools = {"book": book}  # type: ignore[attr-defined]
    inspector = CallInspector(session)
    page = ListeningPage(inspector)
    shown(page)
    call(session, 1, '{"time": "9"}', None)
    assert [row["outcome"] for row in page.take()[0]["rows"]] == ["running"]
    page.say("open", call_id="call_1")
    assert page.take()[-1]["reason"] == ""
    answer(session, 1, '{"ok": true}')
    rows, details = page.take()
    assert [row["outcome"] for row in rows["rows"]] == ["ok"]
    assert (details["arguments"], details["output"]) == ('{"time": "9"}', '{"ok": true}')
    session.received(5.0, "response.output_audio.delta", b"", delta="")
    assert page.take() == []
    inspector.close()


PARTS = ("decide_ms", "queue_ms", "run_ms", "send_ms", "others_ms", "resume_ms")


def newest_row(page: ListeningPage) -> dict[str, Any]:
    [row] = next(message for message in page.take() if message["kind"] == "calls")["rows"]
    assert isinstance(row, dict)
    return row


def test_a_session_shows_when_its_functions_run_before_the_next_event() -> None:
    session = ToldSession()
    inspector = CallInspector(session)
    page = ListeningPage(inspector)
    shown(page)
    call(session, 1, "{}", None)
    assert newest_row(page)["queue_ms"] is None

    changes = page.changes
    session.tool(ToolReport("call_1", "started", 1.24))
    assert page.changes > changes
    row = newest_row(page)
    assert [row[name] for name in PARTS] == [200.0, 40.0, *[None] * 4]
    assert row["outcome"] == "running"

    session.tool(ToolReport("call_1", "ended", 1.49, "error"))
    row = newest_row(page)
    assert [row[name] for name in PARTS] == [200.0, 40.0, 250.0, *[None] * 3]
    assert (row["run_outcome"], row["queue_note"]) == ("error", None)

    result = {"type": "function_call_output", "call_id": "call_1", "output": "{}"}
    session.sent(1.5, "conversation.item.create", item=result)
    row = newest_row(page)
    assert [row[name] for name in PARTS] == [200.0, 40.0, 250.0, 10.0, None, None]
    assert (row["outcome"], row["run_note"]) == (
        "error",
        "from the beginning of its run to the end",
    )
    inspector.close()


def test_what_is_not_known_of_one_call_is_none_beside_others() -> None:
    session = ToldSession()
    inspector = CallInspector(session)
    page = ListeningPage(inspector)
    shown(page)
    for n, output in ((1, "{}"), (2, None)):
        call(session, n, "{}", output)
    session.tool(ToolReport("call_1", "started", 1.3))
    session.tool(ToolReport("call_1", "ended", 1.4, "ok"))
    first, second = page.take()[0]["rows"]
    assert (first["run_outcome"], second["run_outcome"]) == ("ok", None)
    assert (first["queue_note"], second["run_ms"]) == (None, None)
    assert second["run_note"] == "no output was sent"
    assert (first["outcome"], second["outcome"]) == ("ok", "running")
    inspector.close()


def test_a_call_that_the_end_cut_short_runs_no_more() -> None:
    session = ToldSession()
    inspector = CallInspector(session)
    page = ListeningPage(inspector)
    shown(page)
    call(session, 1, "{}", None)
    session.tool(ToolReport("call_1", "started", 1.3))
    session.tool(ToolReport("call_1", "ended", 2.3, "cancelled"))
    row = newest_row(page)
    assert (row["outcome"], row["run_outcome"], row["run_ms"]) == ("orphan", "cancelled", 1_000.0)
    inspector.close()


@pytest.mark.parametrize(
    ("started_s", "ended_s"), [(None, 1.4), (1.3, None)], ids=["invalid", "end not recorded"]
)
def test_parts_of_a_bar_do_not_overlap(started_s: float | None, ended_s: float | None) -> None:
    live = LiveSession()
    call(live, 1, "{}", '{"ok": true}')
    known: FunctionCall = live.conversation.calls["call_1"]
    known.run_started_s, known.run_ended_s = started_s, ended_s
    inspector = CallInspector(Held(live.conversation))
    page = ListeningPage(inspector)
    page.say("show")
    row = newest_row(page)
    assert [row[name] for name in PARTS] == [200.0, None, 300.0, *[None] * 3]
    inspector.close()


def test_arguments_grow_as_they_stream() -> None:
    session = ToldSession()
    inspector = CallInspector(session)
    page = ListeningPage(inspector)
    shown(page)
    item = {"id": "i", "type": "function_call", "name": "book", "call_id": "call_1"}
    ids: dict[str, Any] = {"response_id": "r", "output_index": 0}
    begun = {**item, "arguments": "", "status": "in_progress"}
    session.received(1.0, "response.output_item.added", item=begun, **ids)
    assert newest_row(page)["outcome"] == "called"
    page.say("open", call_id="call_1")
    page.take()
    name = "response.function_call_arguments.delta"
    for delta, seen in (('{"time"', '{"time"'), (':"10', '{"time":"10')):
        changes = page.changes
        session.received(1.1, name, delta=delta, call_id="call_1", item_id="i", **ids)
        assert page.changes > changes
        [details] = page.take()
        assert (details["arguments"], details["whole"]) == (seen, False)
    inspector.close()


def test_one_run_of_a_call_at_a_time(recording: Recording) -> None:
    go_on, runs = threading.Event(), []

    @tool(name="book")
    def waiting(time: str) -> str:
        """Waits."""
        runs.append(time)
        go_on.wait(5)
        return time

    inspector = CallInspector(recording, tools=[waiting])
    page = ListeningPage(inspector)
    shown(page)
    for text in ('{"time": "1"}', '{"time": "2"}'):
        page.say("run", call_id="call_1", arguments=text)
        page.take()
    run = inspector._runs["call_1"]
    go_on.set()
    assert isinstance(run, Future)
    assert run.result(5).output == "1"
    assert runs == ["1"]
    inspector.close()


def test_the_saved_notebook_keeps_an_escaped_table() -> None:
    live = LiveSession()
    for n in range(60):
        call(live, n, f'{{"time": "{EVIL}"}}', "x" * 1_000)
    inspector = CallInspector(Held(live.conversation))
    bundle = inspector._repr_mimebundle_()
    assert bundle is not None
    page = str(bundle[0]["text/html"])
    assert page.count("<tr>") == 51
    assert "10 more calls are not shown" in page
    assert "<img" not in page
    assert "&lt;img" in page
    assert "x" * 400 not in page
    assert str(bundle[0]["text/plain"]).startswith("Call inspector: 60 function calls: ")
    inspector.close()


def test_a_session_without_calls() -> None:
    inspector = CallInspector(Held(Conversation()))
    assert inspector.summary() == "Call inspector: no function calls"
    assert inspector.picture() == ""
    inspector.close()


def test_a_thousand_calls_are_sent_once() -> None:
    live = LiveSession()
    for n in range(1_000):
        call(live, n, '{"time": "10:00"}', "{}")
    inspector = CallInspector(Held(live.conversation), tools=[book])
    page = ListeningPage(inspector)
    page.say("show")
    assert len(page.take()[0]["rows"]) == 1_000
    page.say("open", call_id="call_999")
    assert [message["kind"] for message in page.take()] == ["details"]
    inspector.close()


def test_one_inspector_follows_one_session_after_the_other() -> None:
    inspector = CallInspector(tools=[book])
    assert inspector.summary() == "Call inspector: no function calls"
    page = ListeningPage(inspector)
    shown(page)
    first, second = ToldSession(), ToldSession()
    inspector.follow(first)
    page.take()
    call(first, 1, '{"time": "10:00"}', None)
    page.say("open", call_id="call_1")
    kinds = [message["kind"] for message in page.take()]
    assert kinds == ["calls", "details"]
    inspector.rerun("call_1")
    page.take()
    inspector.follow(second)
    [message] = page.take()
    assert (message["afresh"], message["over"], message["rows"]) == (True, False, [])
    call(second, 2, '{"time": "11:00"}', "{}")
    [message] = page.take()
    assert [row["id"] for row in message["rows"]] == ["call_2"]
    inspector.close()


def test_the_tools_of_a_session_are_known_as_they_are_now() -> None:
    class WithTools(ToldSession):
        tools: dict[str, Any] = {}  # noqa: RUF012

    inspector, session = CallInspector(), WithTools()
    inspector.follow(session)
    call(session, 1, '{"time": "10:00"}', None)
    with pytest.raises(ConfigurationError, match="was not given"):
        inspector.rerun("call_1")
    session.tools = {"book": book}
    assert inspector.rerun("call_1").outcome == "ok"
    inspector.close()


def test_words_that_stream_in_are_not_looked_through_for_calls() -> None:
    inspector, session = CallInspector(), ToldSession()
    inspector.follow(session)
    page = ListeningPage(inspector)
    before = page.changes
    for kind in ("response.output_audio_transcript.delta", "response.output_text.delta"):
        session.received(1.0, kind, delta="word", item_id="a", response_id="r", content_index=0)
    assert page.changes == before
    kind = "response.function_call_arguments.delta"
    session.received(1.0, kind, delta="{", item_id="a", response_id="r", call_id="c")
    assert page.changes == before + 1
    inspector.close()


def test_a_long_session_shows_the_last_calls_and_keeps_the_last_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("realtime_nb.widgets.call_inspector.MAX_CALLS", 5)
    monkeypatch.setattr("realtime_nb.widgets.call_inspector._MOST_RUNS", 3)
    inspector, session = CallInspector(tools=[book]), ToldSession()
    inspector.follow(session)
    for n in range(1, 9):
        call(session, n, '{"time": "10:00"}', "{}")
        inspector.rerun(f"call_{n}")
    page = ListeningPage(inspector)
    page.say("show")
    message = page.take()[0]
    assert [row["id"] for row in message["rows"]] == [f"call_{n}" for n in range(4, 9)]
    assert message["most"] == 5
    assert list(inspector._runs) == ["call_6", "call_7", "call_8"]
    inspector.close()
