"""A recorded user against a server once more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.audio.pcm import SAMPLE_RATE, samples_from_pcm
from realtime_nb.commands.talk import talk
from realtime_nb.errors import ConfigurationError, SessionClosedError
from realtime_nb.local.llm import LLM, Call, ScriptedLLM
from realtime_nb.recordings.recording import Recording
from realtime_nb.recordings.replay import replay
from realtime_nb.testing import FakeSTT, MemoryServer, silence, tone
from tests.paths import DATA
from tests.virtual import virtual

LONG_ANSWER = " ".join(["word"] * 20)  # 5 s of humming
SETTINGS = {"instructions": "Be brief.", "voice": "ash", "turn_detection": None}


def look_up(word: str) -> str:
    """Look a word up."""
    return f"{word} is a word"


async def recorded(
    folder: Path, llm: LLM, act: Callable[[rt.Session], Any], **options: Any
) -> Recording:
    async with (
        MemoryServer(llm, stt=FakeSTT("one", "two", "three")) as server,
        rt.connect(transport=server.transport, record=folder, **options) as live,
    ):
        await act(live)
        assert await live.settled()
    assert live.recording is not None
    return rt.load(live.recording)


async def replayed(recording: Recording, llm: LLM, **options: Any) -> Recording:
    options.setdefault("record", recording.path.parent)
    async with MemoryServer(llm, stt=FakeSTT("one", "two", "three")) as server:
        return await replay(recording, transport=server.transport, **options)


def sent(recording: Recording, *names: str) -> list[tuple[float, str]]:
    """When the client sent what."""
    events = recording.events
    chosen = events[(events.direction == "sent") & events.type.isin(names)]
    return [(round(t_s, 2), name) for t_s, name in zip(chosen.t_s, chosen.type, strict=True)]


def turns(recording: Recording) -> list[tuple[float, float | None]]:
    return [(s.audio_start_ms, s.audio_end_ms) for s in recording.conversation.speech]


async def two_turns(live: rt.Session) -> None:
    """The second begins two seconds after the end of the first, over a long answer to it."""
    await asyncio.sleep(0.7)
    await live.speak(tone(800))
    await asyncio.sleep(2.0)
    await live.speak(tone(600))


# --- the user's side ---


@virtual
async def test_the_user_says_the_same_at_the_same_times(tmp_path: Path) -> None:
    llm = [LONG_ANSWER, "Good."]
    recording = await recorded(tmp_path, ScriptedLLM(llm), two_turns, instructions="Be brief.")

    again = await replayed(recording, ScriptedLLM(llm))

    assert again.transcript() == recording.transcript()
    assert "[interrupted" in again.transcript()
    assert turns(again) == turns(recording)
    n = len(recording.input)
    np.testing.assert_array_equal(again.input[:n], recording.input)
    assert not again.input[n:].any()
    first, second = (r.input_clock.stretches()[0][0] for r in (recording, again))
    assert second == pytest.approx(first, abs=0.001)
    assert again.conversation.session["instructions"] == "Be brief."
    assert sent(again, "input_audio_buffer.commit", "response.create") == []


@virtual
async def test_how_it_went_is_in_the_header(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM([]), two_turns)

    again = await replayed(recording, ScriptedLLM([]))

    report = again.header["replay"]
    assert report["of"] == str(recording.path)
    assert report["chunks"] == len(recording.input) / 480
    assert (report["pacing_error_ms_p50"], report["pacing_error_ms_max"]) == (0.0, 0.0)
    assert report["start_offset_ms"] == 0.0
    assert report["notes"] == []
    assert again.complete


@pytest.mark.parametrize(("slow_s", "told"), [(0.022, False), (0.1, True)])
@virtual
async def test_a_machine_that_is_too_slow_is_told(
    slow_s: float, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = await recorded(tmp_path, ScriptedLLM([]), lambda live: live.speak(tone(800)))
    append = rt.Session.append

    async def slowly(session: rt.Session, pcm: bytes, captured_s: float | None = None) -> None:
        await asyncio.sleep(slow_s if captured_s is not None else 0)
        await append(session, pcm, captured_s)

    monkeypatch.setattr(rt.Session, "append", slowly)
    again = await replayed(recording, ScriptedLLM([]))

    report = again.header["replay"]
    late_ms = slow_s * 1000 + (report["chunks"] - 1) * (slow_s * 1000 - 20)  # each adds to it
    assert report["pacing_error_ms_max"] == pytest.approx(late_ms, rel=0.01)
    assert ["too slow for pace=1" in note for note in report["notes"]] == [True] * told


@pytest.mark.parametrize("chunk_ms", [7, 33.3, 100, 1_000])
@virtual
async def test_the_size_of_chunks_changes_nothing(tmp_path: Path, chunk_ms: float) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), two_turns)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]), chunk_ms=chunk_ms)

    assert turns(again) == turns(recording)
    n = len(recording.input)
    np.testing.assert_array_equal(again.input[:n], recording.input)


@virtual
async def test_pauses_without_audio_stay_pauses(tmp_path: Path) -> None:
    async def mute(live: rt.Session) -> None:
        await live.speak(tone(500))
        await live.close_microphone()
        await asyncio.sleep(3.0)
        await live.speak(tone(500))

    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), mute)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]))

    before, after = (r.input_clock.stretches() for r in (recording, again))
    assert [s[1:] for s in after[:1]] == [s[1:] for s in before[:1]]
    assert [s[0] for s in after] == pytest.approx([s[0] for s in before], abs=0.001)
    assert turns(again) == turns(recording)


@virtual
async def test_g711_is_replayed_as_g711(tmp_path: Path) -> None:
    formats = {"input_format": "g711_ulaw", "output_format": "g711_alaw"}
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), two_turns, **formats)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]))

    assert turns(again) == turns(recording)
    assert again.conversation.session["audio"]["input"]["format"] == {"type": "audio/pcmu"}


@virtual
async def test_typed_messages_are_typed_again(tmp_path: Path) -> None:
    async def write(live: rt.Session) -> None:
        await asyncio.sleep(1.0)
        await live.say("Hello")
        await live.settled()
        await live.create_response(instructions="Go on.")

    recording = await recorded(tmp_path, ScriptedLLM(["Hi.", "More."]), write)

    again = await replayed(recording, ScriptedLLM(["Hi.", "More."]))

    names = ("conversation.item.create", "response.create")
    assert sent(again, *names) == sent(recording, *names)
    assert again.transcript() == recording.transcript()
    assert again.header["replay"]["pacing_error_ms_p95"] is None


@virtual
async def test_changed_settings_change_again(tmp_path: Path) -> None:
    async def change(live: rt.Session) -> None:
        await live.say("Hello")
        await live.settled()
        await live.update(instructions="Be rude.", turn_detection=rt.ServerVAD(threshold=0.9))

    recording = await recorded(tmp_path, ScriptedLLM(["Hi."]), change, instructions="Be kind.")

    same = await replayed(recording, ScriptedLLM(["Hi."]))
    other = await replayed(recording, ScriptedLLM(["Hi."]), turn_detection=rt.ServerVAD())

    assert same.conversation.session == {
        **recording.conversation.session,
        **{name: same.conversation.session[name] for name in ("id", "expires_at")},
    }
    assert other.conversation.session["instructions"] == "Be rude."
    assert other.conversation.turn_detection is not None
    assert other.conversation.turn_detection["threshold"] == 0.5


@virtual
async def test_the_user_stops_the_agent_again(tmp_path: Path) -> None:
    async def stop(live: rt.Session) -> None:
        await live.say("Hello")
        await live.wait_for("response.created")
        await asyncio.sleep(1.0)
        await live.interrupt()

    recording = await recorded(tmp_path, ScriptedLLM([LONG_ANSWER]), stop)

    again = await replayed(recording, ScriptedLLM([LONG_ANSWER]))

    answers = [r.conversation.in_order()[-1] for r in (recording, again)]
    assert answers[0].interrupted and answers[1].interrupted
    assert answers[1].truncated_ms == pytest.approx(answers[0].truncated_ms, abs=2)


# --- who ends a turn ---


async def pressed(live: rt.Session) -> None:
    for _ in range(2):
        await asyncio.sleep(0.5)
        await live.speak(tone(800))
        await live.settled()


@virtual
async def test_push_to_talk_is_committed_and_asked_for_again(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), pressed, turn_detection=None)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]))

    names = ("input_audio_buffer.commit", "response.create")
    assert [name for _, name in sent(again, *names)] == [*names, *names]
    assert sent(again, *names) == sent(recording, *names)
    assert again.transcript() == recording.transcript()
    np.testing.assert_array_equal(again.input, recording.input)  # no silence at the end


@virtual
async def test_push_to_talk_with_turn_detection_gets_silence_and_no_commit(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), pressed, turn_detection=None)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]), turn_detection=rt.ServerVAD())

    assert sent(again, "input_audio_buffer.commit", "response.create") == []
    assert [role for role, _ in again.conversation.transcript()] == ["user", "assistant"] * 2
    assert again.conversation.errors == []


@virtual
async def test_hands_free_without_turn_detection_is_committed_where_it_was(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), two_turns)

    again = await replayed(recording, ScriptedLLM(["A.", "B."]), turn_detection=None)

    names = ("input_audio_buffer.commit", "response.create")
    assert [name for _, name in sent(again, *names)] == [*names, *names]
    committed = recording.events[recording.events.type == "input_audio_buffer.committed"].t_s
    commits = [t_s for t_s, name in sent(again, names[0])]
    assert commits == pytest.approx(list(committed), abs=0.02)
    assert again.conversation.errors == []
    assert [role for role, _ in again.conversation.transcript()] == ["user", "assistant"] * 2


@virtual
async def test_turns_that_nobody_answers_by_himself_are_asked_for(tmp_path: Path) -> None:
    async def ask(live: rt.Session) -> None:
        await live.speak(tone(800))
        await live.create_response()
        await live.settled()

    detection = rt.ServerVAD(create_response=False)
    recording = await recorded(tmp_path, ScriptedLLM(["A."]), ask, turn_detection=detection)

    again = await replayed(recording, ScriptedLLM(["A."]))
    by_itself = await replayed(recording, ScriptedLLM(["A."]), turn_detection=rt.ServerVAD())

    for one in (again, by_itself):
        assert one.conversation.transcript() == [("user", "one"), ("assistant", "A.")]
        assert one.conversation.errors == []
    assert len(sent(again, "response.create")) == 1
    assert sent(by_itself, "response.create") == []


@pytest.mark.parametrize(
    "detection", [rt.ServerVAD(silence_duration_ms=900), rt.SemanticVAD(eagerness="low"), None]
)
@virtual
async def test_bare_audio_is_an_utterance(tmp_path: Path, detection: Any) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, samples_from_pcm(silence(300) + tone(800)), SAMPLE_RATE)

    again = await replayed(
        rt.load(path), ScriptedLLM(["A."]), record=tmp_path, turn_detection=detection
    )

    assert again.conversation.transcript() == [("user", "one"), ("assistant", "A.")]
    assert again.conversation.errors == []
    assert len(sent(again, "input_audio_buffer.commit")) == (1 if detection is None else 0)


# --- functions ---


CALL = Call("look_up", '{"word": "vox"}')
OTHER_CALL = Call("look_up", '{"word": "rex"}')


@pytest.fixture
def with_calls(tmp_path: Path) -> Callable[[], Any]:
    async def record() -> Recording:
        async def write(live: rt.Session) -> None:
            await live.say("What is vox?")
            await live.settled()

        return await recorded(tmp_path, ScriptedLLM([CALL, "So."]), write, tools=[look_up])

    return record


def outputs(recording: Recording) -> list[str | None]:
    return [call.output for call in recording.conversation.calls.values()]


@virtual
async def test_calls_are_answered_from_the_recording(with_calls: Callable[[], Any]) -> None:
    recording = await with_calls()

    again = await replayed(recording, ScriptedLLM([CALL, "So."]))

    assert outputs(again) == ["vox is a word"]
    assert again.transcript() == recording.transcript()
    assert len(sent(again, "response.create")) == len(sent(recording, "response.create")) == 2
    calls = {"recorded": 1, "substituted": [], "missing": []}
    assert again.header["replay"]["calls"] == calls
    tools = [r.conversation.session["tools"] for r in (recording, again)]
    assert tools[0] == tools[1]


@virtual
async def test_functions_that_are_given_run(with_calls: Callable[[], Any]) -> None:
    async def look_up(word: str, thoroughly: bool = False) -> str:
        """Look a word up better."""
        return f"{word} is Latin"

    recording = await with_calls()
    live = await replayed(recording, ScriptedLLM([CALL, "So."]), tools=[look_up])
    kept = await replayed(
        recording, ScriptedLLM([CALL, "So."]), tools=[look_up], tool_outputs="recorded"
    )

    assert outputs(live) == ["vox is Latin"]
    assert outputs(kept) == ["vox is a word"]
    (tool,) = kept.conversation.session["tools"]
    assert tool["description"] == "Look a word up better."


@virtual
async def test_a_call_that_was_not_recorded_is_told(with_calls: Callable[[], Any]) -> None:
    recording = await with_calls()

    exact = await replayed(recording, ScriptedLLM([OTHER_CALL, "So."]))
    by_order = await replayed(
        recording, ScriptedLLM([OTHER_CALL, CALL, "So."]), tool_outputs="recorded"
    )

    assert "No output is known" in (outputs(exact)[0] or "")
    named = ['look_up({"word": "rex"})']
    assert exact.header["replay"]["calls"]["missing"] == named
    assert outputs(by_order)[0] == "vox is a word"
    assert by_order.header["replay"]["calls"]["substituted"] == named
    assert "No output is known" in (outputs(by_order)[1] or "")


# --- what goes wrong ---


@virtual
async def test_an_answer_that_takes_too_long_is_noted(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), two_turns)

    again = await replayed(recording, ScriptedLLM([LONG_ANSWER] * 2), timeout_s=1.0)

    assert again.header["replay"]["notes"] == [
        "The last answer was not over 1 s after the user's last word."
    ]


@virtual
async def test_a_server_that_goes_away_ends_the_replay(tmp_path: Path) -> None:
    recording = await recorded(tmp_path, ScriptedLLM(["A.", "B."]), two_turns)

    async with MemoryServer() as server:
        running = asyncio.create_task(
            replay(recording, transport=server.transport, record=tmp_path / "cut")
        )
        await asyncio.sleep(1.5)
        await server.vanish()
        with pytest.raises(SessionClosedError) as caught:
            await running

    (folder,) = (tmp_path / "cut").iterdir()
    assert str(folder) in caught.value.__notes__[0]
    assert not rt.load(folder).complete


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"speed": 2, "endpoint": "ws://127.0.0.1:9/v1/realtime"}, "local server only"),
        ({"chunk_ms": 0}, "chunk_ms"),
        ({"tool_outputs": "none"}, "tool_outputs"),
        ({"wobble": 1}, "wobble"),
    ],
)
async def test_nothing_is_begun_that_cant_be_meant(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await replay(rt.load(DATA / "cards_001.wav"), record=tmp_path / "new", **options)
    assert list(tmp_path.iterdir()) == []


@virtual
async def test_a_user_who_did_nothing_has_nothing_to_repeat(tmp_path: Path) -> None:
    async def nothing(live: rt.Session) -> None:
        pass

    recording = await recorded(tmp_path, ScriptedLLM([]), nothing)

    with pytest.raises(ConfigurationError, match="neither spoke nor wrote"):
        await replay(recording)


# --- with real engines ---


async def test_a_recorded_voice_is_understood_again(tmp_path: Path) -> None:
    clips = [DATA / "cards_001.wav", DATA / "cards_002.wav"]
    recording = rt.load((await talk(clips, out=tmp_path, speed=6.0)).recording)

    again = await replay(recording, record=tmp_path, speed=6.0)

    words = [text for role, text in recording.conversation.transcript() if role == "user"]
    assert len(words) >= 2
    assert [t for role, t in again.conversation.transcript() if role == "user"] == words
    assert turns(again) == turns(recording)


async def test_pacing_is_exact_on_the_real_clock(tmp_path: Path) -> None:
    path = tmp_path / "speech.wav"
    soundfile.write(path, samples_from_pcm(tone(1_500)), SAMPLE_RATE)

    again = await replayed(rt.load(path), ScriptedLLM(["A."]), record=tmp_path)

    report = again.header["replay"]
    assert report["chunks"] == 75
    # Milliseconds on an idle machine; the bound is for a busy one.
    assert 0.0 <= report["pacing_error_ms_p50"] < 20.0
    sent_s = again.events[again.events.type == "input_audio_buffer.append"].t_s.iloc[:75]
    assert sent_s.iloc[-1] - sent_s.iloc[0] == pytest.approx(74 * 0.02, abs=0.1)
