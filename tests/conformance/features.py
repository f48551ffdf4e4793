"""What of the protocol is shown by a test, of whom, and why a cell of the table has none.

A test says what it shows: ``@pytest.mark.feature("truncation", "server")``. Who: ``server`` (the
local one, by whatever client), ``client`` (this package's, with the local server), or a profile of
``rt.Endpoint.named`` (this package's client, with a server that plays its documented ways).
"""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from realtime_nb.session.profiles import PROFILES
from tests.paths import ROOT

__all__ = ["FEATURES", "REASONS", "WHO", "shown_by", "shows", "why_not"]

WHO = ("server", "client", *PROFILES)

FEATURES = {
    "settings": "`session.created`, and `session.update` that changes all or nothing",
    "text turn": "a typed question answered in text, with usage and rate limits",
    "spoken turn": "audio with `server_vad`, answered aloud",
    "push-to-talk": "`turn_detection: null`, `commit`, `response.create`",
    "semantic VAD": "`semantic_vad` and its own fields",
    "idle timeout": "`idle_timeout_ms`: a silence is a turn",
    "transcription": "`…input_audio_transcription.*` of what the user said",
    "transcription session": "`intent=transcription`: no responses",
    "transcription usage": "tokens or seconds, as the transcriber is billed",
    "logprobs": '`include: ["item.input_audio_transcription.logprobs"]`',
    "functions": "a call, its output, the answer",
    "several calls": "speech and several calls in one response",
    "interruption": "who speaks cuts the answer off",
    "truncation": "`conversation.item.truncate`: the model remembers what was heard",
    "cancel": "`response.cancel`",
    "out-of-band": '`conversation: "none"` beside the conversation',
    "one response": "a second response of the conversation waits",
    "text and audio output": "`output_modalities`, by session and by response",
    "voice lock": "the voice stays after the first sound",
    "output budget": "`max_output_tokens`: `incomplete`",
    "µ-law and A-law": "G.711 both ways",
    "images": "`input_image`",
    "insertion": '`previous_item_id`, `"root"`',
    "retrieving": "`conversation.item.retrieve`, with audio",
    "deleting": "`conversation.item.delete`",
    "MCP tools": "`mcp_list_tools.*`, items of MCP",
    "refusals": "`error` by code, param and `event_id`; nothing is changed",
    "nulls": "`null` where a field need not be there",
    "missing model": "the `error` before the CLOSE 4000",
    "wrong key": "who has no key gets no session",
    "ephemeral keys": "`POST /v1/realtime/client_secrets`",
    "beta": "the beta's events and sessions",
    "long appends": "15 MiB in one event",
    "pings": "whoever vanished is noticed",
    "expiry": "the longest time, CLOSE 1001",
    "TLS": "`wss://`",
}
"""By the name that a mark gives, in the order of the table."""

_LACKS = {kind: profile.lacks for kind, profile in PROFILES.items()}
_OPENAI = "The local server plays it as it is: see its column."
_UNKNOWN = (
    "What is known of it says neither that it is there nor what would differ, so that there is "
    "nothing to play. Ask a real one: `rt.doctor(endpoint)`, and your own program."
)
_ITS_OWN = "It is the server's alone: the client has no part in it."

REASONS: dict[tuple[str, str], str] = {
    ("cancel", "speaches"): f"It lacks {_LACKS['speaches'][0]}.",
    ("truncation", "speaches"): f"It lacks {_LACKS['speaches'][1]}.",
    ("out-of-band", "speaches"): f"It lacks {_LACKS['speaches'][2]}.",
    ("truncation", "huggingface"): f"It lacks {_LACKS['huggingface'][0]}.",
    ("beta", "openai"): f"It lacks {_LACKS['openai'][0]}; `rt.ga` translates.",
    ("logprobs", "client"): "Events carry them as they came; nothing here reads them.",
    ("missing model", "client"): "An `rt.Endpoint` always names one.",
    ("nulls", "client"): "It sends none but those that mean something.",
    ("long appends", "client"): "It sends audio as it comes, in short pieces.",
    ("transcription session", "client"): "`rt.connect` opens conversations.",
}
"""Why there is no test where one could be expected: by feature and who."""


def why_not(feature: str, who: str) -> str:
    """Why no test shows it."""
    if (feature, who) in REASONS:
        return REASONS[feature, who]
    if who == "client":
        return _ITS_OWN
    return _OPENAI if who == "openai" else _UNKNOWN


def shows(feature: str, *, but: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Marks a test that holds for our client and each server, and has it run once for each."""
    kinds = [kind for kind in WHO[1:] if kind not in but]

    def mark(test: Any) -> Any:
        return pytest.mark.feature(feature, *kinds)(pytest.mark.parametrize("kind", kinds)(test))

    return mark


def shown_by() -> dict[tuple[str, str], list[str]]:
    """The tests that show something, by feature and who.

    Marks are read off the modules, so that it does not matter which tests run.
    """
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        source = path.read_text("utf-8")
        if "mark.feature(" not in source and "shows(" not in source:
            continue
        place = path.relative_to(ROOT)
        module = importlib.import_module(".".join(place.with_suffix("").parts))
        for name, test in vars(module).items():
            if not name.startswith("test_"):
                continue
            for mark in getattr(test, "pytestmark", []):
                if mark.name == "feature":
                    feature, *whose = mark.args
                    for who in whose:
                        found[feature, who].append(f"{place.as_posix()}::{name}")
    return dict(found)
