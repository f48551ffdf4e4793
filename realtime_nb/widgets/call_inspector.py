"""Every function call of a session: with which arguments, how long it took, what came back."""

from __future__ import annotations

import html
import math
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from typing import Any

from realtime_nb.analysis import tables
from realtime_nb.analysis.columns.frames import records
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.protocol.conversation import Conversation, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.protocol.words import counted, shortened
from realtime_nb.tools import Definition, Tool, collect, notebook_loop
from realtime_nb.widgets.call_runs import Rerun, as_json, start_run
from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.schema_check import Violation, argument_violations
from realtime_nb.widgets.sources import ConversationSource, SessionSource, find_source
from realtime_nb.widgets.view import LiveSession, Outgoing, View

__all__ = ["MAX_CALLS", "CallInspector"]

CallRow = dict[str, Any]

MAX_CALLS = 1_000
"""Calls that are shown: the last."""

_LONGEST_TEXT = 200_000
_MOST_SAVED = 50
_LONGEST_SAVED = 300
_MOST_RUNNING = 8
_MOST_RUNS = 50  # whose outputs are kept
_PARTS = ("decide_ms", "queue_ms", "run_ms", "send_ms", "others_ms", "resume_ms")
_CHANGES_CALLS = ("response.", "conversation.item", "session.", "input_audio_buffer.speech")
_SAVED_COLUMNS = ("time", "turn", "function", "arguments", "output", "outcome", "run")


class CallInspector(View):
    """The function calls: arguments, what of them breaks the schema, times, output, and run again.

    ::

        rt.CallInspector(session)                               # live: cancel calls that run
        inspector = rt.CallInspector()                          # of sessions to come
        inspector.follow(session)
        inspector = rt.CallInspector(rec, tools=[book])         # a recording
        inspector.rerun("call_1", {"date": "2026-11-24"})       # in the page: edit, then Run

    Running again calls the Python function here, as a session would, within the tool's time limit.
    Nothing is sent to a server.

    Args:
        source: A session or an agent, whose session is followed; a recording, or the path of one.
        tools: The functions that may be run again. A session's own are known.

    Raises:
        ConfigurationError: It is something else.
    """

    _esm = module_text("call_inspector.js")

    @at_call
    def __init__(
        self,
        source: SessionSource | ConversationSource | None = None,
        tools: Iterable[Tool | Callable[..., object] | Mapping[str, Any]] = (),
        **settings: object,
    ) -> None:
        found = None
        if source is not None:
            found = find_source(source, "CallInspector", "conversation")
        self._conversation = Conversation() if found is None else found.conversation
        self._given = collect(tools)
        self._owner: object = source  # of more tools
        self._session: LiveSession | None = None
        self._live = source is None or (found is not None and found.session is not None)
        self._loop = notebook_loop()
        self._running = threading.Lock()
        self._runs: dict[str, Rerun | Future[Rerun]] = {}
        self._rows: list[CallRow] = []
        self._stale = True
        self._told: dict[str, object] = {}
        self._told_open: object = None
        self._told_runs: dict[str, object] = {}
        self._open = ""
        super().__init__(**settings)
        if found is not None and found.session is not None:
            self.follow(found.session)

    def follow(self, session: LiveSession) -> None:
        """Shows the calls of a session, and of no other before it. Its tools can be run again."""
        self._open = ""
        self._live = True
        self._conversation, self._session = session.conversation, session
        self._owner = session
        with self._running:
            self._runs = {}
        self._stale = True
        self._start_afresh()
        super().follow(session)

    @property
    def _tools(self) -> dict[str, Tool]:
        """The functions that may be run again."""
        given = {name: one for name, one in self._given.items() if isinstance(one, Tool)}
        return self._session_tools | given

    @property
    def _session_tools(self) -> dict[str, Tool]:
        """The functions that the session runs, as of now: it can change them."""
        own = getattr(self._owner, "tools", None)
        known: dict[str, Tool | Definition] = dict(own) if isinstance(own, Mapping) else {}
        return {name: one for name, one in known.items() if isinstance(one, Tool)}

    def rerun(self, call_id: str, arguments: str | Mapping[str, Any] | None = None) -> Rerun:
        """Calls the tool again, wait for it, and return what came of it.

        Args:
            call_id: A call of this session.
            arguments: Other arguments, as a dict or as JSON; None: those of the call.

        Raises:
            ConfigurationError: There is no such call, its tool was not given, or the tool has to
                run on the notebook's own loop, which waits for this very cell.
        """
        tool = self._tool_of(call_id)
        if tool.main_thread:
            raise ConfigurationError(
                f"{tool.name} runs on the notebook's own loop (main_thread=True), which this cell "
                f"holds up. Press Run in the inspector, or call {tool.name}.function(…) itself."
            )
        return self._start(tool, call_id, arguments).result()

    def violations(self, call_id: str) -> list[Violation]:
        """Returns what of a call's arguments breaks the schema that the session declares.

        Raises:
            ConfigurationError: There is no such call, or no schema.
        """
        schema = self._schema(self._name_of(call_id))
        if schema is None:
            raise ConfigurationError(
                f"The session declares no tool {self._name_of(call_id)!r}, so there is no schema."
            )
        return argument_violations(schema, self._conversation.calls[call_id].arguments)

    def summary(self) -> str:
        """Returns how many calls there are, and how they ended."""
        rows = self._current_rows()
        if not rows:
            return "Call inspector: no function calls"
        counts = ", ".join(f"{n} {name}" for name, n in Counter(r["outcome"] for r in rows).items())
        return f"Call inspector: {counted(len(rows), 'function call')}: {counts}"

    def picture(self) -> str:
        """Returns the calls as an HTML table, for the saved notebook."""
        rows = self._current_rows()
        if not rows:
            return ""
        style = "text-align:left;vertical-align:top;padding:2px 8px"
        head = "".join(f'<th style="{style}">{name}</th>' for name in _SAVED_COLUMNS)
        lines = [
            "".join(f'<td style="{style}">{html.escape(text)}</td>' for text in self._saved(row))
            for row in rows[:_MOST_SAVED]
        ]
        body = "".join(f"<tr>{line}</tr>" for line in lines)
        left_out = len(rows) - len(lines)
        more = f"<p>{left_out} more calls are not shown.</p>" if left_out else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def _saved(self, row: CallRow) -> Iterator[str]:
        call = self._conversation.calls[row["id"]]
        t_s, run_ms = row["t_s"], row["run_ms"]
        yield "" if t_s is None else f"{t_s:.1f} s"
        yield "" if row["turn"] is None else str(row["turn"])
        yield call.name
        yield shortened(call.arguments, _LONGEST_SAVED)
        yield shortened(call.output or "", _LONGEST_SAVED)
        yield row["outcome"] + (", arguments break the schema" if row["broken"] else "")
        yield "" if run_ms is None else f"{run_ms:.0f} ms"

    # --- calls ---

    def _current_rows(self) -> list[CallRow]:
        """Returns the rows, made anew if something may have changed."""
        if self._stale:
            self._stale = False  # before they are read: what changes meanwhile is read once more
            rows = self._read(self._made_rows, None)
            if rows is None:
                self._stale = True
            else:
                self._rows = rows
        return self._rows

    def _made_rows(self) -> list[CallRow] | None:
        conversation = self._conversation  # another one may be followed meanwhile
        if not conversation.calls:
            return []
        table = tables.calls(conversation)[-MAX_CALLS:]
        return [self._row(values, conversation) for values in records(table)]

    @property
    def _goes_on(self) -> bool:
        return self._session is not None and not getattr(self._session, "closed", False)

    def _row(self, values: Mapping[str, Any], conversation: Conversation) -> CallRow:
        outcome = values["outcome"]
        call = conversation.calls[values["call_id"]]
        pending = call.output is None and call.run_outcome != "cancelled"
        if self._goes_on and pending and call.status != "incomplete":
            outcome = "running" if call.status == "completed" else "called"
        schema = self._schema(values["name"])
        whole = values["status"] == "completed"
        broken = argument_violations(schema, values["arguments"]) if schema and whole else []
        return {
            "id": values["call_id"],
            "name": values["name"],
            "turn": values["turn"],
            "t_s": _known(values["started_s"]),
            "outcome": outcome,
            "broken": len(broken),
            "progress": call.progress if outcome == "running" else None,
            "cancels": outcome == "running" and call.name in self._session_tools,
            **_times(values),
            **{name: values[name] for name in ("run_outcome", "run_note", "queue_note")},
        }

    def _name_of(self, call_id: str) -> str:
        call = self._conversation.calls.get(call_id)
        if call is None:
            known = ", ".join(list(self._conversation.calls)[:10]) or "none"
            raise ConfigurationError(f"There is no call {call_id!r}. Calls here: {known}.")
        return call.name

    def _schema(self, name: str) -> Mapping[str, Any] | None:
        """Returns the parameters that the session declares, else those of the tool that was
        given."""
        for declared in self._conversation.session.get("tools") or ():
            if isinstance(declared, dict) and declared.get("name") == name:
                parameters = declared.get("parameters")
                if isinstance(parameters, dict):
                    return parameters
        tool = self._tools.get(name)
        return None if tool is None else tool.parameters

    # --- running again ---

    def _tool_of(self, call_id: str) -> Tool:
        name = self._name_of(call_id)
        tool = self._tools.get(name)
        if tool is None:
            raise ConfigurationError(f"{name} was not given: {_advice(name)}")
        return tool

    def _start(
        self, tool: Tool, call_id: str, arguments: str | Mapping[str, Any] | None
    ) -> Future[Rerun]:
        recorded = self._conversation.calls[call_id].arguments
        text = recorded if arguments is None else as_json(arguments)
        own_keys = getattr(getattr(self._session, "endpoint", None), "without_own", str)
        run = start_run(tool, call_id, text, self._loop, own_keys)
        with self._running:
            self._runs.pop(call_id, None)
            self._runs[call_id] = run
            if len(self._runs) > _MOST_RUNS:
                self._forget_oldest_run()
        run.add_done_callback(lambda done: self._finished(call_id, done))
        self._feed.changed()
        return run

    def _forget_oldest_run(self) -> None:
        oldest = next((one for one, run in self._runs.items() if isinstance(run, Rerun)), None)
        self._runs.pop(oldest or "", None)

    def _finished(self, call_id: str, run: Future[Rerun]) -> None:
        with self._running:
            if self._runs.get(call_id) is run:
                if run.cancelled() or run.exception() is not None:
                    self._runs.pop(call_id)
                else:
                    self._runs[call_id] = run.result()
        self._feed.changed()

    def _run_from_page(self, call_id: str, arguments: str) -> None:
        with self._running:
            busy = sum(isinstance(one, Future) for one in self._runs.values())
        if busy >= _MOST_RUNNING or isinstance(self._runs.get(call_id), Future):
            return
        try:
            self._start(self._tool_of(call_id), call_id, arguments)
        except ConfigurationError:  # the page has said why, the button is off
            return

    # --- the page ---

    def event(self, event: WireEvent) -> None:
        """Implements `View`."""
        kind = str(event.raw.get("type"))
        streams = kind.endswith(".delta") and "arguments" not in kind
        if event.pcm is None and not streams and kind.startswith(_CHANGES_CALLS):
            self._stale = True
            self._feed.changed()

    def tool(self, report: ToolReport) -> None:
        """Implements `View`."""
        self._stale = True
        self._feed.changed()

    def session_over(self) -> None:
        """Implements `View`."""
        self._stale = True
        super().session_over()

    def _answer(self, request: PageMessage) -> Iterator[Outgoing]:
        call_id = request.get("call_id")
        if not isinstance(call_id, str) or call_id not in self._conversation.calls:
            return
        if request["kind"] == "open":
            self._open, self._told_open = call_id, None
        elif request["kind"] == "run" and isinstance(request.get("arguments"), str):
            self._run_from_page(call_id, request["arguments"])
        elif request["kind"] == "cancel" and (
            cancel := getattr(self._session, "cancel_call", None)
        ):
            cancel(call_id)
        yield from ()

    def _changes(self, afresh: bool) -> Iterator[Outgoing]:
        rows = self._current_rows()
        if afresh:
            self._told, self._told_open, self._told_runs = {}, None, {}
        changed = [row for row in rows if self._told.get(row["id"]) != row]
        self._told = {row["id"]: row for row in rows}
        if afresh or changed:
            yield (
                {
                    "kind": "calls",
                    "afresh": afresh,
                    "over": not self._live,
                    "rows": changed,
                    "most": MAX_CALLS,
                },
                (),
            )
        details = self._details()
        if details is not None and details != self._told_open:
            self._told_open = details
            yield details, ()
        with self._running:
            runs = dict(self._runs)
        for call_id, run in runs.items():
            if self._told_runs.get(call_id) is not run:
                yield _run_message(call_id, run), ()
        self._told_runs = dict(runs)

    def _details(self) -> PageMessage | None:
        call = self._conversation.calls.get(self._open)
        if call is None:
            return None
        schema = self._schema(call.name)
        whole = call.status == "completed"
        broken = argument_violations(schema, call.arguments) if schema and whole else []
        tool = self._tools.get(call.name)
        reason = "" if tool is not None else _advice(call.name)
        if tool is not None and tool.main_thread and self._loop is None:
            reason = f"{call.name} needs the notebook's own loop, and this is no notebook."
        return {
            "kind": "details",
            "call_id": call.call_id,
            "arguments": _cut(call.arguments),
            "output": None if call.output is None else _cut(call.output),
            "declared": schema is not None,
            "whole": whole,
            "broken": [{"path": one.path, "message": one.message} for one in broken],
            "reason": reason,
        }


def _times(values: Mapping[str, Any]) -> CallRow:
    """Returns the parts of a call's time, which don't overlap."""
    times: CallRow = {name: _known(values[name]) for name in _PARTS}
    ran_s = values["run_ended_s"] - values["run_started_s"]
    if times["run_ms"] is not None and math.isnan(ran_s):  # then it holds those beside it
        times["queue_ms"] = times["send_ms"] = None
    return times


def _run_message(call_id: str, run: Rerun | Future[Rerun]) -> PageMessage:
    if isinstance(run, Future):
        return {"kind": "run", "call_id": call_id, "running": True}
    return {
        "kind": "run",
        "call_id": call_id,
        "running": False,
        "arguments": _cut(run.arguments),
        "output": _cut(run.shown_output),
        "outcome": run.outcome,
        "traceback": _cut(run.traceback),
        "run_ms": run.run_ms,
    }


def _advice(name: str) -> str:
    return f"give the function to run it again: CallInspector(…, tools=[{name}])."


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_TEXT:
        return text
    return f"{text[:_LONGEST_TEXT]}\n… {len(text) - _LONGEST_TEXT:,} more characters"


def _known(value: object) -> float | None:
    """Returns a number; None for NaN, which JSON has no word for."""
    if not isinstance(value, int | float) or math.isnan(value):
        return None
    return round(float(value), 3)
