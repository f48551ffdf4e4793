"""Whether a server hears what the emulator of its turn detection does, turn by turn.

::

    await rt.verify(rec, rt.ServerVAD(threshold=0.6))
"""

from __future__ import annotations

import asyncio
import html
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from realtime_nb.analysis.agreement import Agreement, Span, agreement, reported_spans
from realtime_nb.analysis.vad_lab.pause_answers import PauseAnswers
from realtime_nb.analysis.vad_lab.run import Run
from realtime_nb.analysis.vad_lab.track import SpeechTrack, Step
from realtime_nb.audio.frame_detector import FrameDetector
from realtime_nb.audio.long_sound import LongSound
from realtime_nb.audio.pcm import SAMPLE_RATE, pcm_from_samples
from realtime_nb.audio.speech_engines import speech_engine
from realtime_nb.audio.turn_model import SmartTurn, turn_model
from realtime_nb.audio.wire import WireEncoder
from realtime_nb.errors import ConfigurationError, at_call
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import SAMPLES_PER_MS, WireFormat, format_of, session_format
from realtime_nb.protocol.config import merge_session, session_config
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.fields import SemanticVAD, ServerVAD
from realtime_nb.protocol.turn_detection import closing_silence_ms
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.replay import as_recorded
from realtime_nb.recordings.replay_reading import session_options
from realtime_nb.session.connect import connect
from realtime_nb.session.endpoints import Endpoint, RunningServer
from realtime_nb.session.session import Session
from realtime_nb.session.transport import Transport

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Verification", "verify"]

_CHUNK_MS = 100
_MARGIN_MS = 300
_BLOCK_BYTES = 1 << 20
_NO_RESPONSES = {"create_response": False, "interrupt_response": False}
_ENDS_UNKNOWN = (
    "semantic_vad ends turns by what was said, which its settings don't tell: beginnings are "
    "compared, ends are not."
)
_ENDS_JUDGED = (
    "Under semantic_vad, turns end here by the turn model Smart Turn; a local server that has "
    "none goes by the words."
)


@dataclass(frozen=True)
class Verification:
    """What a server and the emulator of its turn detection heard in the same audio.

    Attributes:
        agreement: how far they agree: ``share``, ``percent``, ``start_p50_ms``…
        of: the recording.
        endpoint: the server's address.
        turn_detection: the settings in force, as the server tells them.
        recording: where the session was recorded; None where it was not.
        notes: what to know before trusting it.
    """

    agreement: Agreement = field(repr=False)
    of: str
    endpoint: str
    turn_detection: JsonObject
    recording: Path | None
    notes: tuple[str, ...]

    @property
    def table(self) -> pd.DataFrame:
        """One row per turn that either heard."""
        return self.agreement.table

    @property
    def percent(self) -> float:
        """Turns that agree, of all that either heard, in percent; NaN where there are none."""
        return self.agreement.percent

    def __repr__(self) -> str:
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([self._head(), repr(self.agreement), *notes])

    def _repr_html_(self) -> str:
        head, *notes = (f"<p>{html.escape(text)}</p>" for text in (self._head(), *self.notes))
        return "".join([head, self.agreement._repr_html_(), *notes])

    def _head(self) -> str:
        told = ", ".join(
            f"{name}={value}"
            for name, value in self.turn_detection.items()
            if name not in ("type", "idle_timeout_ms", *_NO_RESPONSES)
        )
        return f"{self.of} at {self.endpoint}: {self.turn_detection['type']}, {told}"


@at_call
async def verify(
    recording: Recording | str | os.PathLike[str],
    config: ServerVAD | SemanticVAD | JsonObject | None = None,
    endpoint: str | Endpoint | RunningServer = "local",
    *,
    record: str | Path | None = None,
    engine: str = "silero",
    input_format: str | JsonObject | None = None,
    tolerance_ms: float = 100.0,
    pace: float | None = None,
    timeout_s: float = 60.0,
    model: str | None = None,
    api_key: str | None = None,
    transport: Transport | None = None,
) -> Verification:
    """Says to a server what the user of a recording said, and compares the turns that it reports
    with those that the emulator finds in the same audio by the same settings.

    Nothing is answered: the server is asked to make no responses, so that on a paid one it costs
    next to nothing. All audio is sent, one piece after the other, with enough silence to end the
    last turn; typed messages, calls and pauses in which nothing was sent are left out. On the local
    server all turns agree, to the millisecond; those of ``semantic_vad``, too, where its turn model
    is installed here.

    Args:
        recording: of a session, or bare audio (``rt.load("x.wav")``); or the path of one.
        config: an ``rt.ServerVAD`` or an ``rt.SemanticVAD``; None: what was in force at the
            recording's end. Of ``semantic_vad`` on other servers than the local one, only
            beginnings can be compared.
        endpoint, model, api_key, transport: as for ``rt.connect``.
        record: folder that a recording of it goes into; None records nothing.
        engine: what the emulator hears with; thresholds mean something else to each.
        input_format: what is sent; None: as in the recording.
        tolerance_ms: how much the start and the end of a turn may differ.
        pace: audio seconds per second; None: to the local server as fast as it listens, to others
            at the pace of life.
        timeout_s: how long the server may take to hear the last of it.

    Returns:
        How far they agree: ``.percent``, ``.agreement``, and ``.table`` with a row per turn.

    Raises:
        ConfigurationError: no audio, no turn detection, or settings that can't be.
        ConnectionFailedError: no session could be opened.
        SessionClosedError: it ended early.
    """
    _check(pace, timeout_s, tolerance_ms)
    speech_engine(engine)  # refused before anything is sent
    if not isinstance(recording, Recording):
        recording = await asyncio.to_thread(load, recording)
    sound = await asyncio.to_thread(recording.sound, "input")
    if not len(sound):
        raise ConfigurationError(
            f"There is no audio of a user in {recording.path}, so nothing can be heard anew."
        )
    recorded = as_recorded(session_options(recording.conversation.session))
    detection, notes = _without_responses(recording, config, recorded)
    options: JsonObject = {"turn_detection": detection, "transcription": None}
    wire = input_format or recorded.get("input_format")
    if wire is not None:
        options["input_format"] = wire
    connection = connect(
        endpoint,
        model=model,
        api_key=api_key,
        record=record,
        reconnect=False,
        transport=transport,
        **options,
    )
    async with connection as session:
        if pace is None:
            pace = math.inf if session.endpoint.kind == "local" else 1.0
        in_force = _in_force(session, detection)
        pieces = _Pieces(sound, closing_silence_ms(in_force) + _MARGIN_MS)
        await _send(session, pieces, pace)
        if not await _all_heard(session, timeout_s):
            notes.append(f"The server did not say within {timeout_s:g} s that it had heard all.")
        server = reported_spans(session.conversation.speech)
        wire_format = format_of(session_format(session.conversation.session, "input"))
        notes += _what_differs(session, in_force)
        address, recorded_at = session.endpoint.shown_url, session.recording
        same_model = session.endpoint.kind == "local" or session.conversation.serving.local
    semantic = in_force["type"] == "semantic_vad"
    judge = turn_model() if semantic and same_model else None
    track, run = await asyncio.to_thread(_heard, pieces, wire_format, engine, in_force, judge)
    if semantic and judge is None:
        notes.append(_ENDS_UNKNOWN)
        run = _ended_by(server, track)
    emulator = [
        (one.start_ms, one.end_ms if one.how == "stopped" else math.nan) for one in run.spans()
    ]
    agreed = agreement(server, emulator, tolerance_ms=tolerance_ms)
    if judge is not None and agreed.share < 1:
        notes.append(_ENDS_JUDGED)
    name = recording.path.name
    return Verification(agreed, name, address, in_force, recorded_at, tuple(notes))


def _check(pace: float | None, timeout_s: float, tolerance_ms: float) -> None:
    if pace is not None and not pace > 0:
        raise ConfigurationError(f"pace is {pace}; give a number greater than 0, or None.")
    if not timeout_s > 0:
        raise ConfigurationError(f"timeout_s is {timeout_s}; give seconds, more than 0.")
    agreement([], [], tolerance_ms=tolerance_ms)


def _without_responses(
    recording: Recording, config: object, recorded: JsonObject
) -> tuple[JsonObject, list[str]]:
    """Returns the turn detection to ask for, which answers nothing, and what is said of it."""
    asked = recorded.get("turn_detection", ServerVAD()) if config is None else config
    if asked is None:
        raise ConfigurationError(
            f"{recording.path} was recorded without turn detection, so there is nothing to verify. "
            "Give settings: rt.verify(rec, rt.ServerVAD())."
        )
    if isinstance(config, str | Endpoint):
        raise ConfigurationError(
            f"config is {config!r}; give an rt.ServerVAD or an rt.SemanticVAD. The server is the "
            "third argument: rt.verify(rec, endpoint=…)."
        )
    filled: JsonObject = session_config(turn_detection=asked)["audio"]["input"]["turn_detection"]
    idle = filled.get("idle_timeout_ms")
    notes = [] if idle is None else ["idle_timeout_ms is left out: it makes the server speak."]
    without_idle = {name: value for name, value in filled.items() if name != "idle_timeout_ms"}
    return {**without_idle, **_NO_RESPONSES}, notes


def _in_force(session: Session, asked: JsonObject) -> JsonObject:
    """Returns the settings as the server tells them; what it does not tell is as asked, or as
    servers take it."""
    told = session.conversation.turn_detection
    if not told or told.get("type") not in ("server_vad", "semantic_vad"):
        raise ConfigurationError(
            f"{session.endpoint.shown_url} has no turn detection in force, though it was asked "
            f"for: {told!r}."
        )
    same = told["type"] == asked["type"]
    patch = {"audio": {"input": {"turn_detection": {**(asked if same else {}), **told}}}}
    filled: JsonObject = merge_session({}, patch)["audio"]["input"]["turn_detection"]
    return filled


def _what_differs(session: Session, in_force: JsonObject) -> Iterator[str]:
    """Yields what else the server may do to the audio."""
    audio = session.conversation.session.get("audio")
    side = audio.get("input") if isinstance(audio, dict) else None
    if isinstance(side, dict) and side.get("noise_reduction"):
        yield "The server takes noise away before it listens; the emulator does not."
    if in_force.get("create_response") or in_force.get("interrupt_response"):
        yield "The server makes responses, though it was asked not to."


class _Pieces:
    """A sound in pieces, and the silence that ends it, as they are sent."""

    def __init__(self, sound: LongSound, silence_ms: float) -> None:
        self._sound = sound
        self._silence_ms = silence_ms

    def __iter__(self) -> Iterator[bytes]:
        size = _CHUNK_MS * SAMPLES_PER_MS
        for first in range(0, len(self._sound), size):
            yield pcm_from_samples(self._sound[first : first + size])
        silence = bytes(2 * size)
        for _ in range(math.ceil(self._silence_ms / _CHUNK_MS)):
            yield silence


async def _send(session: Session, pieces: _Pieces, pace: float) -> None:
    clock = asyncio.get_running_loop().time
    begun_s, samples = clock(), 0
    for pcm in pieces:
        samples += len(pcm) // 2
        due_s = begun_s + samples / SAMPLE_RATE / pace
        await asyncio.sleep(max(0.0, due_s - clock()))
        await session.append(pcm)


async def _all_heard(session: Session, timeout_s: float) -> bool:
    """Has what is left dropped, which a server says when it has heard all before it."""
    await session.clear()
    try:
        async with asyncio.timeout(timeout_s):
            async for event in session:
                if isinstance(event, ev.AudioBufferCleared):
                    return True
    except TimeoutError:
        pass
    return False


def _heard(
    pieces: _Pieces,
    audio_format: WireFormat,
    engine: str,
    in_force: JsonObject,
    judge: SmartTurn | None,
) -> tuple[SpeechTrack, Run]:
    """Returns what the emulator hears in the very bytes that were sent, and what it makes of it."""
    detector_engine = speech_engine(engine)
    track = SpeechTrack(lambda fields: FrameDetector(fields["type"], detector_engine), audio_format)
    track.place(Step(0, 1, "settings", 0, 0.0, in_force))
    answers = None if judge is None else PauseAnswers(track, judge.completeness_of)
    run = Run(track, answers=answers)
    encoder = WireEncoder(audio_format.type)
    for block in _blocks(encoder.encode(pcm) for pcm in pieces):
        track.push(block)
        if answers is not None:
            answers.push(block)
        run.advance()
        if answers is not None:
            answers.forget_old()
    return track, run


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the same in pieces that a network is quick with."""
    block = bytearray()
    for piece in pieces:
        block += piece
        if len(block) >= _BLOCK_BYTES:
            yield bytes(block)
            block.clear()
    yield bytes(block)


def _ended_by(server: Sequence[Span], track: SpeechTrack) -> Run:
    """Returns what the emulator makes of it where the server says that turns end."""
    for number, (_, end_ms) in enumerate(server, 2):
        if not math.isnan(end_ms):
            track.place(Step(track.frame_at(end_ms), number, "stop", int(end_ms)))
    run = Run(track)
    run.advance()
    return run
