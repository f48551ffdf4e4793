"""What one client of the local server can't do to it or to the others."""

from __future__ import annotations

import asyncio
import base64
import json
import threading

import pytest

from realtime_nb.local import client_socket
from realtime_nb.local import connection as connection_module
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.testing import silence, tone
from tests.local.connections import connection_of, session
from tests.local.fake_engines import WatchedSTT, fake_server
from tests.local.raw_client import RawClient, become_true, joined, turn

# --- Sessions side by side ---


async def test_two_sessions_share_nothing() -> None:
    llm = ScriptedLLM([lambda request: f"{len(request.items)} {request.instructions}"] * 4)
    async with fake_server(llm=llm) as server, joined(server) as one, joined(server) as two:
        await one.update(instructions="Be one.", output_modalities=["text"])
        await two.update(instructions="Be two.", output_modalities=["text"])
        await one.write("extra")
        answers = [await client.ask() for client in (one, two, one)]
    texts = [answer["output"][0]["content"][0]["text"] for answer in answers]
    assert texts == ["2 Be one.", "1 Be two.", "4 Be one."]
    ids = [{event["event_id"] for event in client.events} for client in (one, two)]
    assert ids[0].isdisjoint(ids[1])


async def test_one_second_of_an_append_at_a_time() -> None:
    """A long append is the same as short ones, and leaves room for others in between."""
    async with fake_server() as server, joined(server) as client, joined(server) as other:
        connection = next(
            c
            for c in server._connections
            if c._socket.remote_address == client.socket.local_address
        )
        taken: list[int] = []
        receive = connection.core.receive

        def noted(raw: object, size: int = 0) -> None:
            assert isinstance(raw, dict)
            taken.append(len(raw["audio"]))
            receive(raw, size)

        connection.core.receive = noted  # type: ignore[method-assign]
        await client.append(silence(3_000) + turn() + silence(3_000) + b"\0")
        stopped = await client.until("input_audio_buffer.speech_stopped")
        assert (await other.ask())["status"] == "completed"
    assert max(taken) == 64_000
    assert len(taken) == 7
    assert stopped["audio_end_ms"] == 3_744
    # The tone begins at 3,100, in the frame that begins at 3,072.
    assert client.of("input_audio_buffer.speech_started")[0]["audio_start_ms"] == 2_772


@pytest.mark.parametrize(
    "frame",
    [
        {"type": "input_audio_buffer.append", "audio": "!" * 200_000},
        {"type": "input_audio_buffer.append", "audio": ["A" * 200_000]},
        {"type": "input_audio_buffer.append", "audio": "A" * 200_001},
        {"type": "input_audio_buffer.append", "audio": "AAAA", "more": "A" * 200_000},
        {"type": "input_audio_buffer.append", "audio": "A" * (15 * 1024 * 1024 * 4 // 3 + 4)},
        {"type": "x" * 200_000, "audio": "AAAA"},
        {"audio": "A" * 200_000},
        ["A" * 200_000],
        "A" * 200_000,
    ],
)
async def test_a_long_frame_that_is_wrong_is_refused_once(frame: object) -> None:
    async with session() as client:
        await client.socket.send(json.dumps(frame))
        await client.until("error")
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
    assert client.kinds == ["session.created", "error", "input_audio_buffer.cleared"]
    assert len(json.dumps(client.events[1])) < 5_000


async def test_a_full_buffer_is_told_once() -> None:
    async with session() as client:
        await client.update(audio={"input": {"turn_detection": None}})
        for _ in range(3):
            await client.append(silence(5.2 * 60_000))
        await client.append(silence(100))
        await client.until("error", times=2)
        await client.send("input_audio_buffer.clear")
        await client.until("input_audio_buffer.cleared")
    codes = [event["error"]["code"] for event in client.of("error")]
    assert codes == ["input_audio_buffer_full"] * 2


# --- Clients that do not read ---

UNREAD = (1013, "The client does not read what it is sent.")


async def add_long_item(client: RawClient) -> tuple[str, str]:
    """A user item of a minute; returns its id and its audio, almost 4 MB, as ``retrieved`` will
    give it."""
    await client.update(audio={"input": {"turn_detection": None}})
    audio = tone(60_000)
    await client.append(audio)
    await client.send("input_audio_buffer.commit")
    done = await client.until("conversation.item.done")
    return done["item"]["id"], base64.b64encode(audio).decode()


async def test_what_a_client_does_not_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "UNREAD_S", 0.3)
    async with fake_server() as server, joined(server, reads=False) as client:
        connection = connection_of(server)
        item_id, audio = await add_long_item(client)
        peak = 0
        add = connection._unsent.add

        def noted(amount: int) -> None:
            nonlocal peak
            add(amount)
            peak = max(peak, connection._unsent.amount)

        connection._unsent.add = noted  # type: ignore[method-assign]
        for _ in range(40):
            await client.send("conversation.item.retrieve", item_id=item_id)
        async with joined(server) as other:
            assert (await other.ask())["status"] == "completed"
            ended = asyncio.create_task(asyncio.wait([connection._end]))
            await asyncio.wait_for(ended, 20)
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert await client.close_code() == UNREAD
            await become_true(lambda: server.connections == 1)
            assert loop.time() - began < client_socket.CLOSE_S / 2
            assert (await other.ask())["status"] == "completed"
    assert peak > connection_module.UNSENT_PAUSE_BYTES
    assert peak < connection_module.UNSENT_PAUSE_BYTES + len(audio) + 1_000


async def test_more_than_the_limit_unread_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "MAX_UNSENT_BYTES", 100_000)
    async with fake_server() as server, joined(server) as client:
        item_id, _ = await add_long_item(client)
        await client.send("conversation.item.retrieve", item_id=item_id)
        assert await client.close_code() == UNREAD


async def test_a_client_that_never_reads_again_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "UNREAD_S", 0.1)
    monkeypatch.setattr(connection_module, "CLOSE_S", 0.1)
    async with fake_server() as server, joined(server, reads=False) as client:
        connection = connection_of(server)
        item_id, _ = await add_long_item(client)
        for _ in range(40):
            await client.send("conversation.item.retrieve", item_id=item_id)
        async with asyncio.timeout(2):
            await connection._socket.wait_closed()
        client.socket.transport.abort()


async def test_audio_that_waits_for_its_words_is_bounded() -> None:
    gate = threading.Event()
    stt = WatchedSTT(gate=gate)
    async with fake_server(stt=stt) as server, joined(server) as client:
        await client.update(audio={"input": {"turn_detection": None}})
        connection = connection_of(server)
        limit, minute = connection._unheard.limit, tone(60_000)
        appending = asyncio.create_task(append_and_commit(client, minute, 20))
        await become_true(lambda: connection._unheard.amount > limit)
        for _ in range(50):
            await asyncio.sleep(0.001)
        assert connection._unheard.amount < limit + 1.1 * len(minute)
        gate.set()
        await appending
        await client.until("input_audio_buffer.committed", times=20)
        await become_true(lambda: connection._unheard.amount == 0)
    assert len(stt.calls) == 20


async def append_and_commit(client: RawClient, audio: bytes, times: int) -> None:
    for _ in range(times):
        await client.append(audio)
        await client.send("input_audio_buffer.commit")


async def test_large_answers_are_no_overflow() -> None:
    async with session() as client:
        item_id, audio = await add_long_item(client)
        for _ in range(30):
            await client.send("conversation.item.retrieve", item_id=item_id)
        retrieved = await client.until("conversation.item.retrieved", times=30)
    assert retrieved["item"]["content"][0]["audio"] == audio
