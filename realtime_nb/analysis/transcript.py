"""A conversation as a transcript: in rows, and in lines of text."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from realtime_nb.analysis.connection_gaps import gap_words, is_broken_off, told_gaps, was_lost
from realtime_nb.analysis.function_calls import decoded
from realtime_nb.protocol.conversation import Conversation, FunctionCall, Item, Speech
from realtime_nb.protocol.words import clock

__all__ = [
    "MAX_ROWS",
    "TranscriptEntry",
    "TranscriptRow",
    "TranscriptText",
    "call_text",
    "item_line",
    "row_text",
    "transcript_rows",
    "transcript_text",
]

MAX_ROWS = 1_000
"""Rows that are kept in sight; of a longer conversation, the last."""

_LONGEST = 4_000


@dataclass(frozen=True, slots=True)
class TranscriptRow:
    """One entry of a transcript.

    Attributes:
        id: The item's.
        kind: Who speaks, ``call`` for a function call, ``note`` for what is said about a response,
            ``latency`` for how long the answer below took.
        text: What was said, as far as it was heard; of a call, its arguments.
        unheard: The rest of it, after an interruption.
        pending: Whether there is more to come; without a text, what is awaited is in ``note``.
        note: A remark; of a call that runs, how far it is.
        t_s: When it began, in seconds since the session began.
        name: The function's.
        output: What the function returned; None while it runs.
        duration_ms: How long that took; of a latency None where ``note`` says why.
        failed: Whether it went wrong.
    """

    id: str
    kind: Literal["user", "agent", "system", "call", "note", "latency"]
    text: str = ""
    unheard: str = ""
    pending: bool = False
    note: str = ""
    t_s: float | None = None
    name: str = ""
    output: str | None = None
    duration_ms: float | None = None
    failed: bool = False


def transcript_rows(conversation: Conversation) -> list[TranscriptRow]:
    """Returns the transcript: a row for each item that says something, in the conversation's order.

    What the user says has its row from when speech is heard, before there are words. Outputs of
    functions are in the rows of their calls.
    """
    items = conversation.items.copy()
    order = conversation.order[-MAX_ROWS:]
    noted = _notes_by_item(conversation, items)
    for place, told in _gap_rows(conversation, items, order):
        noted.setdefault(place, []).append(told)
    transcribed = _is_transcribed(conversation)
    written = noted.pop("", [])
    for item_id in order:
        item = items.get(item_id)
        row = None if item is None else _item_row(conversation, item, transcribed=transcribed)
        if row is not None:
            written.append(row)
        written += noted.pop(item_id, [])
    speech = conversation.speech[-1] if conversation.speech else None
    if speech is not None and speech.item_id not in conversation.order:
        written += _before_its_item(speech, items.get(speech.item_id))
    return written[-MAX_ROWS:]


# --- in lines -------------------------------------------------------------------------------------


def row_text(row: TranscriptRow) -> str:
    """Returns the row as plain text, in one line."""
    if row.kind == "call":
        output = f"{row.note} …" if row.output is None and row.note else row.output
        return TranscriptEntry(row.t_s, "tool", call_text(row.name, row.text, output)).line
    unheard = f" [not heard: {row.unheard}]" if row.unheard else ""
    note = f" ({row.note})" if row.note else ""
    who = {"user": "you", "note": ""}.get(row.kind, row.kind)
    return TranscriptEntry(row.t_s, who, f"{row.text}{unheard}{note}").line.rstrip()


class TranscriptEntry(NamedTuple):
    """What was said, by whom, and when."""

    t_s: float | None
    who: str
    text: str

    @property
    def line(self) -> str:
        """It in a line of text."""
        said = f"{self.who}: {self.text}" if self.who else self.text
        return said if self.t_s is None else f"{clock(self.t_s)}  {said}"


class TranscriptText(str):
    """Who said what, a line each: a text that a notebook shows as a table."""

    _entries: Sequence[TranscriptEntry] = ()

    @classmethod
    def of(cls, entries: Sequence[TranscriptEntry]) -> TranscriptText:
        """Returns the text of these."""
        text = cls("\n".join(entry.line for entry in entries))
        text._entries = entries
        return text

    def _repr_html_(self) -> str:
        return f"<table>{''.join(map(_entry_html, self._entries))}</table>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(str(self))


def _entry_html(entry: TranscriptEntry) -> str:
    style = "text-align:left;vertical-align:top;white-space:pre-wrap"
    cells = (html.escape(cell) for cell in (clock(entry.t_s), entry.who, entry.text))
    return f"<tr>{''.join(f'<td style={style!r}>{cell}</td>' for cell in cells)}</tr>"


def transcript_text(conversation: Conversation) -> TranscriptText:
    """Returns who said what, a line each, in the order of the conversation."""
    entries = (
        _entry(conversation, item, item.added_s if item.played_s is None else item.played_s)
        for item in conversation.in_order()
    )
    said = [entry for entry in entries if entry is not None]
    for gap in told_gaps(conversation):
        words = f"[{gap_words(conversation, gap)}]"
        place = next(
            (at for at, entry in enumerate(said) if _is_after(entry, gap.lost_s)), len(said)
        )
        said.insert(place, TranscriptEntry(gap.lost_s, "", words))
    return TranscriptText.of(said)


def _is_after(entry: TranscriptEntry, t_s: float) -> bool:
    return entry.t_s is not None and entry.t_s > t_s


def item_line(
    conversation: Conversation, item: Item, t_s: float | None, *, unheard: bool = True
) -> str:
    """Returns an item in a line; nothing of one that says nothing.

    Args:
        conversation: whose item it is.
        item: what was said, or called.
        t_s: the moment at the line's beginning.
        unheard: whether to tell what of an interrupted message was not heard.
    """
    entry = _entry(conversation, item, t_s, unheard=unheard)
    return "" if entry is None else entry.line


def _entry(
    conversation: Conversation, item: Item, t_s: float | None, *, unheard: bool = True
) -> TranscriptEntry | None:
    if item.type == "function_call":
        call = conversation.calls.get(item.call_id or "")
        output = None if call is None else call.output
        return TranscriptEntry(t_s, "tool", call_text(item.name or "", item.arguments, output))
    text = _marked(item) if unheard else item.heard_text
    if item.type != "message" or not text:
        return None
    return TranscriptEntry(t_s, "agent" if item.role == "assistant" else item.role or "user", text)


def call_text(name: str, arguments: str, output: str | None) -> str:
    """Returns a function call and what came of it."""
    return f"{name}({arguments}) → {'no output' if output is None else output}"


def _marked(item: Item) -> str:
    rest = _unheard_text(item)
    if rest:
        return f"{item.heard_text} [interrupted; not heard: {rest}]"
    # Of how much audio it was cut is not known: nor is what was heard of it.
    lost = item.interrupted and math.isnan(item.audio_ms) and item.text
    return f"{item.text} [interrupted]" if lost else item.text


def _unheard_text(item: Item) -> str:
    """Returns the rest of a text after it was cut."""
    return item.text[len(item.heard_text) :].strip()


# --- in rows --------------------------------------------------------------------------------------


def _item_row(conversation: Conversation, item: Item, *, transcribed: bool) -> TranscriptRow | None:
    match item.type:
        case "message" if item.role == "assistant":
            return _agent_row(item, lost=is_broken_off(conversation, item))
        case "message" if item.role == "user":
            return _user_row(item, transcribed=transcribed)
        case "message":
            return TranscriptRow(item.id, "system", _capped(item.text), t_s=item.added_s)
        case "function_call":
            return _tool_row(item, conversation.calls.get(item.call_id or ""))
        case "function_call_output" if item.call_id in conversation.calls:
            return None
        case _:
            name = item.type.replace("_", " ")
            return TranscriptRow(
                item.id, "system", _capped(item.output or name), note=name, t_s=item.added_s
            )


def _user_row(item: Item, *, transcribed: bool) -> TranscriptRow:
    spoken = any(part.get("type") == "input_audio" for part in item.content)
    note = ""
    if item.transcript == "failed":
        note = "could not be transcribed"
    elif item.transcript == "completed" and not item.text:
        note = "no words"
    elif spoken and not item.text and not transcribed:
        note = "spoken; transcription is off"
    pending = spoken and transcribed and item.transcript is None
    if pending and not item.text:
        note = "transcribing"
    return TranscriptRow(
        item.id,
        "user",
        _capped(item.text),
        pending=pending,
        note=note,
        t_s=item.added_s if item.committed_s is None else item.committed_s,
        failed=item.transcript == "failed",
    )


def _agent_row(item: Item, *, lost: bool) -> TranscriptRow:
    note = "cut short" if item.status == "incomplete" else ""
    if lost and item.cut_short:
        note = f"connection lost after {(item.played_ms or 0.0) / 1000:.1f} s"
    elif item.truncated_ms is not None:
        note = f"interrupted after {item.truncated_ms / 1000:.1f} s"
    return TranscriptRow(
        item.id,
        "agent",
        _capped(item.heard_text),
        unheard=_capped(_unheard_text(item)),
        pending=item.status == "in_progress" and not item.interrupted,
        note=note,
        t_s=item.added_s if item.played_s is None else item.played_s,
    )


def _tool_row(item: Item, call: FunctionCall | None) -> TranscriptRow:
    call = call or FunctionCall(item.call_id or "", item.name or "", item.arguments)
    duration_ms = None
    if call.output_s is not None and call.done_s is not None:
        duration_ms = (call.output_s - call.done_s) * 1000
    return TranscriptRow(
        item.id,
        "call",
        _capped(_arguments(call.arguments or item.arguments)),
        pending=call.output is None,
        note=call.progress or "" if call.output is None and call.run_outcome is None else "",
        t_s=item.added_s if call.started_s is None else call.started_s,
        name=call.name or item.name or "",
        output=None if call.output is None else _capped(_plain(call.output)),
        duration_ms=duration_ms,
        failed=_tells_of_error(call.output),
    )


def _before_its_item(speech: Speech, item: Item | None) -> list[TranscriptRow]:
    """Returns the user's row while they speak, before the server made it an item."""
    if speech.audio_end_ms is None:
        return [
            TranscriptRow(
                speech.item_id, "user", pending=True, note="speaking", t_s=speech.started_s
            )
        ]
    if item is not None and item.committed_s is not None:
        return [
            TranscriptRow(
                speech.item_id, "user", pending=True, note="transcribing", t_s=item.committed_s
            )
        ]
    return []


def _notes_by_item(
    conversation: Conversation, items: dict[str, Item]
) -> dict[str, list[TranscriptRow]]:
    """Returns what to say of responses that failed or were cut by the server, after their last
    items.

    One that has no items is noted after the item that was added last before it.
    """
    noted: dict[str, list[TranscriptRow]] = {}
    for response in list(conversation.responses.values())[-MAX_ROWS:]:
        if response.status not in ("failed", "incomplete") or was_lost(response):
            continue  # of what a lost connection cut off, the loss is told
        words = (
            "The response failed" if response.status == "failed" else "The response is cut short"
        )
        message = (response.error or {}).get("message") or response.reason
        place = next((one for one in reversed(response.item_ids) if one in items), "")
        if not place and response.created_s is not None:
            before = (one for one in items.values() if _is_before(one, response.created_s))
            place = max(before, key=lambda one: one.added_s or 0.0, default=Item("")).id
        row = TranscriptRow(
            f"note {response.id}",
            "note",
            _capped(f"{words}: {message}" if message else f"{words}."),
            t_s=response.done_s,
            failed=response.status == "failed",
        )
        noted.setdefault(place, []).append(row)
    return noted


def _gap_rows(
    conversation: Conversation, items: dict[str, Item], order: Sequence[str]
) -> Iterator[tuple[str, TranscriptRow]]:
    """Yields what to say of lost connections, and after which item."""
    for number, gap in enumerate(told_gaps(conversation)[-MAX_ROWS:]):
        before = [one for one in order if one in items and _is_before(items[one], gap.lost_s)]
        words = gap_words(conversation, gap)
        row = TranscriptRow(
            f"gap {number}",
            "note",
            _capped(f"{words[0].upper()}{words[1:]}."),
            pending=gap.resumed_s is None and gap.gave_up is None,
            t_s=gap.lost_s,
            failed=gap.gave_up is not None,
        )
        yield before[-1] if before else "", row


def _is_before(item: Item, t_s: float) -> bool:
    return item.added_s is not None and item.added_s <= t_s


def _is_transcribed(conversation: Conversation) -> bool:
    """Tells whether the user's words are to come; so unless the session says that they aren't."""
    audio = conversation.session.get("audio")
    audio_input = audio.get("input") if isinstance(audio, dict) else None
    if not isinstance(audio_input, dict) or "transcription" not in audio_input:
        return not isinstance(audio_input, dict)
    return bool(audio_input["transcription"])


def _arguments(text: str) -> str:
    """Returns JSON arguments as a call has them in Python: ``day="Tuesday", seats=2``."""
    values = decoded(text)
    if not isinstance(values, dict):
        return text
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in values.items()
    )


def _plain(output: str) -> str:
    """Returns a JSON string as the text in it; all else as it is."""
    value = decoded(output)
    return value if isinstance(value, str) else output


def _tells_of_error(output: str | None) -> bool:
    value = decoded(output or "")
    return isinstance(value, dict) and bool(value.get("error"))


def _capped(text: str) -> str:
    if len(text) <= _LONGEST:
        return text
    return f"{text[:_LONGEST]}… ({len(text) - _LONGEST:,} characters more)"
