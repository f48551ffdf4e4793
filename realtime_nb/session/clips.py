"""A clip spoken into a session's microphone, as a person would speak it.

With turn detection on, the microphone goes on with silence, as a real one does, and the clip is
over when the server heard the end of the words, or heard none. Without, it is a key held down: the
agent is interrupted, the audio committed and a response asked for.
"""

from __future__ import annotations

import asyncio

from realtime_nb.devices.simulated import SimulatedMicrophone
from realtime_nb.protocol.events import JsonObject
from realtime_nb.protocol.turn_detection import closing_silence_ms
from realtime_nb.session.asked import Turn
from realtime_nb.session.driver import Driver

__all__ = ["CLEAR", "COMMIT", "ClipMicrophone"]

COMMIT: JsonObject = {"type": "input_audio_buffer.commit"}
CLEAR: JsonObject = {"type": "input_audio_buffer.clear"}

_HEARD_MARGIN_MS = 1_000
_HEARD_MARGIN_S = 0.3
"""Silence after a clip (in session time, and on the wall clock) by which the server would have
said that it hears speech: detection and the way there and back take a part of it."""


class ClipMicrophone:
    """The microphone into which clips are spoken, one after the other.

    What speaking does is part of one verb. It takes no place among them: it would wait there for
    those that were asked for since, which wait for it.

    Args:
        driver: of the session.
        pace: session seconds per wall second.
    """

    def __init__(self, driver: Driver, pace: float) -> None:
        self._driver = driver
        self._pace = pace
        self._open: SimulatedMicrophone | None = None
        self._speaking = asyncio.Lock()  # one clip, with the key that is held for it

    async def speak(self, turn: Turn, pcm: bytes) -> None:
        """Speaks a clip; returns when it was heard."""
        # Settings that are being changed decide how it is spoken.
        await turn.last()
        turn.begun()  # meanwhile, it can be interrupted
        self._driver.check_open()
        async with self._speaking:
            detected = self._driver.conversation.turn_detection is not None
            end_ms = await (self._spoken(pcm) if detected else self._push_to_talk(pcm))
        if detected:
            await self._heard(end_ms)

    async def close(self) -> None:
        """Stops the silence that it goes on with."""
        microphone, self._open = self._open, None
        if microphone is not None:
            await microphone.close()

    async def _heard(self, end_ms: float) -> None:
        """Waits until the server heard the end of a clip that ended at that position.

        That is when it reports the end of speech at or after it. A clip may also end in silence,
        or be nothing but silence: then nobody speaks a while after it.
        """
        loop, conversation = asyncio.get_running_loop(), self._driver.conversation
        window_ms = closing_silence_ms(conversation.turn_detection)
        end_s = loop.time()

        def heard() -> bool:
            if self._driver.user_speaking:
                return False
            speech = conversation.speech
            if speech and (speech[-1].audio_end_ms or 0) >= end_ms:
                return True
            waited = loop.time() - end_s >= _HEARD_MARGIN_S
            return waited and conversation.input_ms >= end_ms + _HEARD_MARGIN_MS

        await self._driver.passed(heard, (window_ms + 5 * _HEARD_MARGIN_MS) / 1000)

    async def _push_to_talk(self, pcm: bytes) -> float:
        if self._driver.busy or self._driver.speaker.playing:
            self._driver.interrupt()
        if self._open is not None:  # it streamed silence while turn detection was on
            await self.close()
            self._driver.send(CLEAR)
        end_ms = await self._spoken(pcm)
        await self.close()
        self._driver.send(COMMIT)
        self._driver.create_response(None)
        return end_ms

    async def _spoken(self, pcm: bytes) -> float:
        """Speaks into the microphone; returns the end's position on the input-sample clock."""
        if self._open is None:
            self._open = SimulatedMicrophone(
                self._driver.clock,
                self._pace,
                self._driver.append,
                start_ms=self._driver.conversation.input_ms,
            )
        return await self._open.speak(pcm)
