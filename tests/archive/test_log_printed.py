"""What Python and Node print of events is read back."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydantic
import pytest

from realtime_nb.archive.log_printed import literal_in, printed, printed_in, read_json
from realtime_nb.archive.log_text import objects_in
from realtime_nb.recordings.recording import load
from tests.archive.good_log import good_lines

ARGUMENTS = '{"name": "O\'Neil", "at": "10:00"}'
CALLED: dict[str, Any] = {
    "type": "response.function_call_arguments.done",
    "arguments": ARGUMENTS,
    "call_id": "c",
}
OUTPUT: dict[str, Any] = {
    "type": "conversation.item.create",
    "item": {"type": "function_call_output", "call_id": "c", "output": '{"ok": true}'},
    "previous_item_id": None,
}
EVENTS = [CALLED, OUTPUT, *(line["event"] for line in good_lines())]


def model_of(value: Any) -> Any:
    """A pydantic model with these fields, as client libraries have one for each event."""
    if isinstance(value, dict):
        fields: Any = {name: (Any, model_of(held)) for name, held in value.items()}
        return pydantic.create_model("Event", **fields)()
    return [model_of(one) for one in value] if isinstance(value, list) else value


PYTHON: dict[str, Callable[[dict[str, Any]], str]] = {
    "repr of a model": lambda event: repr(model_of(event)),
    "print of a model": lambda event: str(model_of(event)),
    "logged print of a model": lambda event: f"10:00:00 | DEBUG | got {model_of(event)}",
    "repr of a dict": repr,
}


@pytest.mark.parametrize("form", PYTHON)
def test_python(form: str) -> None:
    text = "\n".join(map(PYTHON[form], EVENTS)).encode()

    assert [found.value for found in objects_in(text)] == EVENTS


NODE = {
    "console.log": "console.log(e)",
    "with words": "console.log('12:00:00 received:', e)",
    "everything": "console.dir(e, {depth: null})",
    "a line": "console.log(util.inspect(e, {depth: 9, breakLength: Infinity}))",
    "not compact": "console.log(util.inspect(e, {depth: 9, compact: false}))",
}


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("form", NODE)
def test_node(tmp_path: Path, form: str) -> None:
    (tmp_path / "events.json").write_text(json.dumps(EVENTS))
    script = f"for (const e of JSON.parse(fs.readFileSync('events.json'))) {NODE[form]};"
    run = ["node", "-e", f"const fs = require('fs'), util = require('util'); {script}"]
    shown = subprocess.run(run, cwd=tmp_path, capture_output=True, check=True).stdout

    found = [one.value for one in objects_in(shown)]

    assert [one["type"] for one in found if isinstance(one, dict)] == [e["type"] for e in EVENTS]
    assert found[0] == CALLED
    if form not in ("console.log", "with words"):  # these cut off what lies deep
        assert found == EVENTS


def test_what_node_leaves_out_is_not_there() -> None:
    shown = """{
  type: 'response.output_audio.delta',
  delta: 'AAAA'... 9900 more characters,
  parts: [ [Object], [Array], 1, ... 3 more items ],
  text: 'one ' +
    'two',
  nothing: undefined,
  usage: { details: [Object] }
}"""
    assert printed(shown) == {
        "type": "response.output_audio.delta",
        "delta": "",
        "parts": [{}, [], 1],
        "text": "one two",
        "nothing": None,
        "usage": {"details": {}},
    }


def test_a_cost_of_which_node_left_out_the_details_is_not_known(tmp_path: Path) -> None:
    usage = "{ total_tokens: 30, input_tokens: 20, output_tokens: 10, input_token_details: [Object]"
    (tmp_path / "log.txt").write_text(
        "{ type: 'session.created', session: { model: 'gpt-realtime' } }\n"
        "{ type: 'response.created', response: { id: 'r' } }\n"
        f"{{ type: 'response.done', response: {{ id: 'r', status: 'completed', usage: {usage} }}}}"
        "}\n"
    )

    cost = load(tmp_path / "log.txt").cost()

    assert cost.reason is not None
    assert re.search("20 tokens are not split", cost.reason)


def test_texts_that_hold_no_object() -> None:
    for text in ("connected", "f(x", "type='", "a=1 b=2", "(" * 500, "{" * 500, "type='x' y=(((("):
        assert printed_in(text) is None
        assert literal_in(text) is None
    assert printed("1 + 1") is None
    assert read_json("[1") is None


def test_numbers_that_are_none_are_not_there(tmp_path: Path) -> None:
    huge = "1" + "0" * 400
    for number in (huge, f"-{huge}", "1e999", "NaN", "-Infinity"):
        assert read_json(f'{{"type": "x", "n": {number}, "m": 1}}') == {
            "type": "x",
            "n": None,
            "m": 1,
        }
    assert printed(f"{{'n': {huge}, 'm': 1e999, 'k': -3}}") == {"n": None, "m": None, "k": -3}

    started = '{"type": "input_audio_buffer.speech_started", "item_id": "u", "audio_start_ms": '
    (tmp_path / "log.jsonl").write_text(f'{{"type": "session.created"}}\n{started}{huge}}}\n')
    assert len(load(tmp_path / "log.jsonl").events) == 2
