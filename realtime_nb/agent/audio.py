"""Where an agent's audio comes from and goes to: the page, a file, this machine's sound card.

Each of these lives on the I/O thread, beside the session. A microphone hands its audio over through
a bounded queue (`input_queue`), which also keeps what is said while the session is being opened.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, cast

from realtime_nb.agent.input_queue import QueuedInput
from realtime_nb.agent.io_thread import IoThread
from realtime_nb.agent.options import BrowserAudioSettings, HostAudioSettings
from realtime_nb.agent.page_speaker import BrowserSpeaker
from realtime_nb.audio.files import read_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.devices.host_microphone import HostMicrophone
from realtime_nb.devices.host_speaker import HostSpeaker, OpenSpeaker
from realtime_nb.devices.simulated import SimulatedSpeaker, Speaker
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.session.session import Session
from realtime_nb.widgets.live import LiveWidget
from realtime_nb.widgets.microphone import OPEN_STATES, Microphone
from realtime_nb.widgets.speaker import PagePlaybackReport, SpeakerWidget

__all__ = ["AgentAudio", "BrowserAudio", "FileAudio", "HostAudio", "close_widget"]

_PAGE_DUE_S = 3.0
_OFF_DUE_S = 0.5
_LAST_CHUNK_S = 0.1
_NOTED = ("echo_cancellation", "noise_suppression", "auto_gain_control", "sample_rate")
"""What a recording says of the page's microphone; the name of a device is nobody's business."""


def close_widget(widget: LiveWidget) -> None:
    """Takes a widget out of the page, and its layout, which is a widget of its own."""
    widget.close()
    widget.layout.close()


class AgentAudio(Protocol):
    """A microphone and a speaker for one agent.

    All methods run on the I/O thread, except ``close``.
    """

    async def prepare(self) -> None:
        """Opens what takes its time, before there is a session; ``stop`` closes it again."""

    def speaker(self, session: Session) -> Speaker:
        """Returns the speaker of a session that is being opened."""
        ...

    async def start(self, session: Session) -> None:
        """Takes a session that is open now: the microphone may be used."""

    async def stop(self) -> None:
        """Lets go of the session, which is over or about to be."""

    async def listen(self) -> None:
        """Keeps what is said from now on, which may be before there is a session."""

    async def reachable(self) -> None:
        """Waits until there is a microphone that could be opened."""

    async def talk(self) -> None:
        """Opens the microphone and sends what it hears, what was kept first."""

    async def hush(self) -> None:
        """Closes the microphone; what it sent until now is on its way when this is done."""

    async def send_kept(self) -> None:
        """Sends what was kept until the microphone was closed."""

    @property
    def kept_ms(self) -> float:
        """What is kept for a session."""
        ...

    def forget(self) -> None:
        """Drops what is kept."""

    async def spoken(self) -> None:
        """Waits while there is a file left to be spoken."""

    def mute(self, muted: bool) -> None:
        """Keeps the microphone open, but silent."""

    def close(self) -> None:
        """Frees what outlives a session."""


class _Live:
    """What audio that comes as it is spoken has in common: the queue that it goes through."""

    def __init__(self, thread: IoThread, problem: Callable[[str], None]) -> None:
        self._input = QueuedInput(thread, problem)

    async def prepare(self) -> None:
        """Implements `AgentAudio`."""

    async def start(self, session: Session) -> None:
        """Implements `AgentAudio`."""
        self._input.start(session)

    async def reachable(self) -> None:
        """Implements `AgentAudio`."""

    async def send_kept(self) -> None:
        """Implements `AgentAudio`."""
        self._input.flow()
        await self._input.sent()

    @property
    def kept_ms(self) -> float:
        """See `AgentAudio`."""
        return self._input.queued_ms

    def forget(self) -> None:
        """Implements `AgentAudio`."""
        self._input.forget()

    async def spoken(self) -> None:
        """Implements `AgentAudio`."""


class BrowserAudio(_Live):
    """The microphone and the speaker of the page that shows the agent.

    Args:
        thread: where the session is.
        problem: takes words for people.
        ended: called on the I/O thread when the microphone goes off without having been told to.
        settings: what the microphone begins with; None: the defaults.
    """

    def __init__(
        self,
        thread: IoThread,
        problem: Callable[[str], None],
        ended: Callable[[], None],
        settings: BrowserAudioSettings | None = None,
    ) -> None:
        super().__init__(thread, problem)
        self._thread = thread
        self._problem = problem
        self._ended = ended
        self._off = asyncio.Event()
        self._tested = False
        self._test: asyncio.Task[None] | None = None
        self._speaker: BrowserSpeaker | None = None
        self._session: Session | None = None
        begins = asdict(settings or BrowserAudioSettings())
        self.microphone = Microphone(self._input.push, self._tell, **begins)
        self.microphone.observe(self._status, "status")
        self.microphone.observe(self._applied, "applied")
        self.page_speaker = SpeakerWidget(self._report, gate=self.microphone)

    @property
    def on(self) -> bool:
        """Whether the page's microphone is on, or about to be."""
        return self.microphone.status in OPEN_STATES

    def speaker(self, session: Session) -> Speaker:
        """Implements `AgentAudio`."""
        self._speaker = BrowserSpeaker(self.page_speaker, session, self._problem)
        return self._speaker

    async def start(self, session: Session) -> None:
        """Implements `AgentAudio`."""
        await super().start(session)
        self._session = session
        self._note()

    async def stop(self) -> None:
        """Implements `AgentAudio`."""
        self._session = None
        self._input.open = False
        self.microphone.stop()
        await self._input.stop()
        if self._test is not None:
            self._test.cancel()

    async def listen(self) -> None:
        """Implements `AgentAudio`. The page opens its microphone on the same press of the
        button."""
        if self._input.open:
            return
        self._off.clear()
        self._input.hold()
        self.microphone.start()

    async def reachable(self) -> None:
        """Implements `AgentAudio`: waits for the page.

        Raises:
            ConfigurationError: no page shows the agent.
        """
        for _ in range(int(_PAGE_DUE_S / 0.05)):
            if self.microphone.page is not None:
                break
            await asyncio.sleep(0.05)
        else:
            raise ConfigurationError(
                "No page shows this agent, so it has no microphone. Show it as the last line of a "
                'cell, or take audio="host" or the path of a sound file.'
            )

    async def talk(self) -> None:
        """Implements `AgentAudio`."""
        if not self._input.open:
            self._off.clear()
        self._input.open = True
        self.microphone.start()  # again: Stop may have come between
        self._input.flow()
        if not self._tested:
            self._tested = True
            self._test = asyncio.create_task(self._selftest())

    async def hush(self) -> None:
        """Implements `AgentAudio`."""
        if not self._input.open:
            return
        self.microphone.stop()
        if self.on:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._off.wait(), _OFF_DUE_S)
        # The page says "off" at once; the rest of the last chunk is still under way.
        await asyncio.sleep(_LAST_CHUNK_S)
        self._input.open = False
        await self._input.sent()

    def mute(self, muted: bool) -> None:
        """Implements `AgentAudio`."""
        self.microphone.muted = muted

    def close(self) -> None:
        """Takes both out of the page."""
        close_widget(self.microphone)
        close_widget(self.page_speaker)

    async def _selftest(self) -> None:
        """Says so if audio has to wait for running cells."""
        result = await asyncio.to_thread(self.microphone.selftest)
        if result.live_while_cells_run is False:
            self._problem(str(result))

    def _tell(self, words: str) -> None:
        if words != self.microphone.error:  # which the page shows by itself
            self._problem(words)

    def _status(self, change: dict[str, str]) -> None:
        if change["old"] in OPEN_STATES and change["new"] not in OPEN_STATES:
            self._thread.call(self._went_off)

    def _applied(self, change: object) -> None:
        self._thread.call(self._note)

    def _note(self) -> None:
        """Writes into the recording what the browser made of the wanted settings."""
        applied = self.microphone.applied
        made = {name: applied[name] for name in _NOTED if name in applied}
        if made and self._session is not None:
            self._session.note(microphone=made)

    def _went_off(self) -> None:
        self._off.set()
        self._ended()

    def _report(self, report: PagePlaybackReport) -> None:
        self._thread.call(self._take, report)

    def _take(self, report: PagePlaybackReport) -> None:
        if self._speaker is not None:
            self._speaker.take(report)


class HostAudio(_Live):
    """The microphone and the speaker of the computer that the kernel runs on."""

    def __init__(
        self,
        thread: IoThread,
        problem: Callable[[str], None],
        settings: HostAudioSettings | None = None,
    ) -> None:
        super().__init__(thread, problem)
        settings = settings or HostAudioSettings()
        self._problem = problem
        self._session: Session | None = None
        self._lost_before: tuple[float, int, int] = (0.0, 0, 0)
        self._half_duplex = settings.half_duplex
        self._opened: OpenSpeaker | None = None
        self._microphone = HostMicrophone(
            self._input.put, loop=thread.loop, chunk_ms=settings.chunk_ms, on_problem=self._tell
        )

    async def start(self, session: Session) -> None:
        """Implements `AgentAudio`."""
        await super().start(session)
        self._session = session
        self._note()

    async def prepare(self) -> None:
        """Implements `AgentAudio`. A speaker takes half a second to open, and some never answer."""
        opening = asyncio.get_running_loop().run_in_executor(None, OpenSpeaker)
        try:
            self._opened = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_unused)
            raise

    def speaker(self, session: Session) -> Speaker:
        """Implements `AgentAudio`."""
        opened, self._opened = self._opened, None
        return HostSpeaker(
            session.clock,
            session.playback_report,
            session.audio_played,
            opened=opened,
            half_duplex=self._microphone.silence if self._half_duplex else None,
            on_problem=self._problem,
        )

    async def stop(self) -> None:
        """Implements `AgentAudio`."""
        opened, self._opened = self._opened, None
        if opened is not None:  # for a session that did not come about
            await asyncio.to_thread(opened.close)
        await self.hush()
        await self._input.stop()
        self._session = None
        self._lost_before = self._losses()

    async def listen(self) -> None:
        """Implements `AgentAudio`."""
        if not self._input.open:
            self._input.hold()
            await asyncio.to_thread(self._microphone.start)

    async def talk(self) -> None:
        """Implements `AgentAudio`."""
        self._input.open = True
        await asyncio.to_thread(self._microphone.start)
        self._input.flow()

    async def hush(self) -> None:
        """Implements `AgentAudio`."""
        await asyncio.to_thread(self._microphone.stop)
        await asyncio.sleep(0)  # what it still hands over is waiting on this loop
        self._input.open = False
        await self._input.sent()
        self._note()

    def mute(self, muted: bool) -> None:
        """Implements `AgentAudio`."""
        self._microphone.muted = muted

    def close(self) -> None:
        """Implements `AgentAudio`."""
        self._microphone.stop()

    def _tell(self, words: str) -> None:
        self._problem(words)
        self._note()

    def _losses(self) -> tuple[float, int, int]:
        heard = self._microphone
        return heard.lost_ms, heard.overflows, heard.dropped_ms

    def _note(self) -> None:
        """Writes into the recording what the microphone has lost in this session."""
        if self._session is None:
            return
        lost = [now - before for now, before in zip(self._losses(), self._lost_before, strict=True)]
        names = ("lost_ms", "overflows", "dropped_ms")
        self._session.note(microphone={"source": "host", **dict(zip(names, lost, strict=True))})


def _close_unused(opening: asyncio.Future[OpenSpeaker]) -> None:
    """Frees a speaker that was still being opened when nobody wanted it any more."""
    if not opening.cancelled() and opening.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, opening.result().close)


class FileAudio:
    """A file instead of a voice: it is spoken each time that the agent is asked to listen.

    Args:
        path: of the file.
        problem: takes words for people.
        ended: called when the file was spoken to its end.
    """

    def __init__(
        self, path: Path, problem: Callable[[str], None], ended: Callable[[], None]
    ) -> None:
        self._path = path
        self._problem = problem
        self._ended = ended
        self._session: Session | None = None
        self._speaking: asyncio.Task[None] | None = None
        self._muted = False
        self._words = b""  # of the file that is being spoken
        self._sounding = bytearray()  # the same, or silence: its microphone reads on in it

    async def prepare(self) -> None:
        """Implements `AgentAudio`."""

    def speaker(self, session: Session) -> Speaker:
        """Implements `AgentAudio`."""
        return SimulatedSpeaker(
            session.clock, session.pace, session.playback_report, session.audio_played
        )

    async def start(self, session: Session) -> None:
        """Implements `AgentAudio`."""
        self._session = session

    async def stop(self) -> None:
        """Implements `AgentAudio`."""
        await self.hush()
        self._session = None

    async def listen(self) -> None:
        """Implements `AgentAudio`: does nothing, for a file is not in a hurry."""

    async def reachable(self) -> None:
        """Implements `AgentAudio`."""

    async def talk(self) -> None:
        """Implements `AgentAudio`.

        Raises:
            AudioError: the file is not there any more, or is not audio any more.
        """
        await self.hush()
        if self._session is None:
            return
        audio = await asyncio.to_thread(read_audio, self._path)
        if self._session is not None:
            if audio.notes:
                self._problem(" ".join([f"{self._path.name}:", *audio.notes]))
            self._words = pcm_from_samples(audio.samples)
            self._sounding = bytearray(self._words)
            self.mute(self._muted)
            self._speaking = asyncio.create_task(self._speak(self._session))

    async def hush(self) -> None:
        """Implements `AgentAudio`."""
        task, self._speaking = self._speaking, None
        if task is None:
            return
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        if self._session is not None:
            await self._session.close_microphone()

    async def send_kept(self) -> None:
        """Implements `AgentAudio`."""

    @property
    def kept_ms(self) -> float:
        """Nothing: a file is spoken when somebody is there."""
        return 0.0

    def forget(self) -> None:
        """Implements `AgentAudio`."""

    async def spoken(self) -> None:
        """Implements `AgentAudio`."""
        if self._speaking is not None:
            await asyncio.wait([self._speaking])

    def mute(self, muted: bool) -> None:
        """Implements `AgentAudio`. What is spoken meanwhile is not heard; it goes on all the
        same."""
        self._muted = muted
        self._sounding[:] = bytes(len(self._words)) if muted else self._words

    def close(self) -> None:
        """Implements `AgentAudio`."""

    async def _speak(self, session: Session) -> None:
        try:
            await session.speak(cast("bytes", self._sounding))
        except RealtimeError as error:
            self._problem(str(error))
        self._ended()
