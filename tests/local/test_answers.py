"""Engines of others that give something else than they should: told in words, and gone on from."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
import pytest

from realtime_nb.errors import RealtimeError
from realtime_nb.local.answers import piece_of, speech_of, stream_of, words_of
from realtime_nb.local.llm import Call, Request, ScriptedLLM, Text, Usage
from tests.local.connections import COMPLETED, TRANSCRIBED, session
from tests.local.fake_engines import WatchedSTT, WatchedTTS
from tests.local.raw_client import turn

FAILED = "conversation.item.input_audio_transcription.failed"
STT: Any = WatchedSTT()
TTS: Any = WatchedTTS()
LLM: Any = ScriptedLLM([])


def test_what_is_right_is_left_alone() -> None:
    assert words_of(STT, "") == ""
    assert speech_of(TTS, bytearray(b"ab")) == b"ab"
    for piece in (Text(""), Call("f", "{}"), Call("f", "{}", "call_1")):
        assert piece_of(LLM, piece) == piece


@pytest.mark.parametrize("answer", [None, b"words", 3, ["words"], {"text": "words"}])
def test_words_that_are_none(answer: Any) -> None:
    told = rf"speech recognition 'fake-stt' gave {type(answer).__name__}; needed is text"
    with pytest.raises(RealtimeError, match=told):
        words_of(STT, answer)


@pytest.mark.parametrize("answer", [None, "pcm", np.zeros(9, np.float32), [0, 1], 0.5])
def test_speech_that_is_none(answer: Any) -> None:
    told = rf"voice 'fake-tts' gave {type(answer).__name__}; needed is bytes of PCM16"
    with pytest.raises(RealtimeError, match=told):
        speech_of(TTS, answer)


@pytest.mark.parametrize(
    ("piece", "given"),
    [
        ("Hello", "str"),
        (None, "NoneType"),
        (Text(None), r"Text\(NoneType\)"),  # type: ignore[arg-type]
        (Call("f", {}), r"Call\(str, dict, NoneType\)"),  # type: ignore[arg-type]
        (Call("f", "{}", 7), r"Call\(str, str, int\)"),  # type: ignore[arg-type]
        ({"delta": "x"}, "dict"),
    ],
)
def test_pieces_that_are_none(piece: Any, given: str) -> None:
    told = f"language model 'scripted' gave {given}; needed is Text"
    with pytest.raises(RealtimeError, match=told):
        piece_of(LLM, piece)


def test_a_coroutine_is_no_stream() -> None:
    async def reply() -> str:
        return "Hello"

    for answer in (reply(), "Hello", None, iter(())):
        with pytest.raises(RealtimeError, match="needed is an asynchronous stream"):
            stream_of(LLM, answer)


def test_an_engine_that_should_not_be_asynchronous() -> None:
    async def later() -> str:
        return "words"

    with pytest.raises(RealtimeError, match="gave coroutine; needed is text"):
        words_of(STT, later())
    with pytest.raises(RealtimeError, match="gave coroutine; needed is bytes"):
        speech_of(TTS, later())


class Says:
    """A language model whose ``reply`` is what a test gives."""

    name = "theirs"

    def __init__(self, reply: Callable[[Request], Any]) -> None:
        self.reply = reply


async def strings(request: Request) -> AsyncIterator[Any]:
    yield "Hello"


async def whole(request: Request) -> str:
    return "Hello"


def raises(request: Request) -> Any:
    raise KeyError("no")


class Later:
    """A stream without the methods of a generator."""

    def __init__(self, request: Request) -> None:
        self.left = [Text("Good "), Text("day.")]

    def __aiter__(self) -> Later:
        return self

    async def __anext__(self) -> Text:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (strings, "'theirs' gave str; needed is Text"),
        (whole, "'theirs' gave coroutine; needed is an asynchronous stream"),
        (raises, r"engine failed \(KeyError\)"),
    ],
)
@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_a_model_that_gives_nonsense(reply: Any, told: str, modality: str) -> None:
    async with session(llm=Says(reply)) as client:
        for _ in range(2):  # the server goes on
            done = await client.ask(output_modalities=[modality])
            assert done["status"] == "failed"
            assert re.search(told, done["status_details"]["error"]["message"])


async def test_a_model_of_any_asynchronous_stream() -> None:
    async with session(llm=Says(Later)) as client:
        done = await client.ask(output_modalities=["text"])
    assert done["output"][0]["content"][0]["text"] == "Good day."


async def test_a_recognition_that_gives_nothing() -> None:
    says: list[Any] = [None, "Hello."]
    async with session(stt=WatchedSTT(lambda pcm: says.pop(0))) as client:
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        failed = await client.until(FAILED)
        assert "'fake-stt' gave NoneType" in failed["error"]["message"]
        await client.until("response.done")
        await client.append(turn())
        await client.until(COMPLETED)


async def test_a_voice_that_gives_samples() -> None:
    class Floats(WatchedTTS):
        def speak(self, text: str, voice: str, speed: float = 1.0) -> Any:
            return np.zeros(4_800, np.float32)

    async with session(tts=Floats(), llm=ScriptedLLM(["One.", "Two."])) as client:
        done = await client.ask()
        assert done["status"] == "failed"
        assert "'fake-tts' gave ndarray" in done["status_details"]["error"]["message"]
        done = await client.ask(output_modalities=["text"])
        assert done["status"] == "completed"


@pytest.mark.parametrize(
    ("usage", "taken"),
    [
        (Usage(10, 3), True),
        (Usage(None, None), True),
        (Usage(10, 3, 4), True),
        (Usage(-1, 3), False),
        (Usage("10", 3), False),  # type: ignore[arg-type]
        (Usage(True, 3), False),
        (Usage(1, 2.5), False),  # type: ignore[arg-type]
    ],
)
def test_tokens_are_whole_numbers_from_0_on(usage: Usage, taken: bool) -> None:
    if taken:
        assert piece_of(ScriptedLLM([]), usage) is usage
        return
    with pytest.raises(RealtimeError, match=r"Usage\(int, int\)"):
        piece_of(ScriptedLLM([]), usage)


HALF = "half \ud83d a letter"
WHOLE = "half \ufffd a letter"


async def halves(request: Request) -> AsyncIterator[Any]:
    yield Text(HALF)
    if request.tools:
        yield Call(HALF, json.dumps({"x": HALF}, ensure_ascii=False))


def fails_by_half(request: Request) -> Any:
    raise RealtimeError(HALF)


@pytest.mark.parametrize("modality", ["text", "audio"])
async def test_half_a_letter_ends_no_session(modality: str) -> None:
    """No frame can hold it: a model that repeats what a tool gave it has it from there."""
    tool = {"type": "function", "name": "f"}
    tts = WatchedTTS()
    async with session(llm=Says(halves), tts=tts) as client:
        done = await client.ask(output_modalities=[modality], tools=[tool])
        assert done["status"] == "completed"
        message, call = done["output"]
        part = message["content"][0]
        assert (part.get("text") or part["transcript"]) == WHOLE
        assert call["name"] == WHOLE
        assert json.loads(call["arguments"]) == {"x": WHOLE}
        assert [text for text, _, _ in tts.calls] == ([WHOLE] if modality == "audio" else [])


async def test_half_a_letter_in_what_was_heard_and_in_what_failed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with session(llm=Says(fails_by_half), stt=WatchedSTT(HALF)) as client:
        await client.update(**TRANSCRIBED)
        await client.append(turn())
        done = (await client.until("response.done"))["response"]
        assert client.of(COMPLETED)[0]["transcript"] == WHOLE
        assert done["status_details"]["error"]["message"] == WHOLE
    assert WHOLE in caplog.text  # which a file could not hold else
