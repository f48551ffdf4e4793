from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.pcm import SAMPLE_RATE, Samples, samples_from_pcm
from realtime_nb.audio.vad import find_speech
from realtime_nb.commands.appointments import AppointmentBook
from realtime_nb.commands.live_lines import LiveLines
from realtime_nb.commands.talk import TalkLine, talk
from realtime_nb.errors import AudioError, ConfigurationError, RealtimeError, SessionClosedError
from realtime_nb.local.llm import Call, Reply, ScriptedLLM
from realtime_nb.local.tts import load_tts
from realtime_nb.testing import MemoryServer, tone
from tests.paths import DATA

REQUEST = "I'd like to book an appointment for next Tuesday at ten in the morning"
SPEED = 4.0

Speaker = Callable[[str], Path]


@pytest.fixture
def spoken(tmp_path: Path) -> Speaker:
    """Makes a file of somebody saying something."""

    def speak(text: str) -> Path:
        path = tmp_path / f"{abs(hash(text))}.wav"
        soundfile.write(path, samples_from_pcm(load_tts().speak(text)), SAMPLE_RATE)
        return path

    return speak


async def test_a_recorded_voice_is_answered_and_recorded(tmp_path: Path) -> None:
    lines: list[TalkLine] = []

    result = await talk(
        [DATA / "austen_0880.wav"], out=tmp_path / "kept", speed=SPEED, on_line=lines.append
    )

    turn = result.turns[0]
    assert len(result.turns) == 1
    assert "young man" in turn.user
    assert turn.agent and turn.agent == turn.heard
    assert not turn.interrupted
    assert turn.latency_ms is None and "speed" in (turn.latency_note or "")
    assert (result.complete, result.errors) == (True, [])
    assert result.usage["total_tokens"] > 0
    assert [(line.who, line.text) for line in lines] == [
        ("user", turn.user),
        ("agent", turn.agent),
    ]
    assert lines[0].t_s == pytest.approx(0.25, abs=0.3)  # the voice begins there in the file
    assert lines[1].t_s > 2.8  # and ends there
    recording = rt.load(result.recording)
    assert recording.complete
    assert recording.path.parent == tmp_path / "kept"
    assert recording.conversation.transcript()[-1] == ("assistant", turn.agent)


@pytest.mark.parametrize("silence_ms", [200, 700])
async def test_an_appointment_is_booked(tmp_path: Path, spoken: Speaker, silence_ms: int) -> None:
    """In one turn, or in two where the pause within the sentence ends the first."""
    book = AppointmentBook(tmp_path / "book.sqlite")

    result = await talk(
        [spoken(f"{REQUEST}, my name is Ada Lovelace.")],
        tools=book.tools(),
        out=tmp_path,
        speed=SPEED,
        turn_detection=rt.ServerVAD(silence_duration_ms=silence_ms),
    )

    rows = [(row["patient_name"], row["time"]) for row in book.bookings()]
    assert rows == [("Ada Lovelace", "10:00")]
    calls = [call for turn in result.turns for call in turn.calls]
    assert [call.name for call in calls] == ["book_appointment"]
    assert isinstance(calls[0].arguments, dict) and isinstance(calls[0].output, dict)
    assert calls[0].arguments["patient_name"] == "Ada Lovelace"
    assert calls[0].output["status"] == "booked"
    assert "booked" in (result.turns[-1].heard or "")


async def test_the_agent_asks_for_what_is_missing(tmp_path: Path, spoken: Speaker) -> None:
    book = AppointmentBook(tmp_path / "book.sqlite")
    lines: list[TalkLine] = []

    result = await talk(
        [spoken(f"{REQUEST}."), spoken("My name is Ada Lovelace.")],
        tools=book.tools(),
        out=tmp_path,
        speed=SPEED,
        on_line=lines.append,
    )

    asked, booked = result.turns
    assert "name" in (asked.heard or "") and asked.calls == []
    assert [row["patient_name"] for row in book.bookings()] == ["Ada Lovelace"]
    assert [call.name for call in booked.calls] == ["book_appointment"]
    assert [line.who for line in lines] == ["user", "agent", "user", "tool", "agent"]
    assert "book_appointment(" in lines[3].text and "booked" in lines[3].text


async def test_a_second_file_interrupts_the_answer(tmp_path: Path, spoken: Speaker) -> None:
    interruption = spoken("No, wait, what time is it?")
    trailing = tmp_path / "trailing.wav"  # the answer begins while this file still goes on
    silence: Samples = np.zeros(SAMPLE_RATE, np.float32)
    question, _ = soundfile.read(spoken("Hello, what can you do for me?"), dtype="float32")
    soundfile.write(trailing, np.concatenate([question, silence]), SAMPLE_RATE)

    result = await talk([trailing, interruption], out=tmp_path, speed=2.0, barge_in_s=0.8)

    first, second = result.turns
    assert first.interrupted and len(first.heard or "") < len(first.agent)
    assert second.heard == second.agent and not second.interrupted
    assert result.errors == []
    recording = rt.load(result.recording)
    answer = recording.conversation.items[recording.turns["agent_items"][0][0]]
    words_s = find_speech(interruption)[0].onset_ms / 1000
    assert answer.played_s is not None
    # A chunk of the microphone is 40 ms, a frame of the detector 32.
    onset_s = recording.speech["onset_s"][1]
    assert answer.played_s + 0.8 + words_s == pytest.approx(onset_s, abs=0.15)


async def test_how_far_a_function_is_is_told_while_it_runs(tmp_path: Path) -> None:
    async def search(word: str) -> AsyncIterator[str]:
        """Searches."""
        for page in ("page 1", "page 2\x1b[2J", "page 3"):
            yield page
            await asyncio.sleep(0.3)

    soundfile.write(tmp_path / "voice.wav", samples_from_pcm(tone(600)), SAMPLE_RATE)
    words: list[TalkLine] = []
    lines: list[TalkLine] = []
    answers: list[Reply] = [Call("search", '{"word": "tea"}'), "Found."]
    async with MemoryServer(ScriptedLLM(answers)) as server:
        await talk(
            [tmp_path / "voice.wav"],
            out=tmp_path / "kept",
            tools=[search],
            transport=server.transport,
            on_words=words.append,
            on_line=lines.append,
        )

    told = [line.text for line in words if line.who == "tool"]
    called = 'search(word="tea")'
    assert told == [f"{called} … {page}" for page in ("page 1", "page 2\x1b[2J", "page 3")]
    assert [line.text for line in lines if line.who == "tool"] == [f"{called} → page 3"]
    shown = io.StringIO()
    for line in words:
        LiveLines(shown).grow(line)
    assert shown.getvalue() == ""  # a file has whole lines alone


async def test_push_to_talk_and_headerless_audio(tmp_path: Path) -> None:
    result = await talk(
        [DATA / "goforward.raw", DATA / "cards_001.wav"],
        out=tmp_path,
        speed=SPEED,
        raw_sample_rate=16_000,
        turn_detection=None,
    )

    assert ["forward" in result.turns[0].user, "clubs" in result.turns[1].user] == [True, True]
    assert all(turn.heard for turn in result.turns)
    assert result.complete


async def test_a_file_with_two_channels_says_which_was_spoken(tmp_path: Path) -> None:
    user, rate = soundfile.read(DATA / "cards_001.wav", dtype="float32")
    soundfile.write(tmp_path / "call.wav", np.column_stack([user, -0.5 * user[::-1]]), rate)
    lines: list[TalkLine] = []

    result = await talk(
        [tmp_path / "call.wav"], out=tmp_path / "kept", speed=SPEED, on_line=lines.append
    )

    (note,) = result.notes
    assert "call.wav: Its 2 channels differ: channel 0 (left) was taken" in note
    assert (lines[0].who, lines[0].text) == ("note", note)
    assert "clubs" in result.turns[0].user
    assert result.to_dict()["notes"] == [note]

    asked = await talk([tmp_path / "call.wav"], out=tmp_path / "kept", speed=SPEED, channel="left")
    assert asked.notes == []


async def test_a_file_without_speech_is_told(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    soundfile.write(silence, np.zeros(SAMPLE_RATE), SAMPLE_RATE)

    result = await talk([silence], out=tmp_path / "kept", speed=SPEED)

    assert result.turns == []
    assert not result.complete
    assert result.errors == [f"No speech was heard in {silence}."]
    assert result.to_dict()["errors"] == result.errors


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"audio": [DATA / "cards_001.wav", "nothing.wav"]}, AudioError),
        ({"audio": []}, ConfigurationError),
        ({"barge_in_s": -0.1}, ConfigurationError),
        ({"barge_in_s": float("nan")}, ConfigurationError),
        ({"speed": 0}, ConfigurationError),
        ({"speed": float("inf")}, ConfigurationError),
        ({"speed": 2, "endpoint": "ws://127.0.0.1:1/v1/realtime"}, ConfigurationError),
        ({"turn_detection": {"type": "server_vad", "threshold": 7}}, ConfigurationError),
        ({"out": DATA / "cards_001.wav"}, ConfigurationError),
        ({"wobble": 1}, ConfigurationError),
    ],
)
async def test_nothing_is_begun_that_cant_be_meant(
    tmp_path: Path, arguments: dict[str, object], error: type[RealtimeError]
) -> None:
    options: dict[str, object] = {
        "audio": [DATA / "cards_001.wav"],
        "out": tmp_path / "kept",
        **arguments,
    }
    with pytest.raises(error):
        await talk(**options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


async def test_a_server_that_goes_away_leaves_an_incomplete_recording(tmp_path: Path) -> None:
    heard = asyncio.Event()

    async with rt.serve() as server:
        talking = asyncio.create_task(
            talk(
                [DATA / "cards_001.wav"],
                server.url,
                api_key=server.token,
                out=tmp_path,
                timeout_s=3.0,
                on_line=lambda line: heard.set(),
            )
        )
        await heard.wait()
    with pytest.raises(SessionClosedError, match="not regained in time") as caught:
        await talking

    (recording,) = tmp_path.iterdir()
    assert caught.value.__notes__ == [f"The recording {recording} is marked as incomplete."]
    assert not rt.load(recording).complete
    assert "clubs" in rt.load(recording).transcript()


async def test_a_cancelled_conversation_leaves_an_incomplete_recording(tmp_path: Path) -> None:
    heard = asyncio.Event()
    talking = asyncio.create_task(
        talk([DATA / "cards_001.wav"], out=tmp_path, speed=SPEED, on_line=lambda line: heard.set())
    )
    await heard.wait()
    talking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await talking

    (recording,) = tmp_path.iterdir()
    assert not rt.load(recording).complete


async def test_a_listener_that_fails_is_not_hidden(tmp_path: Path) -> None:
    def fail(line: TalkLine) -> None:
        raise ZeroDivisionError(line.text)

    with pytest.raises(ZeroDivisionError, match="clubs"):
        await talk([DATA / "cards_001.wav"], out=tmp_path, speed=SPEED, on_line=fail)
