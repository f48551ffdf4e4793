"""The browser's microphone: audio from the page into the kernel."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import traitlets

from realtime_nb.audio.pcm import level_dbfs
from realtime_nb.protocol.audio_formats import BYTES_PER_MS
from realtime_nb.widgets.live import LiveWidget, PageMessage, check_range, switch_quickly
from realtime_nb.widgets.page_text import module_text

__all__ = ["OPEN_STATES", "Lateness", "Microphone", "MicrophoneStatistics"]

_STATES = ["off", "asking", "opening", "on", "denied", "missing", "insecure", "suspended", "ended"]
OPEN_STATES = ("asking", "opening", "on", "suspended")
"""In which the microphone is on, or about to be."""
_LEVEL_EVERY_S = 0.1
_SILENCE_DBFS = -100.0


@dataclass(frozen=True, slots=True)
class MicrophoneStatistics:
    """What has come from the page since the widget was made."""

    chunks: int = 0
    samples: int = 0
    lost_samples: int = 0
    """Samples that positions skip: something between page and kernel lost them."""
    repeated_samples: int = 0
    """Samples that came a second time and were left out."""
    stale_dropped_ms: float = 0.0
    """Audio that came too late to be said now, left out."""
    late_ms: float = 0.0
    """How much later than the fastest message the last chunk came."""
    max_late_ms: float = 0.0


class Lateness:
    """How late messages are, beyond the way's shortest time, from clocks that share no zero.

    The shortest is that of the last 5 to 10 seconds in which messages came, so a clock that jumps
    (a laptop that slept) is forgiven, and a kernel that stalled is not.
    """

    _WINDOW_S = 5.0

    def __init__(self) -> None:
        self._began_s = -float("inf")
        self._before = self._now = float("inf")

    def late_ms(self, sent_ms: float, received_s: float) -> float:
        """Returns the lateness of a message that was sent at ``sent_ms`` on the page's clock and
        came at ``received_s`` on ours."""
        way_ms = received_s * 1000 - sent_ms
        if received_s - self._began_s > self._WINDOW_S:
            self._began_s, self._before, self._now = received_s, self._now, way_ms
        self._now = min(self._now, way_ms)
        return way_ms - min(self._before, self._now)


class Microphone(LiveWidget):
    """A microphone in the page, with a button for it.

    The page asks the browser for the microphone when its Talk button is pressed, and `start` asks
    too where the browser allows it without a press. Audio comes as PCM16 at 24 kHz, mono.

    Args:
        on_audio: called with each chunk and when its last sample was captured, on this computer's
            monotonic clock, which the page's is compared with. A muted microphone delivers silence.
            It runs on the comm's thread and must only hand over.
        on_problem: called with words for people, on the same thread.
        stale_ms: audio that comes this much too late (the kernel was busy) is left out.
        settings: ``chunk_ms`` (20 to 100), ``echo_cancellation``, ``noise_suppression``,
            ``auto_gain_control``, ``muted``, ``device_id``; they can be changed at any time.

    Raises:
        ConfigurationError: a setting that there is not.
    """

    _esm = module_text("microphone.js")
    _key = traitlets.Unicode().tag(sync=True)  # speakers follow this microphone's gate by it
    _worklet = traitlets.Unicode(module_text("capture.worklet.js")).tag(sync=True)

    status = traitlets.Enum(_STATES, "off")
    """What the microphone in the page does, as it tells; ``asking`` as soon as it is asked."""
    error = traitlets.Unicode()
    """What is wrong and what to do, in words; empty if nothing is."""
    level_dbfs = traitlets.Float(_SILENCE_DBFS)
    """Level of the last chunk, renewed at most ten times a second; at least −100."""
    applied = traitlets.Dict()
    """What the browser made of the settings, read back from the running track."""
    devices = traitlets.List(traitlets.Dict())
    """``{"id": …, "label": …}`` of each microphone, known once the browser gave permission."""

    chunk_ms = traitlets.Int(40, min=20, max=100).tag(sync=True)
    echo_cancellation = traitlets.Bool(True).tag(sync=True)
    noise_suppression = traitlets.Bool(True).tag(sync=True)
    auto_gain_control = traitlets.Bool(True).tag(sync=True)
    muted = traitlets.Bool(False).tag(sync=True)
    device_id = traitlets.Unicode().tag(sync=True)
    """Id of the wanted device, as in ``devices``; empty: the browser's choice."""

    def __init__(
        self,
        on_audio: Callable[[bytes, float], None] | None = None,
        on_problem: Callable[[str], None] | None = None,
        stale_ms: float = 1000.0,
        **settings: object,
    ) -> None:
        check_range("chunk_ms", settings.get("chunk_ms", 40), 20, 100)
        self._on_audio = on_audio
        self._on_problem = on_problem
        self._stale_ms = stale_ms
        self._lateness = Lateness()
        self._capture: str | None = None
        self._next_position = 0
        self._stalled_ms = 0.0
        self._level_set_s = 0.0
        self._statistics = MicrophoneStatistics()
        self._receiving = threading.Lock()
        self._key = uuid.uuid4().hex
        super().__init__(**settings)

    @property
    def statistics(self) -> MicrophoneStatistics:
        """Counts since the widget was made."""
        return self._statistics

    def start(self) -> None:
        """Asks the page to start; ``status`` tells what comes of it.

        A browser that has not given permission yet asks the person. A page that does not show the
        microphone (any more) keeps it off. Does nothing while there is no page.
        """
        page = self.page
        if page is None:
            return
        if self.status not in OPEN_STATES:  # whatever comes of it is a change then
            self.status = "asking"
        self.post({"kind": "start", "page": page})

    def stop(self) -> None:
        """Asks the page to stop. What is on its way still comes."""
        self.post({"kind": "stop"})

    def close(self) -> None:
        """Stops the microphone and takes the widget out of the page."""
        if self.comm is not None:
            self.stop()
            switch_quickly(self._key, False)
        super().close()

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes audio and states of the page that owns the microphone."""
        if message.get("page") != self.page:
            return
        if message["kind"] == "audio":
            self._take_audio(message, bytes(buffers[0]))
        elif message["kind"] == "state":
            self._take_state(message)

    def on_page(self) -> None:
        """Implements `LiveWidget`: the new page has no microphone open."""
        with self._receiving:
            self._capture = None
            self._lateness = Lateness()
        switch_quickly(self._key, False)
        self.status, self.error, self.level_dbfs = "off", "", _SILENCE_DBFS

    def summary(self) -> str:
        """Returns one line; no name of a device."""
        return "Microphone (talk through it while its kernel runs)"

    def _take_state(self, message: PageMessage) -> None:
        self._lateness.late_ms(message["t"], time.monotonic())
        self.devices = message["devices"]
        self.applied = message["applied"]
        switch_quickly(self._key, message["status"] == "on")
        problem = message["error"] if message["error"] != self.error else ""
        self.error, self.status = message["error"], message["status"]
        if self.status != "on":
            self.level_dbfs = _SILENCE_DBFS
        if problem:
            self._tell(problem)

    def _take_audio(self, message: PageMessage, pcm: bytes) -> None:
        with self._receiving:
            pcm = self._in_order(message, pcm)
            now_s = time.monotonic()
            late_ms = self._lateness.late_ms(message["t"], now_s)
            stale = late_ms > self._stale_ms
            words = self._count(pcm, late_ms, stale)
        if words:
            self._tell(words)
        if stale or not pcm:
            return
        self._show_level(pcm)
        if self._on_audio is not None:
            self._on_audio(pcm, now_s - late_ms / 1000)

    def _in_order(self, message: PageMessage, pcm: bytes) -> bytes:
        """Returns what of a chunk is new; counts what was lost before it."""
        position = int(message["position"])
        if message["capture"] != self._capture:
            self._capture, self._next_position = message["capture"], 0
        gap = position - self._next_position
        if gap > 0:
            self._statistics = replace(
                self._statistics, lost_samples=self._statistics.lost_samples + gap
            )
        elif gap < 0:
            known = min(-gap, len(pcm) // 2)
            pcm, position = pcm[2 * known :], position + known
            self._statistics = replace(
                self._statistics, repeated_samples=self._statistics.repeated_samples + known
            )
        self._next_position = max(self._next_position, position + len(pcm) // 2)
        return pcm

    def _count(self, pcm: bytes, late_ms: float, stale: bool) -> str:
        """Counts a chunk; returns words once a stall is over."""
        before, duration_ms = self._statistics, len(pcm) / BYTES_PER_MS
        self._statistics = replace(
            before,
            chunks=before.chunks + 1,
            samples=before.samples + len(pcm) // 2,
            stale_dropped_ms=before.stale_dropped_ms + (duration_ms if stale else 0.0),
            late_ms=late_ms,
            max_late_ms=max(before.max_late_ms, late_ms),
        )
        if stale:
            self._stalled_ms += duration_ms
            return ""
        dropped_ms, self._stalled_ms = self._stalled_ms, 0.0
        if not dropped_ms:
            return ""
        return (
            f"The kernel was busy: {dropped_ms / 1000:.1f} s of microphone audio came too late and "
            "was left out."
        )

    def _show_level(self, pcm: bytes) -> None:
        now_s = time.monotonic()
        if now_s - self._level_set_s >= _LEVEL_EVERY_S:
            self._level_set_s = now_s
            samples = np.frombuffer(pcm, "<i2") / 32768
            self.level_dbfs = max(level_dbfs(samples), _SILENCE_DBFS)

    def _tell(self, words: str) -> None:
        if self._on_problem is not None:
            self._on_problem(words)
