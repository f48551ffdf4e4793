"""What must hold over any stream of server events, checked one event at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Ledger"]

Event = dict[str, Any]


@dataclass
class _Run:
    in_conversation: bool
    items: list[str] = field(default_factory=list)
    done: dict[str, Event] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)  # open parts: item id → text so far


class Ledger:
    """Raises AssertionError at the first event that breaks the protocol's order."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.runs: dict[str, _Run] = {}
        self.unfinished: dict[str, str | None] = {}  # item id → previous id, added but not done
        self.finished_runs: set[str] = set()
        self._event_ids: set[str] = set()
        self._speaking: str | None = None
        self._arguments: dict[str, str] = {}

    def check(self, event: Event) -> None:
        """Takes the next event."""
        assert event["event_id"] not in self._event_ids
        self._event_ids.add(event["event_id"])
        kind = event["type"]
        if kind.startswith("conversation.item."):
            self._item(kind, event)
        elif kind.startswith("input_audio_buffer."):
            self._buffer(kind, event)
        elif kind.startswith("response."):
            self._response(kind, event)

    def check_settled(self) -> None:
        """Nothing is left open."""
        assert not self.runs
        assert not self.unfinished

    def _item(self, kind: str, event: Event) -> None:
        match kind:
            case "conversation.item.added":
                item_id, previous = event["item"]["id"], event["previous_item_id"]
                assert item_id not in self.order
                assert previous is None or previous in self.order
                self.order.insert(
                    0 if previous is None else self.order.index(previous) + 1, item_id
                )
                self.unfinished[item_id] = previous
            case "conversation.item.done":
                assert event["item"]["status"] in ("completed", "incomplete")
                assert self.unfinished.pop(event["item"]["id"]) == event["previous_item_id"]
            case "conversation.item.deleted":
                self.order.remove(event["item_id"])
                self.unfinished.pop(event["item_id"], None)
            case "conversation.item.retrieved":
                assert event["item"]["id"] in self.order
            case _:
                assert event["item_id"] in self.order

    def _buffer(self, kind: str, event: Event) -> None:
        match kind:
            case "input_audio_buffer.speech_started":
                self._speaking = event["item_id"]
            case "input_audio_buffer.speech_stopped":
                assert self._speaking == event["item_id"]
            case "input_audio_buffer.committed":
                assert event["previous_item_id"] == (self.order[-1] if self.order else None)
                assert event["item_id"] not in self.order
                self._speaking = None

    def _response(self, kind: str, event: Event) -> None:
        if kind == "response.created":
            response = event["response"]
            assert response["status"] == "in_progress"
            assert response["output"] == []
            assert response["id"] not in self.finished_runs | self.runs.keys()
            in_conversation = response["conversation_id"] is not None
            if in_conversation:
                assert not any(run.in_conversation for run in self.runs.values())
            self.runs[response["id"]] = _Run(in_conversation)
        elif kind == "response.done":
            self._response_done(event["response"])
        else:
            self._output(kind, event, self.runs[event["response_id"]])

    def _response_done(self, response: Event) -> None:
        run = self.runs.pop(response["id"])
        self.finished_runs.add(response["id"])
        assert response["status"] in ("completed", "cancelled", "incomplete", "failed")
        assert run.parts == {}
        assert list(run.done) == run.items
        assert response["output"] == list(run.done.values())
        if not run.in_conversation:
            assert not set(run.items) & set(self.order)
        usage = response["usage"]
        inputs, outputs = usage["input_token_details"], usage["output_token_details"]
        cached = inputs["cached_tokens_details"]
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        for part, whole in (
            (outputs, usage["output_tokens"]),
            (cached, inputs["cached_tokens"]),
            ({key: inputs[key] for key in cached}, usage["input_tokens"]),
        ):
            assert whole == sum(part.values())
        assert all(0 <= cached[key] <= inputs[key] for key in cached)

    def _output(self, kind: str, event: Event, run: _Run) -> None:
        if kind == "response.output_item.added":
            assert event["output_index"] == len(run.items)
            assert list(run.done) == run.items  # the one before is closed
            run.items.append(event["item"]["id"])
            return
        if kind == "response.output_item.done":
            item = event["item"]
            assert item["id"] == run.items[event["output_index"]]
            assert item["id"] not in run.done
            assert item["id"] not in run.parts
            assert item["id"] not in self.unfinished
            run.done[item["id"]] = item
            return
        item_id = event["item_id"]
        assert item_id == run.items[event["output_index"]]
        assert item_id not in run.done
        match kind:
            case "response.content_part.added":
                assert item_id not in run.parts
                run.parts[item_id] = ""
            case "response.content_part.done":
                part = event["part"]
                assert run.parts.pop(item_id) == part.get("text", part.get("transcript"))
            case "response.output_text.delta" | "response.output_audio_transcript.delta":
                run.parts[item_id] += event["delta"]
            case "response.output_text.done":
                assert run.parts[item_id] == event["text"]
            case "response.output_audio_transcript.done":
                assert run.parts[item_id] == event["transcript"]
            case "response.function_call_arguments.delta":
                self._arguments[item_id] = self._arguments.get(item_id, "") + event["delta"]
            case "response.function_call_arguments.done":
                assert self._arguments.get(item_id, "") == event["arguments"]
            case _:
                assert item_id in run.parts
