"""What audio of the agent's is played, and where it ends."""

from __future__ import annotations

import pytest

from realtime_nb.protocol.client_actions import EndAudio, PlayAudio
from tests.protocol.client_side import Client


@pytest.fixture
def client() -> Client:
    client = Client(answers=["book", "look_up"])
    client.configured()
    return client


def test_audio_is_played_and_ends_with_its_item(client: Client) -> None:
    client.speaks()
    assert [type(action) for action in client.does()] == [PlayAudio]
    client.item_ends("resp", "agent")
    client.response_ends("resp", output=[{"id": "agent", "type": "message"}])
    assert client.does() == [EndAudio("agent")]


def test_audio_ends_with_the_response_where_there_are_no_item_events(client: Client) -> None:
    client.response_begins("resp")
    client.audio("resp", "agent", 100)
    client.does()
    client.response_ends("resp")
    assert client.does() == [EndAudio("agent")]


def test_items_without_audio_have_no_end_of_audio(client: Client) -> None:
    client.response_begins("resp")
    client.item_begins("resp", "agent")
    client.item_ends("resp", "agent")
    client.response_ends("resp")
    assert client.does() == []


def test_late_audio_of_an_interrupted_response_is_dropped(client: Client) -> None:
    client.speaks()
    client.user_starts()
    client.does()
    client.audio("resp", "agent", 500)
    assert client.does() == []
    client.response_ends("resp", "cancelled")
    client.does()
    client.audio("resp", "agent", 500)
    assert client.does() == []


def test_the_next_response_is_played_again(client: Client) -> None:
    client.speaks()
    client.user_starts()
    client.response_ends("resp", "cancelled")
    client.does()
    client.speaks("resp_2", "agent_2")
    assert [type(action) for action in client.does()] == [PlayAudio]
