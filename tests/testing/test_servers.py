"""The fakes that stand in for servers are strict themselves."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import MemoryServer, ScriptedServer
from tests.virtual import virtual


@virtual
async def test_a_script_fails_on_another_event_than_it_expects() -> None:
    async with ScriptedServer() as server:
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        with pytest.raises(AssertionError, match=r"Expected response\.cancel, got"):
            await server.expect("response.cancel")
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        with pytest.raises(AssertionError, match="'x': 2"):
            await server.expect("response.create", response={"x": 2})
        await server.transport.send({"type": "response.create", "response": {"x": 1}})
        assert await server.expect("response.create", response={"x": 1})


@virtual
async def test_a_script_fails_when_nothing_comes() -> None:
    async with ScriptedServer() as server:
        with pytest.raises(AssertionError, match=r"sent no response\.create"):
            await server.expect("response.create")


@virtual
async def test_a_script_fails_on_events_that_are_left_over() -> None:
    with pytest.raises(AssertionError, match="did not expect"):
        async with ScriptedServer() as server:
            await server.transport.send({"type": "response.create"})
            await asyncio.sleep(0)
    async with ScriptedServer() as server:
        server.forgive("response.create")
        await server.transport.send({"type": "response.create"})
        await asyncio.sleep(0)


@virtual
async def test_a_script_does_not_hide_the_error_of_the_test() -> None:
    with pytest.raises(ZeroDivisionError):
        async with ScriptedServer() as server:
            await server.transport.send({"type": "response.create"})
            await asyncio.sleep(0)
            raise ZeroDivisionError


@virtual
async def test_the_server_in_memory_speaks_beta_too() -> None:
    async with MemoryServer(ScriptedLLM(["Yes."]), dialect="beta") as server:
        endpoint = rt.Endpoint("ws://memory", dialect="beta")
        names = []
        async with rt.connect(endpoint, transport=server.transport) as session:
            await session.say("Hi")
            assert await session.settled()
            assert session.conversation.transcript() == [("user", "Hi"), ("assistant", "Yes.")]
            assert session.conversation.errors == []
            await session.close()
            names = [event.type async for event in session]
        assert "response.output_audio.delta" in names
        assert "response.audio.delta" not in names
