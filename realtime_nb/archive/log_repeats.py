"""Events that a log holds twice."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from realtime_nb.archive.log_lines import LogEntry
from realtime_nb.archive.log_order import ids_in
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.words import counted

__all__ = ["Once", "once"]

_APPEND = "input_audio_buffer.append"
_LETTERS = 8
"""Base64 of silence, in any format, has fewer different ones."""

_WRITTEN_IN = {"time", "timestamp", "ts", "@timestamp", "t", "t_ms", "t_s", "time_ms", "at"}
"""Fields that a log may have written into an event, and that differ when it is logged again."""

_PAYLOADS = {
    "response.output_audio.delta": "delta",
    "response.audio.delta": "delta",
    _APPEND: "audio",
}


class Once(NamedTuple):
    """The entries of a log, each event once.

    Attributes:
        entries: in the order of the file.
        notes: what was found, in sentences.
        doubted: ids of which it is not known what was logged twice and what happened twice.
        input_doubted: why it is not known how much audio was sent.
    """

    entries: Sequence[LogEntry]
    notes: Sequence[str] = ()
    doubted: frozenset[str] = frozenset()
    input_doubted: str | None = None


def once(entries: Sequence[LogEntry]) -> Once:
    """Leaves out what was logged a second time.

    A server gives each event of a session an id of its own. Where there is none, as of what a
    client sends, the same of the same moment is one; but of audio that was sent, where nothing else
    shows that the log repeats, that is in doubt.
    """
    kept: dict[int, LogEntry] = {}
    seen: dict[str, int] = {}
    ambiguous: set[str] = set()
    clashes = dropped = 0
    for index, entry in enumerate(entries):
        name = entry.event.get("event_id")
        if entry.direction == "sent" or not isinstance(name, str):
            kept[index] = entry
            continue
        if entry.name == "session.created" and _is_other(kept, seen.get(name), entry):
            seen = {}  # another session, whose server counts anew
        first = kept[seen[name]] if name in seen else None
        whole = None if first is None else _same(first, entry)
        if first is None or whole is None:
            if first is not None:
                clashes += 1
                ambiguous |= {*ids_in(first), *ids_in(entry)}
            kept[index] = entry
            seen.setdefault(name, index)
        else:
            kept[seen[name]] = whole
            dropped += 1
    if clashes:
        return Once(
            entries,
            [
                f"{counted(clashes, 'event_id')} came again with another event: what is measured "
                "of these turns is not known."
            ],
            frozenset(ambiguous),
        )
    return _without_id_once(kept, dropped)


def _is_other(kept: dict[int, LogEntry], index: int | None, entry: LogEntry) -> bool:
    return index is not None and _core(kept[index].event) != _core(entry.event)


def _without_id_once(kept: dict[int, LogEntry], dropped: int) -> Once:
    """Does the same for what has no id of its own."""
    unnamed = {
        index: (entry.time_s, _content(entry))
        for index, entry in kept.items()
        if entry.direction == "sent" or "event_id" not in entry.event
    }
    twice = _of_one_moment(unnamed) or _all_in_pairs(kept, unnamed)
    if not dropped:
        twice = [index for index in twice if _is_sound(kept[index])]
        appends = [index for index in twice if kept[index].name == _APPEND]
        if appends:
            reason = "the same audio was logged twice for one moment"
            note = (
                f"{counted(len(appends), 'append')} hold the same audio as another of the same "
                "moment: logged twice or sent twice, so that positions in the input are not known."
            )
            return Once(list(kept.values()), [note], input_doubted=reason)
    for index in twice:
        del kept[index]
    copies = dropped + len(twice)
    notes = [f"{counted(copies, 'event')} were logged twice and count once."] if copies else []
    untimed = any(one.name == _APPEND and one.time_s is None for one in kept.values())
    reason = "events were logged twice, and which appends is not known"
    return Once(list(kept.values()), notes, input_doubted=reason if dropped and untimed else None)


def _of_one_moment(unnamed: dict[int, tuple[float | None, str]]) -> list[int]:
    """Returns those that are the same as another of the same moment."""
    seen: set[tuple[float | None, str]] = set()
    twice: list[int] = []
    for index, said in unnamed.items():
        if said[0] is not None and said[0] % 1 and said in seen:  # not only of one second
            twice.append(index)
        seen.add(said)
    return twice


def _all_in_pairs(
    kept: dict[int, LogEntry], unnamed: dict[int, tuple[float | None, str]]
) -> list[int]:
    """Returns every second delta of a log in which each stands twice in a row."""
    deltas = [index for index in unnamed if kept[index].name.endswith(".delta")]
    texts = [unnamed[index][1] for index in deltas]
    pairs = len(texts) > 2 and len(set(texts)) > 1 and texts[::2] == texts[1::2]
    return deltas[1::2] if pairs else []


def _content(entry: LogEntry) -> str:
    """Returns what tells an event from others: of an append, its audio."""
    audio = entry.event.get("audio")
    if entry.name == _APPEND and isinstance(audio, str):
        return audio
    return json.dumps(_core(entry.event), sort_keys=True, default=str)


def _is_sound(entry: LogEntry) -> bool:
    """Tells whether an event holds audio that is not silence, of which all is the same, or text."""
    key = _PAYLOADS.get(entry.name)
    if key is None:
        return entry.name.endswith(".delta")
    audio = entry.event.get(key)
    return isinstance(audio, str) and len(set(audio)) >= _LETTERS


def _same(first: LogEntry, again: LogEntry) -> LogEntry | None:
    """Returns the more complete of two entries of one event; None where they are of two."""
    one, other = _core(first.event), _core(again.event)
    if one == other:
        return first
    key = _PAYLOADS.get(first.name)
    if key is None or {**one, key: None} != {**other, key: None}:
        return None
    texts = [event.get(key) for event in (one, other)]
    lengths = [len(text) if isinstance(text, str) else 0 for text in texts]
    if min(lengths) > 64 and min(lengths) == max(lengths):
        return None
    return first if lengths[0] >= lengths[1] else replace(first, event=again.event)


def _core(event: JsonObject) -> JsonObject:
    return {key: value for key, value in event.items() if key not in _WRITTEN_IN}
