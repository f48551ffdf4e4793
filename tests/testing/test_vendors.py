"""Whole conversations with every vendor's server, as its documentation plays it."""

from __future__ import annotations

import json
from typing import Any

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.session.profiles import PROFILES
from realtime_nb.testing import VENDORS, VendorServer, silence, tone
from tests.virtual import virtual

TURN = silence(100) + tone(600) + silence(700)


def endpoint_of(name: str) -> rt.Endpoint:
    url = "wss://mine.openai.azure.com/openai/v1/realtime" if name == "azure" else None
    key = "a-key" if PROFILES[name].key_variable else None
    return rt.Endpoint.named(name, url, model="m", api_key=key)


def test_every_profile_has_a_server_that_plays_it() -> None:
    assert set(VENDORS) == set(PROFILES)
    with pytest.raises(rt.ConfigurationError, match="'acme' can't be played; give one of openai"):
        VendorServer("acme")


@pytest.mark.feature("beta", "speaches", "alibaba")
@pytest.mark.parametrize("name", PROFILES)
@virtual
async def test_a_whole_conversation(name: str) -> None:
    def weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: where.
        """
        return f"cloudy in {city}"

    raw: list[dict[str, Any]] = []
    script = ScriptedLLM(
        [
            "Hello there my friend.",
            Call("weather", json.dumps({"city": "London"})),
            "It is cloudy.",
            "word " * 60,
            "Yes.",
        ]
    )
    async with VendorServer(name, script) as server:
        endpoint = endpoint_of(name)
        async with rt.connect(
            endpoint,
            transport=server.transport,
            tools=[weather],
            voice="ash",
            turn_detection=rt.ServerVAD(threshold=0.4, silence_duration_ms=400),
        ) as session:
            await session.speak(TURN)  # answered by voice
            assert await session.settled()
            await session.say("Weather?")  # a function, then the answer
            assert await session.settled()
            await session.say("A story, please.")
            await session.wait_for("response.output_audio.delta")
            await session.speak(TURN)  # cuts it off
            assert await session.settled()
            conversation = session.conversation
            settings = conversation.session
        raw = server.taken

    said = conversation.transcript()
    assert [words.strip() for who, words in said if who == "assistant"][:2] == [
        "Hello there my friend.",
        "It is cloudy.",
    ]
    assert said[-1] == ("assistant", "Yes.")
    assert [call.output for call in conversation.calls.values()] == ["cloudy in London"]
    assert settings["audio"]["output"]["voice"] == "ash"
    detection = settings["audio"]["input"]["turn_detection"]
    assert (detection["threshold"], detection["silence_duration_ms"]) == (0.4, 400)
    # What the server heard is where it was said, whatever its rate.
    assert conversation.speech[0].audio_end_ms == pytest.approx(100 + 600 + 400, abs=100)
    refused = {event["type"] for event in server.refused}
    lacks = {"response.cancel", "conversation.item.truncate"} if name == "speaches" else set()
    assert refused <= lacks
    assert {event["type"] for event in raw} >= {"session.update", "input_audio_buffer.append"}
