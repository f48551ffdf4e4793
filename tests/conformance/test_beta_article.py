"""The agent of articles on the beta: served, refused by a strict server, and translated."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
import websockets
from websockets.exceptions import ConnectionClosed

import realtime_nb as rt
from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.local.server import LocalServer
from tests.conformance.article_client import SESSION, ArticleAgent
from tests.conformance.tutorial_client import spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUESTION = "Is there an appointment available on Monday?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict() -> AsyncIterator[LocalServer]:
    async with rt.serve(speed=20, strict_ga=True, llm=ScriptedLLM(["Yes."])) as running:
        yield running


def agent_of(server: LocalServer, audio: np.ndarray | None = None) -> ArticleAgent:
    microphone = np.zeros(2_400, np.float32) if audio is None else audio
    return ArticleAgent(f"{server.url}?model=gpt-4o-realtime-preview", server.token, microphone)


async def test_it_books_with_the_local_server(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with rt.serve(speed=20) as server:
            agent = agent_of(server, samples_from_pcm(spoken(QUESTION)))
            await agent.run(answers=2)

    assert agent.errors == []
    assert "monday" in " ".join(agent.heard).lower()
    assert [set(call) >= {"date"} for call in agent.calls] == [True]
    assert "ten in the morning" in "".join(agent.said)
    assert sum(map(len, agent.played)) > 24_000 * 0.3
    told = [one for one in caplog.messages if "beta" in one]
    assert len(told) == 1
    assert "--strict-ga" in told[0]
    assert "rt.ga" in told[0]


async def test_a_strict_server_refuses_it_as_openai_does(strict: LocalServer) -> None:
    agent = agent_of(strict)
    with suppress(ConnectionClosed):  # it sends its settings without waiting for anything
        await agent.connect()
    with pytest.raises(ConnectionClosed):
        await agent.listen(answers=1)

    assert [error["code"] for error in agent.errors] == ["beta_api_shape_disabled"]
    assert agent.errors[0]["type"] == "invalid_request_error"
    assert agent.errors[0]["message"] == (
        "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API."
    )
    assert agent.socket is not None
    assert agent.socket.close_code == 4000
    assert agent.socket.close_reason == "invalid_request_error.beta_api_shape_disabled"


async def test_our_client_tells_what_to_do(strict: LocalServer) -> None:
    headers = {"Authorization": f"Bearer {strict.token}", "OpenAI-Beta": "realtime=v1"}
    with pytest.raises(rt.ConnectionFailedError) as failed:
        async with rt.connect(rt.Endpoint(strict.url, "local", headers)):
            pass
    assert failed.value.code == "beta_api_shape_disabled"
    assert "OpenAI-Beta" in str(failed.value)


async def test_translated_it_is_served_by_a_strict_server(strict: LocalServer) -> None:
    headers = {"Authorization": f"Bearer {strict.token}"}
    flat = {"type": "session.update", "session": SESSION}
    ask = {"type": "response.create", "response": {"modalities": ["text"]}}
    async with websockets.connect(f"{strict.url}?model=x", additional_headers=headers) as socket:

        async def until(*kinds: str) -> dict[str, Any]:
            while True:
                event: dict[str, Any] = json.loads(await socket.recv())
                if event["type"] in kinds:
                    return event

        await socket.send(json.dumps(flat))
        refused = await until("error", "session.updated")
        await socket.send(json.dumps(rt.ga(flat)))
        updated = await until("error", "session.updated")
        await socket.send(json.dumps(rt.ga(ask)))
        done = await until("error", "response.done")

    assert refused["error"]["code"] == "missing_required_parameter"
    assert refused["error"]["param"] == "session.type"
    assert updated["session"]["audio"]["input"]["turn_detection"]["silence_duration_ms"] == 700
    assert updated["session"]["tools"] == SESSION["tools"]
    assert done["response"]["output"][0]["content"] == [{"type": "output_text", "text": "Yes."}]
