"""Settings of a session, while the server makes up its mind."""

from __future__ import annotations

import asyncio

import pytest

import realtime_nb as rt
from realtime_nb.audio.wire import WireAudio
from realtime_nb.protocol.client import ClientProtocol
from realtime_nb.protocol.events import ErrorEvent, JsonObject
from realtime_nb.session.audio_in import AudioIn
from realtime_nb.session.settings import SessionSettings
from realtime_nb.session.updates import Updates
from realtime_nb.testing import CountingIds
from realtime_nb.tools import tool
from tests.virtual import virtual

REFUSED = ErrorEvent(error={"message": "no"})
NEW_FORMAT: JsonObject = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}


@tool
def old() -> None:
    """Looks up."""


@tool
def new() -> None:
    """Books."""


class Asked:
    """Settings that were asked for, and are not confirmed."""

    def __init__(self, patch: JsonObject) -> None:
        self.protocol = ClientProtocol(CountingIds())
        self.audio_in = AudioIn(WireAudio(), lambda *_: None, lambda: True)
        self.updates = Updates(lambda: True)
        self.settings = SessionSettings(self.protocol, self.audio_in, {"old": old}, self.updates)
        self.sent: list[JsonObject] = []
        self.task = asyncio.create_task(self.settings.change(patch, {"new": new}, self._proceed))

    def _proceed(self) -> None:
        self.sent += self.protocol.events_to_send()

    async def answer(self, error: ErrorEvent | None = None) -> None:
        await asyncio.sleep(0)  # it has begun
        self.updates.settle(str(self.sent[-1]["event_id"]), error)
        await asyncio.wait([self.task])


@virtual
async def test_until_the_server_answers_functions_of_both_lists_are_run() -> None:
    asked = Asked({})
    await asyncio.sleep(0)
    assert asked.protocol.answers == {"old", "new"}
    await asked.answer()
    asked.task.result()
    assert (list(asked.settings.tools), asked.protocol.answers) == (["new"], {"new"})


@virtual
async def test_what_is_refused_leaves_the_tools_as_they_were() -> None:
    asked = Asked({})
    await asked.answer(REFUSED)
    with pytest.raises(rt.ServerError):
        asked.task.result()
    assert asked.protocol.answers == {"old"}


@virtual
async def test_what_nobody_answers_may_be_in_force_or_not() -> None:
    asked = Asked({})
    await asyncio.wait([asked.task])
    with pytest.raises(rt.ServerError, match="may be in force or not"):
        asked.task.result()
    assert asked.protocol.answers == {"old", "new"}


@virtual
@pytest.mark.parametrize("error", [None, REFUSED])
async def test_audio_waits_while_its_format_changes(error: ErrorEvent | None) -> None:
    asked = Asked(NEW_FORMAT)
    await asyncio.sleep(0)
    assert not asked.audio_in.takes_audio()
    await asked.answer(error)
    assert asked.audio_in.takes_audio()
    asked.task.exception()
