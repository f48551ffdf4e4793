from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets
from hypothesis import given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.local.llm import Call, Request, ScriptedLLM, Text, Usage
from realtime_nb.local.stage_times import ResponseTimes, StageTimes
from realtime_nb.protocol.audio_formats import wire_format
from realtime_nb.protocol.stages import STAGES_HEADER
from realtime_nb.protocol.transcripts import Transcribe
from realtime_nb.testing import MemoryServer, run_on_virtual_clock, tone
from tests.local.fake_engines import fake_server

PCM: dict[str, Any] = {"type": "audio/pcm", "rate": wire_format("audio/pcm").sample_rate}


class SlowLLM:
    """Thinks for 300 ms, and for 100 ms before each further sentence; counts its tokens."""

    name = "slow"

    async def reply(self, request: Request) -> AsyncIterator[Text | Call | Usage]:
        for number in range(12):
            await asyncio.sleep(0.1 if number else 0.3)
            yield Text("We open at nine in the morning. ")
        yield Usage(40, 12, 16)


def told_by(llm: Any, ask: str = "hello", **settings: Any) -> dict[str, Any]:
    """What the server tells of its answer to a typed message."""
    found: list[dict[str, Any]] = []

    async def talk() -> None:
        async with (
            MemoryServer(llm, stages=True) as server,
            rt.connect(transport=server.transport, **settings) as session,
        ):
            await session.say(ask)
            await session.settled()
            responses = session.conversation.responses.values()
            found.extend(
                {name: getattr(one.stages, name) for name in one.stages.__struct_fields__}
                for one in responses
                if one.stages is not None
            )

    run_on_virtual_clock(talk())
    (stages,) = found
    return stages


def test_every_stage_of_an_answer_is_timed_on_one_clock() -> None:
    told = told_by(SlowLLM())

    assert told["first_token_ms"] - told["asked_ms"] == pytest.approx(300, abs=2)
    # That a sentence is over shows when the next begins.
    assert 0 <= told["sentence_ms"] - told["first_token_ms"] <= 100 + 2
    assert told["thinking_ms"] == pytest.approx(300 + 11 * 100, abs=5)
    assert told["sent_ms"] < told["asked_ms"] + told["thinking_ms"]  # heard before it is written
    assert (told["input_tokens"], told["output_tokens"], told["cached_tokens"]) == (40, 12, 16)
    assert (told["llm"], told["tts"], told["stt"]) == ("slow", "fake", None)
    # Seven words of 250 ms in each sentence, as the humming voice has them.
    assert told["tts_audio_ms"] == pytest.approx(12 * 7 * 250, abs=1)
    assert told["heard_ms"] is None


def test_a_model_that_was_cut_off_took_nobody_knows_how_long() -> None:
    async def talk() -> Any:
        async with (
            MemoryServer(SlowLLM(), stages=True) as server,
            rt.connect(transport=server.transport) as session,
        ):
            begun = asyncio.create_task(session.wait_for("response.output_audio.delta"))
            await session.say("hello")
            await begun
            told = asyncio.create_task(session.wait_for("realtime_nb.stages"))
            await session.response.cancel()
            return await told

    told = run_on_virtual_clock(talk())

    assert told.first_token_ms is not None
    assert told.sent_ms is not None
    assert (told.thinking_ms, told.output_tokens) == (None, None)
    assert told.tts_characters > 0


def test_what_an_engine_does_not_count_is_not_told() -> None:
    told = told_by(ScriptedLLM(["Fine."]))

    assert told["output_tokens"] is None
    assert told["tts_characters"] == len("Fine.")


def test_a_written_answer_has_no_voice() -> None:
    told = told_by(ScriptedLLM(["Fine."]), output_modalities=["text"])

    assert told["first_token_ms"] is not None
    assert [told[name] for name in ("tts", "sentence_ms", "sent_ms", "tts_audio_ms")] == [None] * 4


def test_all_attempts_at_an_item_are_paid_for_and_the_last_one_counts() -> None:
    async def heard() -> ResponseTimes:
        times, handed = StageTimes(), list[ResponseTimes]()
        for attempt, ms in ((1, 400), (2, 1000)):
            job = Transcribe("item", attempt, tone(ms), PCM)
            times.hears(job)
            await asyncio.sleep(0.05)
            times.has_heard(job)
        times.committed("item")
        found = times.answers(_respond("item"), handed.append)
        found.end()
        found.end()
        assert handed == [found]
        again = times.answers(_respond("item"), handed.append)
        assert again.item_id is None  # it was answered
        return found

    found = run_on_virtual_clock(heard())

    assert found.heard.audio_ms == 1400
    assert found.heard.from_ms is not None
    assert found.heard.done_ms is not None
    assert found.heard.done_ms - found.heard.from_ms == pytest.approx(50)
    assert found.item_id == "item"


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(("hears", "has heard", "commits", "answers")), st.integers(0, 2)),
        max_size=30,
    )
)
def test_in_any_order_nothing_is_counted_twice_and_no_time_runs_back(
    steps: list[tuple[str, int]],
) -> None:
    async def run() -> None:
        times, given_ms = StageTimes(), Counter[str]()
        for number, (step, which) in enumerate(steps, 1):
            await asyncio.sleep(0.01)
            item = f"item_{which}"
            job = Transcribe(item, number, tone(number * 10), PCM)
            if step == "hears":
                times.hears(job)
                given_ms[item] += number * 10
            elif step == "has heard":
                times.has_heard(job)
            elif step == "commits":
                times.committed(item)
            else:
                heard = times.answers(_respond(item), lambda _: None).heard
                assert heard.audio_ms == given_ms.pop(item, 0)
                if heard.from_ms is not None and heard.done_ms is not None:
                    assert heard.done_ms >= heard.from_ms

    run_on_virtual_clock(run())


def test_items_that_nobody_answers_are_forgotten() -> None:
    async def kept() -> int:
        times = StageTimes()
        for number in range(1000):
            times.committed(f"item_{number}")
        return len(times._heard)

    assert run_on_virtual_clock(kept()) == 64


def _respond(item_id: str) -> Any:
    class Job:
        items = [{"id": item_id, "role": "user"}]  # noqa: RUF012

    return Job


@pytest.mark.parametrize("asked", [True, False])
async def test_only_who_asks_is_told(asked: bool) -> None:
    async with fake_server(llm=ScriptedLLM(["Hello."])) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        if asked:
            headers[STAGES_HEADER] = "1"
        url = f"{server.url}?model=local"
        async with websockets.connect(url, additional_headers=headers) as socket:
            item = {
                "type": "message",
                "role": "user",
                "content": [{"type": "input_text", "text": "hi"}],
            }
            await socket.send(json.dumps({"type": "conversation.item.create", "item": item}))
            await socket.send(json.dumps({"type": "response.create"}))
            kinds: list[str] = []
            async for frame in socket:
                kinds.append(json.loads(frame)["type"])
                if kinds[-1] == "response.done":
                    break

    assert ("realtime_nb.stages" in kinds) is asked


async def test_this_packages_client_asks() -> None:
    async with (
        fake_server(llm=ScriptedLLM(["Hello."])) as server,
        rt.connect(server.url, api_key=server.token, model="local") as session,
    ):
        await session.say("hi")
        await session.settled()
        (response,) = session.conversation.responses.values()

    assert response.stages is not None
    assert response.stages.llm == "scripted"
