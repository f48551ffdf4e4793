"""A conversation without a screen: audio files speak, the agent answers, everything is recorded.

::

    result = await talk(["hello.wav", "thanks.wav"], tools=book.tools(), out="recordings")
    result.turns[0].agent

``realtime-nb talk`` is this with a command line around it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from realtime_nb.analysis.columns.frames import records
from realtime_nb.analysis.connection_gaps import gap_words
from realtime_nb.analysis.function_calls import decoded
from realtime_nb.analysis.headline import Headline, headline
from realtime_nb.analysis.table_cells import or_nan
from realtime_nb.analysis.user_turns import UserTurn, find_user_turns
from realtime_nb.audio.files import read_audio
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.errors import ConfigurationError, RealtimeError, SessionClosedError
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.connections import ConnectionReport
from realtime_nb.protocol.conversation import Conversation
from realtime_nb.protocol.plain_json import json_text
from realtime_nb.protocol.records import FunctionCall, PlaybackReport, Speech, ToolReport
from realtime_nb.protocol.wire import WireEvent
from realtime_nb.protocol.words import counted, shortened
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.session.connect import connect
from realtime_nb.session.endpoints import Endpoint, RunningServer
from realtime_nb.session.readers import Received
from realtime_nb.session.session import Session
from realtime_nb.tools import ToolSource

__all__ = [
    "TalkCall",
    "TalkLine",
    "TalkResult",
    "TalkTurn",
    "heard_items",
    "talk",
    "until_heard_for",
]

TRANSCRIPT_TIMEOUT_S = 10.0
_POLL_S = 0.02
_OUTPUT_CHARS = 200
_TRANSCRIBED = ("completed", "failed")


@dataclass(frozen=True, slots=True)
class TalkLine:
    """A line of the live transcript.

    Attributes:
        t_s: when it began, in seconds since the session did: the first sound of the user or of the
            agent; where nothing was heard yet, now.
        who: ``user``, ``agent``, ``tool``, ``note`` or ``error``.
    """

    t_s: float
    who: str
    text: str


@dataclass(frozen=True, slots=True)
class TalkCall:
    """A function call; arguments and output are decoded where they are JSON."""

    name: str
    arguments: object
    output: object


@dataclass(frozen=True, slots=True)
class TalkTurn:
    """What the user said and what came of it.

    Attributes:
        heard: the part of ``agent`` that was played; None where that is not known.
        latency_ms: from the end of the user's speech to the first sample of the answer that was
            played; None where it is not known, and ``latency_note`` says why.
        interrupted: whether the answer was cut short.
    """

    user: str
    agent: str
    heard: str | None
    latency_ms: float | None
    latency_note: str | None
    interrupted: bool
    calls: list[TalkCall]


@dataclass(frozen=True, slots=True)
class TalkResult:
    """A finished conversation.

    Attributes:
        recording: folder of the recording, for ``rt.load``.
        errors: what the server complained about, and what did not happen that should have.
        usage: token counts of all responses added up.
        latency: the latency that stands for all of them.
        complete: False when a file was not heard or not answered; ``errors`` says which.
        notes: what there was to say of the files, such as which of their channels was spoken.
    """

    recording: Path
    turns: list[TalkTurn]
    errors: list[str]
    usage: dict[str, int]
    latency: Headline
    complete: bool
    notes: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Returns the result as JSON can hold it."""
        return {
            "recording": str(self.recording),
            "turns": [asdict(turn) for turn in self.turns],
            "errors": self.errors,
            "usage": self.usage,
            "latency_ms": None if math.isnan(self.latency.ms) else round(self.latency.ms, 1),
            "latency_average": self.latency.average,
            "notes": self.notes,
        }


@dataclass(slots=True)
class _SpokenFile:
    path: Path
    pcm: bytes = field(repr=False)
    notes: list[str]

    @property
    def duration_s(self) -> float:
        return len(self.pcm) / 2 / SAMPLE_RATE


async def talk(
    audio: Sequence[str | Path],
    endpoint: str | Endpoint | RunningServer = "local",
    *,
    out: str | Path = "recordings",
    tools: ToolSource = (),
    barge_in_s: float | None = None,
    raw_sample_rate: int | None = None,
    channel: int | str | None = None,
    speed: float = 1.0,
    timeout_s: float = 60.0,
    on_line: Callable[[TalkLine], None] | None = None,
    on_words: Callable[[TalkLine], None] | None = None,
    **options: Any,
) -> TalkResult:
    """Speaks files one after the other, each when the answer to the one before was heard.

    Args:
        audio: the files, in the order of speaking; they are read before anything else happens.
        endpoint: as for ``rt.connect``.
        out: folder that the recording goes into.
        tools: functions that the agent may call.
        barge_in_s: speaks every file after the first this long after the agent's answer began to
            be heard, instead of waiting for its end.
        raw_sample_rate, channel: of the files, as for
            :func:`realtime_nb.audio.files.read_audio`.
        speed: session seconds per wall second, for the local server only. All other times given
            here are of the session.
        timeout_s: how long one answer may take, its being heard and its function calls included.
        on_line: takes each line of the transcript when it is known.
        on_words: takes what is known of a line each time that words of it have come, or a function
            told how far it is.
        options: what else ``rt.connect`` takes: ``model``, ``api_key``, ``instructions``,
            ``voice``, ``turn_detection`` (None: push-to-talk)…

    Raises:
        AudioError: a file is missing, empty or not audio; nothing was started.
        ConfigurationError: an option that can't be meant; nothing was started.
        RealtimeError: the session could not be opened, or ended before the conversation did. A
            note at the error names the recording, which is then marked as incomplete.
    """
    if not audio:
        raise ConfigurationError("There is nothing to say: name at least one audio file.")
    if barge_in_s is not None and not 0 <= barge_in_s < math.inf:
        raise ConfigurationError(f"barge-in is {barge_in_s}; give seconds, 0 or more.")
    if Path(out).exists() and not Path(out).is_dir():
        raise ConfigurationError(f"{out} is a file; name a folder for the recordings.")
    clips = await asyncio.to_thread(_read, audio, raw_sample_rate, channel)
    notes = [note for clip in clips for note in clip.notes]
    connection = connect(endpoint, tools=tools, record=out, speed=speed, **options)
    async with connection as session:
        assert session.recording is not None
        for note in notes:
            (on_line or _nobody_listens)(TalkLine(session.clock(), "note", note))
        listeners = on_line or _nobody_listens, on_words or _nobody_listens
        session.observe(_Progress(session, listeners[1]))
        listener = asyncio.create_task(_tell(session, *listeners))
        try:
            problems = await _converse(session, clips, barge_in_s, timeout_s)
            await session.close()
            await listener
        except RealtimeError as error:
            error.add_note(f"The recording {session.recording} is marked as incomplete.")
            raise
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)
    return await asyncio.to_thread(_result, load(session.recording), problems, notes)


def _read(
    audio: Sequence[str | Path], raw_sample_rate: int | None, channel: int | str | None
) -> list[_SpokenFile]:
    return [_spoken_file(Path(path), raw_sample_rate, channel) for path in audio]


def _spoken_file(path: Path, raw_sample_rate: int | None, channel: int | str | None) -> _SpokenFile:
    audio = read_audio(path, SAMPLE_RATE, raw_sample_rate=raw_sample_rate, channel=channel)
    notes = [f"{path.name}: {note}" for note in audio.notes]
    return _SpokenFile(path, pcm_from_samples(audio.samples), notes)


async def _converse(
    session: Session, clips: Sequence[_SpokenFile], barge_in_s: float | None, timeout_s: float
) -> list[str]:
    """Speaks the clips; returns what did not happen that should have."""
    problems: list[str] = []
    speaking: list[asyncio.Task[None]] = []
    try:
        for number, clip in enumerate(clips, start=1):
            turns, answers = _turns_taken(session), len(session.conversation.responses)
            heard_before = heard_items(session)
            speech = asyncio.create_task(session.speak(clip.pcm))
            speaking.append(speech)
            if barge_in_s is not None and number < len(clips):
                # The answer may begin while the file still goes on, with silence at its end.
                answered = await until_heard_for(
                    session, heard_before, barge_in_s, timeout_s + clip.duration_s, speech
                )
            else:
                await speech
                answered = await session.settled(timeout_s)
            if session.reconnecting:
                raise SessionClosedError(
                    "The connection was lost and was not regained in time. Is the server there?",
                    1006,
                )
            if _turns_taken(session) == turns:
                problems.append(f"No speech was heard in {clip.path}.")
            elif len(session.conversation.responses) == answers:
                problems.append(f"There was no answer to {clip.path}.")
            elif not answered:
                problems.append(f"The answer to {clip.path} was not over after {timeout_s:g} s.")
        await asyncio.gather(*speaking)
    finally:
        for task in speaking:
            task.cancel()
        await asyncio.gather(*speaking, return_exceptions=True)
    if not await _transcribed(session):
        problems.append(f"A transcript did not come within {TRANSCRIPT_TIMEOUT_S:g} s.")
    return problems + _failed_responses(session)


def _turns_taken(session: Session) -> int:
    return sum(item.committed_s is not None for item in session.conversation.items.values())


def heard_items(session: Session) -> set[str]:
    """Returns the agent's messages that were heard, if only in part."""
    items = session.conversation.items.values()
    return {item.id for item in items if item.played_s is not None}


async def until_heard_for(
    session: Session,
    heard_before: set[str],
    duration_s: float,
    timeout_s: float,
    speech: asyncio.Task[None] | None = None,
) -> bool:
    """Waits until a new answer began to be heard that long ago.

    Args:
        heard_before: what :func:`heard_items` said earlier; the answer is none of these. Nor is
            it one that was interrupted meanwhile, as when a file goes on after a pause.
        duration_s: in session time, as ``timeout_s``.
        speech: what is to be answered, while it goes on.

    Returns:
        Whether that was in time; also True when nothing is under way that could be heard.
    """
    end_s = session.clock() + timeout_s
    while session.clock() < end_s:
        new = heard_items(session) - heard_before
        items = (session.conversation.items[item_id] for item_id in new)
        began_s = min((i.played_s for i in items if i.played_s and not i.cut_short), default=None)
        if began_s is not None:
            if session.clock() >= began_s + duration_s:
                return True
        elif (speech is None or speech.done()) and await session.settled(timeout_s=0):
            return True
        await asyncio.sleep(_POLL_S / session.pace)
    return False


async def _transcribed(session: Session) -> bool:
    """Waits for the transcripts that are still to come; some servers answer before they write."""
    audio_input = (session.conversation.session.get("audio") or {}).get("input") or {}
    if not audio_input.get("transcription"):
        return True

    def awaited() -> bool:
        items = session.conversation.items.values()
        return any(i.committed_s is not None and i.transcript not in _TRANSCRIBED for i in items)

    end_s = session.clock() + TRANSCRIPT_TIMEOUT_S * session.pace
    while awaited():
        left_s = (end_s - session.clock()) / session.pace
        try:
            await session.wait_for(lambda event: not awaited(), max(0.0, left_s))
        except TimeoutError:
            return False
    return True


def _failed_responses(session: Session) -> list[str]:
    return [
        f"A response failed: {(response.error or {}).get('message', 'the server gave no reason')}"
        for response in session.conversation.responses.values()
        if response.status == "failed"
    ]


# --- telling ---


class _Progress:
    """Tells how far functions are; an observer of their session."""

    def __init__(self, session: Session, on_words: Callable[[TalkLine], None]) -> None:
        self._session = session
        self._on_words = on_words

    def event(self, event: WireEvent) -> None:
        """Takes nothing of it: the session's reader tells."""

    def playback(self, report: PlaybackReport) -> None:
        """Takes nothing of it."""

    def tool(self, report: ToolReport) -> None:
        """Takes how far a function is."""
        call = self._session.conversation.calls.get(report.call_id)
        if report.kind == "progress" and call is not None and report.progress:
            line = f"{_called(call)} … {shortened(report.progress, _OUTPUT_CHARS)}"
            self._on_words(TalkLine(report.t_s, "tool", line))


def _nobody_listens(line: TalkLine) -> None:
    pass


async def _tell(
    session: Session, on_line: Callable[[TalkLine], None], on_words: Callable[[TalkLine], None]
) -> None:
    """Hands over the lines of the transcript as they become known; ends with the session."""
    async for event in session:
        told, words = _line(session, event), _words(session, event)
        if told is not None:
            on_line(TalkLine(_began_s(session, event), *told))
        elif words is not None:
            on_words(TalkLine(_began_s(session, event), *words))


def _began_s(session: Session, event: Received) -> float:
    """Returns when what a line tells began."""
    conversation = session.conversation
    match event:
        case (
            ev.TranscriptionDelta(item_id=item_id)
            | ev.TranscriptionCompleted(item_id=item_id)
            | ev.TranscriptionFailed(item_id=item_id)
        ):
            heard = next((one for one in conversation.speech if one.item_id == item_id), None)
            began_s = math.nan if heard is None else _onset_s(session, heard)
        case (
            ev.OutputAudioTranscriptDelta(item_id=item_id)
            | ev.OutputAudioTranscriptDone(item_id=item_id)
        ):
            item = conversation.items.get(item_id)
            began_s = math.nan if item is None else or_nan(item.played_s)
        case _:
            began_s = math.nan
    return session.clock() if math.isnan(began_s) else began_s


def _onset_s(session: Session, heard: Speech) -> float:
    """Returns when a stretch of speech began; its padding did, where that was cut off."""
    onset_ms = heard.audio_start_ms if heard.onset_ms is None else heard.onset_ms
    return session.conversation.audio.clock.onset(onset_ms)


def _line(session: Session, event: Received) -> tuple[str, str] | None:
    """Returns who says what with this event."""
    conversation = session.conversation
    match event:
        case ev.TranscriptionCompleted(transcript=text):
            return "user", text.strip() or "(no words)"
        case ev.TranscriptionFailed():
            return "user", "(could not be transcribed)"
        case ev.OutputAudioTranscriptDone(transcript=text) | ev.OutputTextDone(text=text):
            return ("agent", text.strip()) if text.strip() else None
        case ev.ItemTruncated(item_id=item_id, audio_end_ms=heard_ms):
            item = conversation.items.get(item_id)
            heard = f", heard: {item.heard_text}" if item is not None and item.heard_text else ""
            return "note", f"interrupted after {heard_ms / 1000:.1f} s{heard}"
        case ev.ItemDeleted():
            return "note", "interrupted before anything was heard"
        case ev.ItemAdded(item={"type": "function_call_output", "call_id": call_id}):
            call = conversation.calls.get(call_id)
            return ("tool", _call_line(call)) if call else None
        case ev.ErrorEvent():
            return "error", event.message
        case ConnectionReport():
            words = _connection_words(conversation, event)
            return None if words is None else ("note", words)
        case _:
            return None


def _words(session: Session, event: Received) -> tuple[str, str] | None:
    """Returns who goes on to say something with this event, and all of it so far."""
    match event:
        case ev.TranscriptionDelta(item_id=item_id):
            who = "user"
        case ev.OutputAudioTranscriptDelta(item_id=item_id) | ev.OutputTextDelta(item_id=item_id):
            who = "agent"
        case _:
            return None
    item = session.conversation.items.get(item_id)
    return (who, item.text.strip()) if item is not None and item.text.strip() else None


def _connection_words(conversation: Conversation, report: ConnectionReport) -> str | None:
    """Returns what there is to say of the connection; nothing where the next line says it."""
    gaps = conversation.reconnections
    match report.kind:
        case "lost" | "ended":
            code = "" if report.code is None else f" ({report.code})"
            return f"connection lost{code}: {report.reason.rstrip('.') or 'no reason given'}"
        case "retrying":
            return f"attempt {report.attempt} to come back, in {report.wait_s:.1f} s"
        case "reconnected" if gaps:
            told = counted(len(gaps[-1].restored), "item")
            return f"back again, {told} restored ({gap_words(conversation, gaps[-1])})"
        case "given_up":
            return f"given up: {report.reason.rstrip('.')}"
    return None


def _call_line(call: FunctionCall) -> str:
    """Returns a call as one would write it, and what came of it."""
    output = "no output" if call.output is None else _plain(decoded(call.output), ": ")
    return f"{_called(call)} → {shortened(output, _OUTPUT_CHARS)}"


def _called(call: FunctionCall) -> str:
    return f"{call.name}({_plain(decoded(call.arguments), '=')})"


def _plain(value: object, between: str) -> str:
    """Returns the names and values of an object without its braces; anything else as JSON, and
    text as it is."""
    if isinstance(value, dict):
        return ", ".join(f"{name}{between}{json_text(one)}" for name, one in value.items())
    return value if isinstance(value, str) else json_text(value)


# --- the result ---


def _result(recording: Recording, problems: list[str], notes: list[str]) -> TalkResult:
    conversation = recording.conversation
    rows = records(recording.turns)
    return TalkResult(
        recording.path,
        [_turn(row, turn) for row, turn in zip(rows, find_user_turns(conversation), strict=True)],
        [error.message for error in conversation.refused] + problems,
        conversation.usage,
        headline(recording.latency),
        complete=not problems,
        notes=notes,
    )


def _turn(row: dict[str, Any], turn: UserTurn) -> TalkTurn:
    latency_ms = row["latency_ms"]
    return TalkTurn(
        user=row["user_text"],
        agent=row["agent_text"],
        heard=row["heard_text"],
        latency_ms=None if math.isnan(latency_ms) else round(latency_ms, 1),
        latency_note=row["latency_note"],
        interrupted=row["interrupted"],
        calls=[
            TalkCall(call.name, decoded(call.arguments), call.output and decoded(call.output))
            for call in turn.calls
        ],
    )
