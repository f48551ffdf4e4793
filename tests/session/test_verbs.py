"""The client's events as verbs: what each of them puts on the wire, and that it is one."""

from __future__ import annotations

import asyncio
import base64
import copy
import inspect
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from openai.resources.realtime import realtime as sdk

import realtime_nb as rt
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.protocol.events import CLIENT_EVENTS, OutputTextDelta
from realtime_nb.session import verbs
from realtime_nb.session.session import Session
from realtime_nb.testing import MemoryServer, ScriptedServer, silence
from tests.virtual import virtual

MESSAGE = {
    "type": "message",
    "role": "user",
    "content": [
        {"type": "input_text", "text": "What is this?"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
    ],
}
AUDIO = base64.b64encode(silence(20)).decode()

Event = dict[str, Any]
CALLS: list[tuple[Callable[[Session], Any], Event]] = [
    (
        lambda s: s.session.update(session={"type": "realtime"}, event_id="mine"),
        {"type": "session.update", "session": {"type": "realtime"}, "event_id": "mine"},
    ),
    (lambda s: s.response.create(), {"type": "response.create"}),
    (
        lambda s: s.response.create(response={"instructions": "x"}),
        {"type": "response.create", "response": {"instructions": "x"}},
    ),
    (lambda s: s.response.cancel(), {"type": "response.cancel"}),
    (
        lambda s: s.response.cancel(response_id="resp_1"),
        {"type": "response.cancel", "response_id": "resp_1"},
    ),
    (
        lambda s: s.input_audio_buffer.append(audio=AUDIO),
        {"type": "input_audio_buffer.append", "audio": AUDIO},
    ),
    (lambda s: s.input_audio_buffer.commit(), {"type": "input_audio_buffer.commit"}),
    (lambda s: s.input_audio_buffer.clear(), {"type": "input_audio_buffer.clear"}),
    (lambda s: s.output_audio_buffer.clear(), {"type": "output_audio_buffer.clear"}),
    (
        lambda s: s.conversation.item.create(item=MESSAGE, previous_item_id="root"),
        {"type": "conversation.item.create", "item": MESSAGE, "previous_item_id": "root"},
    ),
    (
        lambda s: s.conversation.item.retrieve(item_id="i"),
        {"type": "conversation.item.retrieve", "item_id": "i"},
    ),
    (
        lambda s: s.conversation.item.truncate(item_id="i", audio_end_ms=0, content_index=0),
        {
            "type": "conversation.item.truncate",
            "item_id": "i",
            "audio_end_ms": 0,
            "content_index": 0,
        },
    ),
    (
        lambda s: s.conversation.item.delete(item_id="i"),
        {"type": "conversation.item.delete", "item_id": "i"},
    ),
]


def test_there_is_a_verb_for_every_event_of_a_client() -> None:
    assert {event["type"] for _, event in CALLS} == {*CLIENT_EVENTS, "output_audio_buffer.clear"}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (verbs.SessionVerbs, sdk.AsyncRealtimeSessionResource),
        (verbs.ResponseVerbs, sdk.AsyncRealtimeResponseResource),
        (verbs.InputAudioBufferVerbs, sdk.AsyncRealtimeInputAudioBufferResource),
        (verbs.OutputAudioBufferVerbs, sdk.AsyncRealtimeOutputAudioBufferResource),
        (verbs.ItemVerbs, sdk.AsyncRealtimeConversationItemResource),
    ],
)
def test_they_are_called_as_those_of_the_openai_package(ours: type, theirs: type) -> None:
    names = {name for name in vars(theirs) if not name.startswith("_")}
    assert {name for name in vars(ours) if not name.startswith("_")} == names
    for name in names:
        mine = inspect.signature(getattr(ours, name)).parameters
        given = inspect.signature(getattr(theirs, name)).parameters
        assert set(mine) == set(given)
        assert {mine[one].kind for one in list(mine)[1:]} == {inspect.Parameter.KEYWORD_ONLY}


async def opened(server: ScriptedServer) -> Session:
    return await rt.connect(transport=server.transport)


@virtual
async def test_each_sends_its_event_in_the_order_of_asking() -> None:
    async with ScriptedServer() as server:
        opening = asyncio.create_task(opened(server))
        await server.greet()
        session = await opening
        ids = [await call(session) for call, _ in CALLS]
        for event_id, (_, event) in zip(ids, CALLS, strict=True):
            sent = await server.expect(event["type"])
            assert sent == {"event_id": event_id, **event}
        await session.close()


@virtual
async def test_code_of_the_openai_package_holds_a_conversation() -> None:
    heard: list[str] = []
    async with (
        MemoryServer(ScriptedLLM(["A tree.", "Gone."])) as server,
        rt.connect(transport=server.transport) as connection,
    ):
        await connection.session.update(session={"type": "realtime", "output_modalities": ["text"]})
        await connection.conversation.item.create(item=MESSAGE)
        await connection.response.create()
        async for event in connection:
            if isinstance(event, OutputTextDelta):
                heard.append(event.delta)
            elif event.type == "response.done":
                break
    assert "".join(heard) == "A tree."
    copied = copy.deepcopy(connection.conversation)
    assert copied == connection.conversation
    assert copied.item is pickle.loads(pickle.dumps(connection.conversation)).item is None
    assert connection.conversation.transcript()[0] == ("user", "What is this?")
