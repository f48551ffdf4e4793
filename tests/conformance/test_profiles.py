"""This package's client with the local server and with each that plays a vendor's documented ways.

One thing of the protocol at a time, on virtual time; whole conversations are in
``tests/testing/test_vendors.py``.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.errors import ServerError
from realtime_nb.local.llm import Call, Request, ScriptedLLM
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.session.profiles import PROFILES
from realtime_nb.session.session import Session
from realtime_nb.testing import MemoryServer, VendorServer, silence, tone
from tests.conformance.features import shows
from tests.virtual import virtual

TURN = silence(100) + tone(600) + silence(700)
LONG = "word " * 80


class Asked:
    """A session, and what its server was asked and remembers."""

    def __init__(self, session: Session, server: MemoryServer | VendorServer) -> None:
        self.session = session
        self.server = server

    @property
    def remembered(self) -> Conversation:
        return self.server.conversation

    @property
    def settings(self) -> Any:
        return self.session.conversation.session

    def words_of(self, who: str) -> list[str]:
        said = self.session.conversation.transcript()
        return [words.strip() for speaker, words in said if speaker == who]


@asynccontextmanager
async def asked(kind: str, *replies: Any, **options: Any) -> AsyncIterator[Asked]:
    script = ScriptedLLM(replies)
    if kind == "client":
        async with (
            MemoryServer(script) as local,
            rt.connect(transport=local.transport, **options) as session,
        ):
            yield Asked(session, local)
        return
    url = "wss://mine.openai.azure.com/openai/v1/realtime" if kind == "azure" else None
    key = "a-key" if PROFILES[kind].key_variable else None
    endpoint = rt.Endpoint.named(kind, url, model="m", api_key=key)
    async with (
        VendorServer(kind, script) as vendor,
        rt.connect(endpoint, transport=vendor.transport, **options) as session,
    ):
        yield Asked(session, vendor)


@shows("settings")
@virtual
async def test_settings_are_in_effect_and_change_one_by_one(kind: str) -> None:
    async with asked(kind, instructions="Be brief.", voice="ash") as it:
        assert it.settings["instructions"] == "Be brief."
        await it.session.update(instructions="")
        assert it.settings["instructions"] == ""
        assert it.settings["audio"]["output"]["voice"] == "ash"


@shows("text turn")
@virtual
async def test_a_text_turn(kind: str) -> None:
    async with asked(kind, "Four, of course.", output_modalities="text") as it:
        await it.session.say("What is two and two?")
        assert await it.session.settled()
        (response,) = it.session.conversation.responses.values()
        assert response.status == "completed"
        assert it.words_of("assistant") == ["Four, of course."]
        usage = it.session.conversation.usage
        assert 4 <= usage["output_tokens"] <= 6  # of 16 characters, in three pieces
        assert usage["input_tokens"] > 5


@shows("text and audio output")
@virtual
async def test_text_and_audio_by_turns(kind: str) -> None:
    async with asked(kind, "One.", "Two.", "Three.") as it:
        for mode in ("audio", "text", "audio"):
            await it.session.update(output_modalities=mode)
            await it.session.say("Go on.")
            assert await it.session.settled()
        answers = [i for i in it.session.conversation.items.values() if i.role == "assistant"]
        assert [bool(item.audio_ms) for item in answers] == [True, False, True]
        assert it.words_of("assistant") == ["One.", "Two.", "Three."]


@shows("push-to-talk")
@virtual
async def test_push_to_talk(kind: str) -> None:
    async with asked(kind, "Understood.", turn_detection=None) as it:
        await it.session.append(TURN)
        await it.session.commit()
        await it.session.create_response()
        assert await it.session.settled()
        assert it.words_of("assistant") == ["Understood."]
        assert it.session.conversation.speech == []


@shows("spoken turn")
@virtual
async def test_a_spoken_turn(kind: str) -> None:
    async with asked(kind, "I heard it.") as it:
        await it.session.speak(TURN)
        assert await it.session.settled()
        (speech,) = it.session.conversation.speech
        assert (speech.audio_end_ms or 0) > 700  # 100 of silence, 600 of a voice
        (answer,) = (i for i in it.session.conversation.items.values() if i.role == "assistant")
        assert answer.text.strip() == "I heard it."
        assert answer.audio_ms > 100


@shows("functions")
@virtual
async def test_a_function_is_called_and_its_output_answered(kind: str) -> None:
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: where.
        """
        return f"cloudy in {city}"

    told: list[Any] = []

    def answer(request: Request) -> str:
        told.extend(request.items)
        return "It is cloudy."

    call = Call("weather", '{"city": "London"}')
    async with asked(kind, call, answer, tools=[weather], output_modalities="text") as it:
        await it.session.say("Weather?")
        assert await it.session.settled()
        assert it.words_of("assistant") == ["It is cloudy."]
    assert told[-1]["type"] == "function_call_output"
    assert told[-1]["output"] == "cloudy in London"


@shows("interruption")
@virtual
async def test_who_speaks_cuts_the_answer_off(kind: str) -> None:
    async with asked(kind, LONG, "Yes?") as it:
        await it.session.say("A story.")
        await it.session.wait_for("response.output_audio.delta")
        await it.session.speak(TURN)
        assert await it.session.settled()
        first, second = it.session.conversation.responses.values()
        assert second.status == "completed"
        cut = it.session.conversation.items[first.item_ids[0]]
        assert cut.played_ms is not None
        assert 0 < cut.played_ms < 0.5 * cut.audio_ms  # which may all have come long before
        assert it.words_of("assistant")[-1] == "Yes?"


@shows("transcription")
@virtual
async def test_what_the_user_said_is_told(kind: str) -> None:
    async with asked(kind, "Hello.", transcription="my-transcriber") as it:
        await it.session.speak(TURN)
        assert await it.session.settled()
        assert it.words_of("user") == ["hello"]  # whatever FakeSTT hears


@shows("cancel", but=("speaches",))
@virtual
async def test_an_answer_is_cancelled(kind: str) -> None:
    async with asked(kind, LONG, "Yes.") as it:
        await it.session.say("A story.")
        await it.session.wait_for("response.output_audio.delta")
        await it.session.response.cancel()
        assert await it.session.settled()
        (response,) = it.session.conversation.responses.values()
        assert response.status == "cancelled"
        await it.session.say("Ready?")
        assert await it.session.settled()
        assert it.words_of("assistant")[-1] == "Yes."


@shows("truncation", but=("speaches", "huggingface"))
@virtual
async def test_the_server_remembers_what_was_heard(kind: str) -> None:
    async with asked(kind, LONG, "Yes.") as it:
        await it.session.say("A story.")
        await it.session.wait_for("response.done")  # all is said, hardly anything heard
        (answer,) = (i for i in it.session.conversation.items.values() if i.role == "assistant")
        await it.session.conversation.item.truncate(
            item_id=answer.id, content_index=0, audio_end_ms=400
        )
        await it.session.wait_for("conversation.item.truncated")
        assert it.remembered.items[answer.id].remembered_ms == 400
        assert it.session.conversation.items[answer.id].remembered_ms == 400


@shows("out-of-band", but=("speaches",))
@virtual
async def test_a_response_apart(kind: str) -> None:
    def echo(request: Request) -> str:
        return f"<{request.instructions}>"

    async with asked(kind, echo, "Main.") as it:
        reply = await it.session.respond("Sum up.", conversation="none", output_modalities=["text"])
        assert (reply.text, reply.status) == ("<Sum up.>", "completed")
        assert it.session.conversation.transcript() == []
        assert it.remembered.order == []


@shows("output budget")
@virtual
async def test_a_budget_ends_an_answer(kind: str) -> None:
    async with asked(kind, LONG) as it:
        await it.session.create_response(output_modalities=["text"], max_output_tokens=10)
        assert await it.session.settled()
        (response,) = it.session.conversation.responses.values()
        assert response.status == "incomplete"
        assert it.session.conversation.usage["output_tokens"] <= 10


@shows("several calls")
@virtual
async def test_two_calls_of_one_response_get_one_answer(kind: str) -> None:
    def double(number: int) -> int:
        """Doubles.

        Args:
            number: any.
        """
        return 2 * number

    told: list[str] = []

    def answer(request: Request) -> str:
        told.extend(item["output"] for item in request.items if "output" in item)
        return "Two and ten."

    calls = [Call("double", '{"number": 1}'), Call("double", '{"number": 5}')]
    async with asked(kind, calls, answer, tools=[double], output_modalities="text") as it:
        await it.session.say("Double one and five.")
        assert await it.session.settled()
        assert it.words_of("assistant") == ["Two and ten."]
    assert sorted(told) == ["10", "2"]


@shows("one response")
@virtual
async def test_a_second_response_waits_for_the_first(kind: str) -> None:
    async with asked(kind, "One.", "Two.", output_modalities="text", typing="waits") as it:
        await it.session.say("First.")
        await it.session.wait_for("response.created")
        await it.session.say("Second.")
        assert await it.session.settled()
        assert it.words_of("assistant") == ["One.", "Two."]
        assert it.session.conversation.errors == []


def written(text: str, **fields: Any) -> Any:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content, **fields}


@shows("insertion")
@virtual
async def test_items_go_where_they_are_put(kind: str) -> None:
    async with asked(kind) as it:
        item = it.session.conversation.item
        await item.create(item=written("c", id="c"))
        await item.create(item=written("a", id="a"), previous_item_id="root")
        await item.create(item=written("b", id="b"), previous_item_id="a")
        await _told(it, lambda: len(it.session.conversation.order) == 3)
        assert it.remembered.order == it.session.conversation.order == ["a", "b", "c"]


@shows("deleting")
@virtual
async def test_an_item_is_deleted(kind: str) -> None:
    async with asked(kind) as it:
        item = it.session.conversation.item
        await item.create(item=written("a", id="a"))
        await item.create(item=written("b", id="b"))
        await item.delete(item_id="a")
        await it.session.wait_for("conversation.item.deleted")
        assert it.remembered.order == it.session.conversation.order == ["b"]


@shows("retrieving")
@virtual
async def test_an_item_is_retrieved_with_its_audio(kind: str) -> None:
    async with asked(kind, turn_detection=None) as it:
        sound = tone(500)
        await it.session.append(sound)
        await it.session.commit()
        await _told(it, lambda: len(it.session.conversation.order) == 1)
        waiting = asyncio.ensure_future(it.session.wait_for("conversation.item.retrieved"))
        await it.session.conversation.item.retrieve(item_id=it.session.conversation.order[0])
        event: Any = await waiting
        (part,) = event.item["content"]
        kept = base64.b64decode(part["audio"])
        assert len(kept) == pytest.approx(len(sound), abs=48 * 40)  # resampled for some


@pytest.mark.feature("images", "client")
@virtual
async def test_a_picture_is_shown() -> None:
    seen: list[Any] = []

    def look(request: Request) -> str:
        seen.extend(request.items[-1]["content"])
        return "A dot."

    dot = "data:image/png;base64,iVBORw0KGgo="
    async with asked("client", look, output_modalities="text") as it:
        item = written("What is it?")
        item["content"].append({"type": "input_image", "image_url": dot})
        await it.session.conversation.item.create(item=item)
        await it.session.create_response()
        assert await it.session.settled()
    assert [part["type"] for part in seen] == ["input_text", "input_image"]
    assert seen[1]["image_url"] == dot


@shows("voice lock")
@virtual
async def test_a_voice_that_has_spoken_stays(kind: str) -> None:
    async with asked(kind, "Aloud.", voice="ash") as it:
        await it.session.say("Hello.")
        assert await it.session.settled()
        with pytest.raises(ServerError, match="Cannot update a conversation's voice"):
            await it.session.update(voice="cedar")
        assert it.settings["audio"]["output"]["voice"] == "ash"


@shows("refusals")
@virtual
async def test_a_refusal_names_its_cause_and_changes_nothing(kind: str) -> None:
    async with asked(kind, "Still here.") as it:
        waiting = asyncio.ensure_future(it.session.wait_for("error"))
        sent = await it.session.send(
            {"type": "conversation.item.delete", "item_id": "gone", "event_id": "mine"}
        )
        error: Any = await waiting
        assert sent == error.caused_by == "mine"
        assert error.code == "item_delete_invalid_item_id"
        await it.session.say("Hello?")
        assert await it.session.settled()
        assert it.words_of("assistant") == ["Still here."]


async def _told(it: Asked, condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.01)


# --- what only the local server and our client have, or what a server lacks ---


@pytest.mark.feature("semantic VAD", "client")
@virtual
async def test_semantic_vad() -> None:
    async with asked("client", "Noted.", turn_detection=rt.SemanticVAD(eagerness="high")) as it:
        assert it.settings["audio"]["input"]["turn_detection"]["eagerness"] == "high"
        await it.session.speak(silence(100) + tone(600) + silence(4_000))
        assert await it.session.settled()
        assert it.words_of("assistant") == ["Noted."]


@pytest.mark.feature("MCP tools", "client")
@virtual
async def test_a_server_of_tools_fails_in_words_and_the_session_goes_on() -> None:
    async with asked("client", "Without them.") as it:
        waiting = asyncio.ensure_future(it.session.wait_for("mcp_list_tools.failed"))
        tool = {"type": "mcp", "server_label": "docs", "server_url": "https://x.example"}
        session = {"type": "realtime", "tools": [tool]}
        await it.session.send({"type": "session.update", "session": session})
        event: Any = await waiting
        item = it.session.conversation.items[event.item_id]
        assert item.type == "mcp_list_tools"
        await it.session.say("Go on.")
        assert await it.session.settled()
        assert it.words_of("assistant") == ["Without them."]


@pytest.mark.parametrize("kind", ["speaches"])
@virtual
async def test_what_a_server_lacks_is_refused_and_the_session_goes_on(kind: str) -> None:
    async with asked(kind, LONG, "Still here.") as it:
        await it.session.say("A story.")
        await it.session.wait_for("response.output_audio.delta")
        await it.session.response.cancel()
        await it.session.wait_for("error")
        with pytest.raises(ServerError, match="not supported"):
            await it.session.respond("Sum up.", conversation="none", timeout_s=5)
        await it.session.speak(TURN)
        assert await it.session.settled()
        assert it.words_of("assistant")[-1] == "Still here."
