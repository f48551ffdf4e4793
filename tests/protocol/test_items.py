"""Items: truncated, retrieved, deleted, made by the client."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from realtime_nb.protocol.server import Transcribe
from realtime_nb.testing import tone
from tests.protocol.orders import NO_VAD, TRANSCRIBED, first
from tests.protocol.peer import Peer, encoded, types


@pytest.fixture
def peer() -> Peer:
    return Peer()


# --- truncation, retrieval, deletion ---


def test_truncation_cuts_audio_and_transcript_and_what_the_model_remembers(peer: Peer) -> None:
    item_id = peer.answer("one two three four five", audio_ms=1_000)
    (truncated,) = peer.send(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=420
    )
    assert truncated["audio_end_ms"] == 420
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
    (part,) = retrieved["item"]["content"]
    assert len(base64.b64decode(part["audio"])) == 420 * 48
    assert "transcript" not in part
    peer.write("go on")
    peer.send("response.create")
    assert peer.responding().items[0]["content"][0]["transcript"] == "one two"


def test_truncation_may_be_repeated_downwards_only(peer: Peer) -> None:
    item_id = peer.answer(audio_ms=1_000)
    ask = {"item_id": item_id, "content_index": 0}
    for end_ms in (800, 800, 300, 0, 0):
        assert types(peer.send("conversation.item.truncate", **ask, audio_end_ms=end_ms)) == [
            "conversation.item.truncated"
        ]
    error = peer.refused("conversation.item.truncate", **ask, audio_end_ms=1)
    assert error["message"] == "Audio content of 0ms is already shorter than 1ms"


def test_audio_that_comes_after_a_truncation_is_not_kept(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    spoken = peer.speak(job.response_id, "one two", audio_ms=1_000)
    item_id = spoken[0]["item"]["id"]
    peer.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=500)
    peer.speak(job.response_id, " three four", audio_ms=1_000)
    peer.finish(job.response_id)
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
    (part,) = retrieved["item"]["content"]
    assert len(base64.b64decode(part["audio"])) == 500 * 48
    assert "transcript" not in part


def test_a_user_item_is_retrieved_with_audio_and_words(peer: Peer) -> None:
    peer.update_input(**NO_VAD)
    peer.append(tone(500))
    item_id = peer.send("input_audio_buffer.commit")[0]["item_id"]
    peer.hear("hello")
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["content"] == [
        {"type": "input_audio", "audio": encoded(tone(500)), "transcript": "hello"}
    ]


def test_an_item_in_progress_can_be_retrieved_and_is_no_context(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    item_id = peer.speak(job.response_id)[0]["item"]["id"]
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=item_id)
    assert retrieved["item"]["status"] == "in_progress"
    peer.send("response.create", response={"conversation": "none"})
    assert peer.responding().items == []


def test_delete(peer: Peer) -> None:
    one, two = peer.write("one"), peer.write("two")
    assert types(peer.send("conversation.item.delete", item_id=one)) == [
        "conversation.item.deleted"
    ]
    peer.send("response.create")
    assert [item["id"] for item in peer.responding().items] == [two]


def test_an_item_deleted_while_it_is_said_stays_deleted(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    item_id = peer.speak(job.response_id)[0]["item"]["id"]
    peer.send("conversation.item.delete", item_id=item_id)
    peer.speak(job.response_id, " More.")
    finished = peer.finish(job.response_id)
    assert "conversation.item.done" not in types(finished)
    assert first(finished, "response.done")["response"]["output"][0]["id"] == item_id
    assert peer.core.conversation.order == []
    error = peer.refused("conversation.item.retrieve", item_id=item_id)
    assert error["code"] == "item_retrieve_invalid_item_id"


def test_an_item_deleted_while_an_answer_waits_for_its_words_does_not_hold_it_up(
    peer: Peer,
) -> None:
    said = peer.say()
    peer.send("conversation.item.delete", item_id=said[0]["item_id"])
    assert peer.hear("hello") == []
    assert peer.responding().items[0]["content"][0]["transcript"] == "hello"


# --- items made by the client ---


def test_items_go_where_they_are_asked_to(peer: Peer) -> None:
    one = peer.write("one", id="mine")
    assert one == "mine"

    def put(text: str, after: str) -> str:
        item = {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": text}],
        }
        events = peer.send("conversation.item.create", item=item, previous_item_id=after)
        assert events[0]["previous_item_id"] == (None if after == "root" else after)
        return str(events[0]["item"]["id"])

    first_id = put("zero", "root")
    middle = put("half", first_id)
    assert peer.core.conversation.order == [first_id, middle, one]
    peer.send("conversation.item.delete", item_id=first_id)
    again = peer.write("last", id=first_id)  # it was first once, now it is at the end
    assert peer.core.conversation.order == [middle, one, again]


def test_audio_of_the_client_is_heard_and_kept(peer: Peer) -> None:
    peer.update_input(**TRANSCRIBED)
    text = {"type": "input_text", "text": "listen:"}
    sound = {"type": "input_audio", "audio": encoded(tone(500) + b"\0")}
    item = {"type": "message", "role": "user", "content": [text, sound]}
    added, _ = peer.send("conversation.item.create", item=item)
    assert added["item"]["content"] == [text, {"type": "input_audio", "transcript": None}]
    (job,) = peer.jobs
    assert isinstance(job, Transcribe)
    assert job.audio == tone(500)
    heard = peer.hear("a tone")
    assert [event["content_index"] for event in heard] == [1, 1]
    (retrieved,) = peer.send("conversation.item.retrieve", item_id=added["item"]["id"])
    assert retrieved["item"]["content"][1]["audio"] == encoded(tone(500))


DATA_URI = "data:image/png;base64,iVBORw0KGgo="


def test_the_id_of_a_deleted_item_is_free_once_nobody_speaks_of_it(peer: Peer) -> None:
    peer.send("response.create")
    job = peer.responding()
    peer.speak(job.response_id, "One")
    (item_id,) = peer.core.conversation.order
    peer.send("conversation.item.delete", item_id=item_id)
    content = [{"type": "input_text", "text": "Hi"}]
    item = {"type": "message", "role": "user", "content": content, "id": item_id}
    error = peer.refused("conversation.item.create", item=item)
    assert (error["code"], error["param"]) == ("invalid_value", "item.id")
    peer.core.receive_response_end(job.response_id)
    peer.collect()
    added = ["conversation.item.added", "conversation.item.done"]
    assert types(peer.send("conversation.item.create", item=item)) == added


@pytest.mark.parametrize(
    "url",
    [DATA_URI, DATA_URI.replace("png", "jpeg"), DATA_URI.replace("image/png", "IMAGE/JPG")],
)
def test_a_picture_is_taken_as_png_or_jpeg(peer: Peer, url: str) -> None:
    item = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_image", "image_url": url}],
    }
    added, _ = peer.send("conversation.item.create", item=item)
    assert added["item"]["content"][0]["image_url"] == url


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/cat.png",
        "cat.png",
        "",
        "data:",
        "data:image/png;base64,",
        "data:image/png,iVBORw0KGgo=",
        "data:image/png;base64,no base64",
        "data:image/gif;base64,R0lGODlh",
        "data:text/html;base64,PGI+",
        "iVBORw0KGgo=",
    ],
)
def test_what_is_no_picture_for_the_hosted_server_is_none_here(peer: Peer, url: str) -> None:
    text, picture = {"type": "input_text", "text": "?"}, {"type": "input_image", "image_url": url}
    item = {"type": "message", "role": "user", "content": [text, picture]}
    error = peer.refused("conversation.item.create", item=item)
    assert (error["code"], error["param"]) == ("invalid_value", "item.content[1].image_url")
    assert "PNG or JPEG" in error["message"]
    error = peer.refused("response.create", response={"input": [item]})
    assert error["param"] == "response.input[0].content[1].image_url"


@pytest.mark.parametrize(
    ("reference", "code", "param"),
    [
        ({}, "missing_required_parameter", "id"),
        ({"id": None}, "invalid_type", "id"),
        ({"id": 5}, "invalid_type", "id"),
        ({"id": "gone"}, "invalid_value", "id"),
        ({"id": "here", "content": []}, "unknown_parameter", "content"),
    ],
)
def test_a_reference_is_looked_at_as_closely_as_an_item(
    peer: Peer, reference: dict[str, Any], code: str, param: str
) -> None:
    peer.write("Hi", id="here")
    entries = [{"type": "item_reference", "id": "here"}, {"type": "item_reference", **reference}]
    error = peer.refused("response.create", response={"input": entries})
    assert (error["code"], error["param"]) == (code, f"response.input[1].{param}")


def test_no_item_is_called_as_the_beginning_is(peer: Peer) -> None:
    content = [{"type": "input_text", "text": "Hi"}]
    item = {"type": "message", "role": "user", "content": content, "id": "root"}
    error = peer.refused("conversation.item.create", item=item)
    assert (error["code"], error["param"]) == ("invalid_value", "item.id")
