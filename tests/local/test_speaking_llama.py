"""A real language model is heard before it has finished, and stops when it is told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from realtime_nb.local.llm import Call, Request, Text
from tests.local.fake_engines import fake_engines
from tests.local.llama_here import LONG_STORY, needs_llama, processor_ms_until_idle, small
from tests.local.test_speaking import Stage

pytestmark = needs_llama


class Watched:
    """Tells when a model's last piece came."""

    name = "watched"

    def __init__(self, llm: Any) -> None:
        self.llm = llm
        self.last_at = 0.0
        self.pieces = 0

    async def reply(self, request: Request) -> AsyncIterator[Text | Call]:
        stream = self.llm.reply(request)
        try:
            async for piece in stream:
                self.pieces += 1
                self.last_at = asyncio.get_running_loop().time()
                yield piece
        finally:
            await stream.aclose()


def told() -> dict[str, Any]:
    content = [{"type": "input_text", "text": LONG_STORY}]
    return {"type": "message", "role": "user", "content": content}


async def test_first_audio_leaves_before_the_last_token() -> None:
    llm = Watched(small(max_tokens=70, options={"temperature": 0, "ignore_eos": True}))
    stage = Stage(input=[told()])
    await stage.run(fake_engines(llm=llm))
    first = stage.times[stage.kinds.index("response.output_audio.delta")]
    assert first < llm.last_at
    assert llm.pieces > 50
    words = "".join(stage.deltas("output_audio_transcript.delta"))
    assert len(words.split()) > 30


async def test_cancelling_stops_model_and_voice() -> None:
    model = small(options={"ignore_eos": True})
    stage = Stage(input=[told()])
    running = asyncio.create_task(stage.run(fake_engines(llm=model)))
    await stage.until("response.output_audio.delta")
    assert model.engine.running == 1
    began = time.process_time()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    sent = len(stage.events)
    await processor_ms_until_idle(model.engine)
    assert (time.process_time() - began) * 1000 < 100
    assert len(stage.events) == sent
