"""What a user said once, said again: to another server, or with other settings.

::

    a = await rt.replay(rec, turn_detection=rt.ServerVAD(silence_duration_ms=200))
    b = await rt.replay(rec, turn_detection=rt.ServerVAD(silence_duration_ms=700))
    rt.compare(a, b)
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from realtime_nb.archive.recorder_files import write_json
from realtime_nb.errors import ConfigurationError, RealtimeError, at_call
from realtime_nb.protocol import events as ev
from realtime_nb.protocol.audio_formats import SAMPLES_PER_MS
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_detection import SERVER_VAD
from realtime_nb.recordings.recording import Recording, load
from realtime_nb.recordings.replay_reading import read_script
from realtime_nb.recordings.replay_script import (
    Ask,
    Interrupt,
    ReplayScript,
    ReplayStep,
    Send,
    SpokenPiece,
)
from realtime_nb.recordings.replay_tools import RecordedAnswers, RecordedTool
from realtime_nb.session.connect import connect
from realtime_nb.session.endpoints import Endpoint, RunningServer
from realtime_nb.session.session import Session
from realtime_nb.session.transport import Transport
from realtime_nb.tools import Tool, ToolSource, collect

__all__ = ["as_recorded", "replay"]

_MARGIN_MS = 300
_VAD_SILENCE_MS = 500
_SILENCE = "silence_duration_ms"
_LATE_MS = 1_000.0
"""A user who is later than this, in session time, says something else to a server that waits."""

_SESSION_SPEED = "speed"  # of the voice; the keyword of connect() is the session's pace


@at_call
async def replay(
    recording: Recording | str | os.PathLike[str],
    endpoint: str | Endpoint | RunningServer = "local",
    *,
    record: str | Path = "recordings",
    tools: ToolSource | None = None,
    tool_outputs: Literal["live", "recorded"] = "live",
    pace: float = 1.0,
    speed: float | None = None,
    chunk_ms: float = 20.0,
    timeout_s: float = 60.0,
    model: str | None = None,
    api_key: str | None = None,
    transport: Transport | None = None,
    **options: Any,
) -> Recording:
    """Says and does again what the user of a recording said and did; records what comes of it.

    Everything happens at its recorded time, counted from the beginning of the session, whatever the
    new server answers and when: the user's side of both recordings is the same, and what differs is
    the server's doing. (Should opening the session take longer than it did, all of it is later by
    the same amount.) Audio is sent by an absolute schedule, so no error adds up; pauses in which
    nothing was sent stay pauses. Typed messages, requests for responses, interruptions and changed
    settings are repeated at their times.

    With turn detection on, the audio is followed by enough silence to end its last turn and nothing
    is committed. With ``turn_detection=None``, every turn that was committed in the recording, by
    its server or its client, is committed after the same audio, and a response asked for.

    Args:
        recording: of a session, or bare audio (``rt.load("x.wav")``), which is one utterance; or
            the path of one.
        endpoint: as for ``rt.connect``.
        record: folder that the new recording goes into.
        tools: functions that the agent may call, for those in the recording or besides them.
        tool_outputs: ``live`` runs the functions of ``tools``; a call of any other function of the
            recording gets its recorded output if it was called with the same arguments there.
            ``recorded`` runs none: an output is looked up by name and arguments, then taken in
            order of the name. A call without an output gets an error that says so.
        pace: session seconds per wall second, for the local server only (``"local"``, or one that
            runs and serves several replays).
        speed: the former name of ``pace``, in place of which it still counts.
        chunk_ms: how much audio goes into an append; what is heard does not depend on it.
        timeout_s: how long the last answer may take, its being heard included.
        model, api_key, transport: as for ``rt.connect``.
        options: session settings instead of the recorded ones, as for ``rt.connect``; what was
            recorded is asked for as it was, its silence, too.

    Returns:
        The new recording. Its ``header["replay"]`` says what it is a replay ``of``; how exact the
        audio's timing was (``pacing_error_ms_p50``, ``_p95``, ``_max``: how late chunks were, in ms
        of session time; ``start_offset_ms``); what became of function calls (``calls``); and in
        ``notes`` what was not as it should be.

    Raises:
        ConfigurationError: nothing to replay, or an option that can't be meant; nothing was begun.
        ConnectionFailedError: no session could be opened.
        SessionClosedError: it ended early. A note at the error names the recording.
    """
    pace = pace if speed is None else speed
    if tool_outputs not in ("live", "recorded"):
        raise ConfigurationError(f"tool_outputs is {tool_outputs!r}; give 'live' or 'recorded'.")
    if not 1 <= chunk_ms < math.inf:
        raise ConfigurationError(f"chunk_ms is {chunk_ms}; give milliseconds, 1 or more.")
    if not isinstance(recording, Recording):
        recording = await asyncio.to_thread(load, recording)
    script = await asyncio.to_thread(read_script, recording)
    settings: JsonObject = {**as_recorded(script.options), **options}
    voice_speed = settings.pop(_SESSION_SPEED, 1.0)
    lookup: Literal["same_arguments", "in_order"] = (
        "in_order" if tool_outputs == "recorded" else "same_arguments"
    )
    answers = RecordedAnswers(recording.conversation.calls.values(), lookup)
    offered = _offered(script, tools or (), answers, tool_outputs == "live", pace)
    connection = connect(
        endpoint,
        model=model,
        api_key=api_key,
        tools=offered,
        record=record,
        pace=pace,
        speed=speed,
        transport=transport,
        **settings,
    )
    async with connection as session:
        player = _Player(session, script, chunk_ms, timeout_s, tuple(options))
        try:
            if voice_speed != 1.0:
                await session.update(speed=voice_speed)
            await player.play()
        except RealtimeError as error:
            error.add_note(f"The recording {session.recording} is marked as incomplete.")
            raise
    assert session.recording is not None
    report: JsonObject = {
        "of": str(recording.path),
        **player.report(),
        "tool_outputs": tool_outputs,
        "calls": {
            "recorded": answers.used,
            "substituted": answers.substituted,
            "missing": answers.missing,
        },
    }
    await asyncio.to_thread(_add_to_header, session.recording, report)
    return await asyncio.to_thread(load, session.recording)


def as_recorded(settings: JsonObject) -> JsonObject:
    """Returns recorded settings, of which nothing is to be filled in for somebody who asks anew.

    Where neither client nor server told how long a silence ends a turn, it is what servers take.
    """
    detection = settings.get("turn_detection")
    if not detection or detection.get("type") != "server_vad":
        return settings
    silence = {_SILENCE: SERVER_VAD[_SILENCE].usual}
    return {**settings, "turn_detection": {**silence, **detection}}


def _offered(
    script: ReplayScript, tools: ToolSource, answers: RecordedAnswers, live: bool, pace: float
) -> list[Tool | JsonObject]:
    """Returns the functions of the new session: those given, then the others of the recording."""
    wanted: dict[str, Tool | JsonObject] = {tool["name"]: tool for tool in script.tools}
    wanted |= collect(tools)
    offered: list[Tool | JsonObject] = []
    for tool in wanted.values():
        definition = tool.definition() if isinstance(tool, Tool) else tool
        if definition.get("type") != "function" or (live and isinstance(tool, Tool)):
            offered.append(tool)
        else:
            offered.append(RecordedTool(definition, answers, pace))
    return offered


def _add_to_header(path: Path, report: JsonObject) -> None:
    file = path / "session.json"
    write_json(file, {**json.loads(file.read_bytes()), "replay": report})


class _Player:
    """Does a script's steps at their times."""

    def __init__(
        self,
        session: Session,
        script: ReplayScript,
        chunk_ms: float,
        timeout_s: float,
        overridden: Sequence[str],
    ) -> None:
        self._session = session
        self._script = script
        self._timeout_s = timeout_s
        self._detection = session.conversation.turn_detection
        self._steps = script.steps(self._detection, chunk_ms, overridden)
        self._chunk_ms = chunk_ms
        self._late_ms: list[float] = []
        self._offset_s = 0.0
        self._notes = list(script.notes)

    def report(self) -> JsonObject:
        """Returns how it went, for the new recording's header."""
        errors: dict[str, float | None] = dict.fromkeys(("p50", "p95", "max"))
        if self._late_ms:
            values = np.percentile(self._late_ms, (50, 95, 100))
            errors = {name: round(float(v), 3) for name, v in zip(errors, values, strict=True)}
        return {
            "start_offset_ms": round(self._offset_s * 1000, 3),
            "chunk_ms": self._chunk_ms,
            "chunks": len(self._late_ms),
            **{f"pacing_error_ms_{name}": value for name, value in errors.items()},
            "notes": [*self._notes, *self._lateness(errors["p95"])],
        }

    def _lateness(self, late_ms: float | None) -> list[str]:
        if late_ms is None or late_ms < _LATE_MS:
            return []
        return [
            f"This machine was too slow for pace={self._session.pace:g}: of the user's audio, 5 % "
            f"went out {late_ms / 1000:.1f} s too late or more, so turns and interruptions are not "
            "those of the recording. Replay it with a lower pace, or fewer at once."
        ]

    async def play(self) -> None:
        """Does everything and waits until all of it is answered and heard."""
        session = self._session
        self._offset_s = max(0.0, session.clock() - self._script.begins_s)
        asks = (self._detection or {}).get("create_response") is False
        answering = asyncio.create_task(self._answer_turns()) if asks else None
        try:
            for step in self._steps:
                await self._wait_until(step.due_s + self._offset_s)
                await self._do(step)
            detection = session.conversation.turn_detection
            if detection is not None and self._script.stretches:
                # Without a window, as in semantic detection, speak() waits for the server's word.
                window_ms = detection.get("silence_duration_ms") or _VAD_SILENCE_MS
                await session.speak(bytes(2 * round((window_ms + _MARGIN_MS) * SAMPLES_PER_MS)))
            if not await session.settled(self._timeout_s):
                late = f"{self._timeout_s:g} s after the user's last word"
                self._notes.append(f"The last answer was not over {late}.")
        finally:
            if answering is not None:
                answering.cancel()
                await asyncio.gather(answering, return_exceptions=True)

    async def _wait_until(self, due_s: float) -> None:
        left_s = due_s - self._session.clock()
        if left_s > 0:
            await asyncio.sleep(left_s / self._session.pace)
        else:
            await asyncio.sleep(0)

    async def _do(self, step: ReplayStep) -> None:
        session = self._session
        match step:
            case SpokenPiece(due_s, pcm):
                captured_s = due_s + self._offset_s
                await session.append(pcm, captured_s)
                late_s = session.clock() - captured_s
                self._late_ms.append(max(0.0, late_s * 1000))
            case Send(_, event):
                await session.send(event)
            case Ask(_, fields):
                await session.create_response(**fields)
            case Interrupt():
                await session.interrupt()

    async def _answer_turns(self) -> None:
        """Asks for an answer to each turn, for a server that finds turns and answers none."""
        with contextlib.suppress(RealtimeError):  # whoever waits for the session is told
            async for event in self._session:
                if isinstance(event, ev.AudioBufferCommitted):
                    await self._session.create_response()
