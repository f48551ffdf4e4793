from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile

import realtime_nb as rt
from realtime_nb.agent.views import AgentViews, settings_in_force, settings_shown
from realtime_nb.analysis.turn_moments import LATENCY_PARTS
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples, samples_from_pcm
from realtime_nb.audio.speech_ends import SpeechListener
from realtime_nb.local.llm import Call, Reply, ScriptedLLM
from realtime_nb.protocol.conversation import Conversation, PlaybackReport
from realtime_nb.protocol.events import parse_client, parse_server
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.session.driver import Driver
from realtime_nb.session.observers import show_problem
from realtime_nb.testing import FakeSTT, MemoryServer, silence, tone
from tests.agent import agents
from tests.paths import DATA
from tests.virtual import virtual

fake_comms = agents.fake_comms


class Speaker:
    playing = False


class Session:
    """A session that says what it is told to."""

    def __init__(self) -> None:
        self.conversation = Conversation()
        self.speaker = Speaker()
        self.user_speaking = self.busy = self.closed = self.reconnecting = False
        self.observers: list[Any] = []

    def observe(self, observer: Any) -> None:
        self.observers.append(observer)

    def shows(self, what: str, *facts: Any) -> None:
        for observer in self.observers:
            getattr(observer, what)(*facts)


class Shown:
    """Views of a session."""

    def __init__(self) -> None:
        self.views = AgentViews(lambda name, value: None)
        self.views.panel.set(connected=True)
        self.session = Session()
        self.views.follow(self.session)  # type: ignore[arg-type]

    def received(self, t_s: float, type: str, **fields: Any) -> str:
        raw = {"type": type, "event_id": "e", **fields}
        event = parse_server(raw)
        self.session.conversation.apply(event, t_s)
        self.session.shows("event", WireEvent("received", raw, t_s))
        return str(self.views.panel.state)

    def heard(self, t_s: float, pcm: bytes, captured_s: float | None = None) -> None:
        raw = {"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()}
        self.session.conversation.apply(parse_client(raw), t_s, captured_s)
        self.session.shows("event", WireEvent("sent", raw, t_s, pcm, captured_s))

    def answered(self, t_s: float, response_id: str = "r") -> int | None:
        """The first sound of an answer, after which the panel shows this."""
        response = {"id": response_id, "conversation_id": "c", "status": "in_progress"}
        self.received(t_s, "response.created", response=response)
        self.sounds(t_s, f"{response_id} item", response_id)
        return self.latency_ms

    def sounds(self, t_s: float, item_id: str, response_id: str = "r") -> None:
        item = {"id": item_id, "type": "message", "role": "assistant"}
        self.received(t_s, "response.output_item.added", item=item, response_id=response_id)
        report = PlaybackReport(item_id, 0.0, "started", t_s)
        self.session.conversation.apply_playback(report)
        self.session.shows("playback", report)

    @property
    def latency_ms(self) -> int | None:
        latency_ms: int | None = self.views.panel.latency_ms
        return latency_ms


WORD = pcm_from_samples(load_audio(DATA / "cards_001.wav")) + silence(305)
"""A spoken word in 1.4 s."""


def word_end_ms() -> float:
    """Where in it the voice ends, as `tests/audio/test_speech_ends.py` holds to known audio."""
    listener = SpeechListener()
    listener.push(WORD)
    listener.cut()
    [(_, end_ms)] = listener.spans_ms
    return end_ms


def word(shown: Shown, late_s: float = 0.0) -> None:
    """The word comes in, each piece when its last sample is said, or so much later."""
    for number in range(14):
        said_s = 0.1 * (number + 1)
        piece = WORD[4800 * number : 4800 * (number + 1)]
        shown.heard(said_s + late_s, piece, captured_s=said_s if late_s else None)


@pytest.fixture
def shown() -> Iterator[Shown]:
    made = Shown()
    yield made
    made.views.close()


def stop(shown: Shown, t_s: float) -> str:
    return shown.received(t_s, "input_audio_buffer.speech_stopped", item_id="u", audio_end_ms=1000)


def committed(shown: Shown, t_s: float) -> None:
    shown.received(t_s, "input_audio_buffer.committed", item_id="u", previous_item_id=None)


def start(shown: Shown, t_s: float) -> str:
    return shown.received(t_s, "input_audio_buffer.speech_started", item_id="u", audio_start_ms=200)


def detection(shown: Shown, **settings: Any) -> None:
    fields = {"type": "server_vad", "silence_duration_ms": 200, **settings}
    session = {"type": "realtime", "id": "s", "audio": {"input": {"turn_detection": fields}}}
    shown.received(0.0, "session.created", session=session)


def test_between_a_turn_and_its_response_it_thinks(shown: Shown) -> None:
    detection(shown)
    shown.session.user_speaking = True
    assert start(shown, 1.0) == "hearing"
    shown.session.user_speaking = False
    assert stop(shown, 2.0) == "thinking"
    shown.session.busy = True
    response = {"id": "r", "object": "realtime.response", "status": "in_progress", "output": []}
    assert shown.received(2.1, "response.created", response=response) == "thinking"
    shown.session.speaker.playing = True
    shown.views.playback(PlaybackReport("a", 0.0, "started", 2.2))
    assert shown.views.panel.state == "speaking"
    shown.session.busy = shown.session.speaker.playing = False
    shown.views.playback(PlaybackReport("a", 100.0, "finished", 2.3))
    assert shown.views.panel.state == "listening"


def test_where_turns_are_not_answered_nobody_thinks(shown: Shown) -> None:
    detection(shown, create_response=False)
    start(shown, 1.0)
    assert stop(shown, 2.0) == "listening"


def test_latency_is_from_the_end_of_the_words_to_the_first_sound(shown: Shown) -> None:
    detection(shown)
    word(shown)
    start(shown, 0.5)
    stop(shown, 1.4)
    committed(shown, 1.4)
    expected_ms = round(1500 - word_end_ms())  # audio at x ms was heard at x ms
    assert shown.answered(1.5) == expected_ms
    shown.sounds(9.0, "the same answer goes on")
    assert shown.latency_ms == expected_ms


def test_latency_counts_from_when_the_words_were_captured(shown: Shown) -> None:
    detection(shown)
    word(shown, late_s=0.25)
    start(shown, 0.75)
    stop(shown, 1.65)
    committed(shown, 1.65)
    assert shown.answered(1.75) == round(1750 - word_end_ms())


def test_words_that_were_kept_have_no_latency(shown: Shown) -> None:
    detection(shown)
    for number in range(14):
        shown.heard(1.0 + 0.001 * number, WORD[4800 * number : 4800 * (number + 1)])
    start(shown, 1.1)
    stop(shown, 1.2)
    committed(shown, 1.2)
    assert shown.answered(1.5) is None


def test_a_typed_message_has_no_latency_and_hides_that_of_the_answer_before(shown: Shown) -> None:
    detection(shown)
    word(shown)
    start(shown, 0.5)
    stop(shown, 1.4)
    committed(shown, 1.4)
    assert shown.answered(1.5) is not None
    typed = {"id": "t", "type": "message", "role": "user", "content": [{"type": "input_text"}]}
    shown.received(2.0, "conversation.item.added", item=typed)
    assert shown.answered(2.5, "r2") is None


def test_another_session_begins_anew(shown: Shown) -> None:
    shown.heard(5.0, silence(100))
    other = Session()
    shown.views.follow(other)  # type: ignore[arg-type]
    assert len(shown.views.events) == 0
    assert shown.views in other.observers


def test_the_chip_of_an_answer_says_what_the_panel_says(shown: Shown) -> None:
    detection(shown)
    word(shown)
    start(shown, 0.5)
    stop(shown, 1.4)
    committed(shown, 1.4)
    said = {"id": "u", "type": "message", "role": "user", "content": [{"type": "input_audio"}]}
    shown.received(1.4, "conversation.item.added", item=said)
    answer = {"id": "r item", "type": "message", "role": "assistant"}
    shown.received(1.45, "conversation.item.added", item=answer)
    latency_ms = shown.answered(1.5)
    [(message, _)] = shown.views.transcript._changes(afresh=True)
    assert [row["kind"] for row in message["changed"]][-2:] == ["latency", "agent"]
    assert round(message["changed"][-2]["duration_ms"]) == latency_ms


def test_the_tab_of_tools_counts_the_calls_of_this_session(shown: Shown) -> None:
    call = {"id": "i", "type": "function_call", "name": "book", "call_id": "c", "arguments": "{}"}
    shown.received(1.0, "response.output_item.done", item=call, response_id="r")
    assert shown.views.panel.call_count == 1
    assert shown.views.calls.summary() == "Call inspector: 1 function call: 1 running"
    shown.session.closed = True
    shown.views.session_over(None, None)
    assert shown.views.calls.summary() == "Call inspector: 1 function call: 1 orphan"
    shown.views.follow(Session())  # type: ignore[arg-type]
    assert shown.views.panel.call_count == 0
    assert shown.views.calls.summary() == "Call inspector: no function calls"


def test_what_opens_a_session_is_shown_and_changes_no_state(shown: Shown) -> None:
    shown.views.panel.set(connected=False, state="connecting")
    shown.received(0.1, "session.created", session={})
    assert (len(shown.views.events), shown.views.panel.state) == (1, "connecting")


def test_a_closed_session_changes_no_state(shown: Shown) -> None:
    shown.session.closed = shown.session.user_speaking = True
    assert shown.received(1.0, "rate_limits.updated", rate_limits=[]) == "disconnected"


def test_another_session_begins_anew_in_the_timeline(shown: Shown) -> None:
    shown.heard(5.0, silence(100))
    shown.views.follow(Session())  # type: ignore[arg-type]
    assert shown.views.timeline.summary() == "Timeline: nothing yet"


def test_settings_in_force_are_those_of_the_fold() -> None:
    conversation = Conversation(session={"instructions": "Be brief."})
    shown = settings_in_force(conversation)
    assert (shown["instructions"], shown["turn_detection"]) == ("Be brief.", None)


def test_settings_are_found_where_the_protocol_has_them() -> None:
    session = {
        "instructions": "Be brief.",
        "audio": {"input": {"turn_detection": None}, "output": {"voice": "sage"}},
    }
    to_be = {"open": False, "confirmed_s": None}
    assert settings_shown(session) == {
        "instructions": "Be brief.",
        "voice": "sage",
        "turn_detection": None,
        "code": "push_to_talk=True",
        **to_be,
    }
    empty = {"instructions": "", "voice": "", "turn_detection": {}, "code": "rt.ServerVAD()"}
    assert settings_shown({}) == empty | to_be


# --- what the panel showed is what the recording says ---

LATE_S = 0.08
"""How long the device of these tests has had a sample when it hands it over."""


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Driver.append

    async def appended(driver: Driver, pcm: bytes, captured_s: float | None) -> None:
        await append(driver, pcm, max(0.0, driver.clock() - LATE_S))

    monkeypatch.setattr(Driver, "append", appended)


class Watched(AgentViews):
    """Remembers all that the panel showed from the first sound of an item to that of the next."""

    def __init__(self) -> None:
        super().__init__(lambda name, value: None)
        self.shown: dict[str, set[int | None]] = {}
        self.sounds = asyncio.Event()
        self._sounding: set[int | None] = set()

    def playback(self, report: PlaybackReport) -> None:
        super().playback(report)
        if report.kind == "started":
            self._sounding = self.shown[report.item_id] = {self.panel.latency_ms}
            self.sounds.set()

    def event(self, event: WireEvent) -> None:
        super().event(event)
        self._sounding.add(self.panel.latency_ms)

    def by_turn(self, rec: rt.Recording) -> list[float]:
        """What was shown of each turn's answer, which is one figure, or NaN for none."""
        found = []
        for items in rec.turns.agent_items:
            shown = {value for item_id in items for value in self.shown.get(item_id, ())} - {None}
            found.append(math.nan if not shown else float(*shown))  # type: ignore[arg-type]
        return found


class Talk:
    """A session with real turns in it, its panel, and its recording afterwards."""

    def __init__(self, session: rt.Session, views: Watched, voice: Path) -> None:
        self.session, self.views, self.voice = session, views, voice

    async def speak(self) -> None:
        await self.session.play(self.voice)

    def recorded(self) -> rt.Recording:
        assert self.session.recording is not None
        return rt.load(self.session.recording)


@asynccontextmanager
async def talk(
    voice: Path, folder: Path, *replies: Reply, words: str = "hello", **options: Any
) -> AsyncIterator[Talk]:
    views = Watched()
    try:
        async with (
            MemoryServer(ScriptedLLM(replies), stt=FakeSTT(words)) as server,
            rt.connect(transport=server.transport, record=folder, **options) as session,
        ):
            views.follow(session)
            yield Talk(session, views, voice)
            assert await session.settled()
    finally:
        views.close()


def sentence(folder: Path) -> Path:
    """What every detector hears as a voice, and half a second of silence after it."""
    path = folder / "sentence.wav"
    pcm = load_audio(DATA / "austen_0880.wav")
    soundfile.write(path, [*pcm, *samples_from_pcm(silence(500))], 24_000, subtype="PCM_16")
    return path


def agree(talked: Talk, answered: int, turns: int | None = None) -> None:
    """The panel showed what ``rec.latency`` says, to the ms, of that many answered turns."""
    rec = talked.recorded()
    table = rec.latency
    assert len(table) == (answered if turns is None else turns)
    assert int(table.latency_ms.notna().sum()) == answered
    # Half a ms of rounding, and the microseconds that a recording does not keep.
    assert talked.views.by_turn(rec) == pytest.approx(
        table.latency_ms.tolist(), abs=0.505, nan_ok=True
    )
    assert (table.uplink_ms.dropna() >= 1000 * LATE_S - 1).all()
    rows_agree(talked.views.timing, table)


def rows_agree(timing: rt.Timing, table: pd.DataFrame) -> None:
    """The Timing tab has the rows of ``rec.latency``, and a reason for whatever is missing."""
    [(message, _)] = timing._changes(afresh=True)
    assert [row["turn"] for row in message["rows"]] == table.turn.tolist()
    for row, (_, recorded) in zip(message["rows"], table.iterrows(), strict=True):
        figures = [row["latency_ms"], *row["parts_ms"]]
        found = [math.nan if ms is None else ms for ms in figures]
        wanted = recorded[["latency_ms", *LATENCY_PARTS]].tolist()
        assert found == pytest.approx(wanted, abs=0.005, nan_ok=True)
        assert row["note"] == ("" if pd.isna(recorded.latency_note) else recorded.latency_note)
        assert (row["calls"], row["interrupted"]) == (recorded.had_calls, recorded.interrupted)
        assert not row["awaited"]
        assert all(
            said for ms, said in zip(row["parts_ms"], row["said"], strict=True) if ms is None
        )


@virtual
async def test_the_panel_and_the_recording_agree_on_turns(late: None, tmp_path: Path) -> None:
    async with talk(sentence(tmp_path), tmp_path, "Hello.", "Well.") as talked:
        for _ in range(2):
            await talked.speak()
            assert await talked.session.settled()
    agree(talked, 2)


@pytest.mark.parametrize(
    "detection",
    [
        pytest.param(None, id="a key held to talk"),
        pytest.param(rt.SemanticVAD(eagerness="high"), id="semantic_vad"),
    ],
)
@virtual
async def test_they_agree_where_the_server_does_not_say_when_speech_ended(
    late: None, tmp_path: Path, detection: rt.SemanticVAD | None
) -> None:
    voice = sentence(tmp_path)
    async with talk(voice, tmp_path, "Hello.", "Well.", turn_detection=detection) as talked:
        for _ in range(2):
            await talked.speak()
            assert await talked.session.settled()
    agree(talked, 2)
    assert talked.recorded().latency.speech_end_source.tolist() == ["offline_vad"] * 2


@virtual
async def test_a_key_let_go_within_the_last_word_counts_from_there(
    late: None, tmp_path: Path
) -> None:
    voice = tmp_path / "cut.wav"
    soundfile.write(voice, load_audio(DATA / "austen_0880.wav")[: 24 * 1500], 24_000)
    async with talk(voice, tmp_path, "Hello.", turn_detection=None) as talked:
        await talked.speak()
        assert await talked.session.settled()
    agree(talked, 1)


@virtual
async def test_they_agree_when_the_agent_is_interrupted(late: None, tmp_path: Path) -> None:
    long = " ".join(["word"] * 20)
    async with talk(sentence(tmp_path), tmp_path, long, "Well.") as talked:
        await talked.speak()
        await talked.views.sounds.wait()
        await talked.speak()
    assert talked.recorded().turns.interrupted.tolist() == [True, False]
    agree(talked, 2)


@virtual
async def test_they_agree_when_functions_are_called(late: None, tmp_path: Path) -> None:
    async def add(a: int, b: int) -> int:
        """Adds."""
        await asyncio.sleep(0.4)
        return a + b

    calling: Reply = ["One moment.", Call("add", '{"a": 2, "b": 3}')]
    silent = Call("add", '{"a": 1, "b": 1}')
    replies = (calling, "It is five.", silent, "It is two.")
    async with talk(sentence(tmp_path), tmp_path, *replies, tools=[add]) as talked:
        for _ in range(2):
            await talked.speak()
            assert await talked.session.settled()
    agree(talked, 2)
    assert len(talked.views.shown) == 3  # the last call was answered without a word before it


@virtual
async def test_they_agree_on_noise_typing_and_answers_that_nobody_asked_for(
    late: None, tmp_path: Path
) -> None:
    noise = tmp_path / "noise.wav"
    soundfile.write(noise, samples_from_pcm(silence(200) + tone(150)), 24_000, subtype="PCM_16")
    detection = rt.ServerVAD(create_response=False)
    async with talk(noise, tmp_path, words="", turn_detection=detection) as talked:
        session = talked.session
        await talked.speak()  # and nobody answers
        await session.say("Are you there?")
        assert await session.settled()
        await session.play(sentence(tmp_path))
        await asyncio.sleep(2)
        await session.create_response()  # long after it
        assert await session.settled()
        await session.create_response()  # and once more
    agree(talked, 1, turns=3)
    assert talked.recorded().latency.latency_ms.max() > 2000


@virtual
async def test_they_agree_on_what_came_in_faster_than_life(tmp_path: Path) -> None:
    async with talk(sentence(tmp_path), tmp_path, "Hello.") as talked:
        await talked.session.append(pcm_from_samples(load_audio(talked.voice)))
        await talked.views.sounds.wait()
        await talked.speak()
    rec = talked.recorded()
    assert rec.latency.latency_note.tolist()[0] == "input was not sent in real time"
    assert talked.views.by_turn(rec) == pytest.approx(
        rec.latency.latency_ms.tolist(), abs=0.505, nan_ok=True
    )


def test_there_is_an_answer_to_stop_while_it_is_worked_on_or_heard() -> None:
    shown = Shown()
    seen = []
    for busy, playing in (
        (False, False),
        (True, False),
        (True, True),
        (False, True),
        (False, False),
    ):
        shown.session.busy, shown.session.speaker.playing = busy, playing
        shown.session.user_speaking = playing  # who talks into an answer can stop it as well
        shown.received(1.0, "rate_limits.updated", rate_limits=[])
        seen.append(shown.views.panel.answering)
    assert seen == [False, True, True, True, False]


def test_what_a_person_should_know_stays_until_they_go_on(fake_comms: object) -> None:
    shown = Shown()
    for observer in shown.session.observers:
        show_problem(observer, "More than 15 minutes wait.")
    done = {"id": "r", "conversation_id": "c", "status": "cancelled"}
    shown.received(1.0, "response.done", response=done)  # of the answer that it ended
    assert shown.views.panel.error == "More than 15 minutes wait."
