"""The sound devices of this computer, through PortAudio.

``sounddevice`` is imported when a device is first wanted: its import fails where the PortAudio
library is not installed, which nobody should notice who does not want its devices.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, Protocol

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.errors import ConfigurationError

__all__ = [
    "BLOCK_MS",
    "CallbackTime",
    "HostDevice",
    "HostStream",
    "StreamCallback",
    "StreamStatus",
    "Watchdog",
    "free_stream",
    "list_devices",
    "open_stream",
    "start_stream",
    "wake",
]

DeviceKind = Literal["input", "output"]

BLOCK_MS = 20
"""What a device hands over or takes at once."""

LOOK_S = 1.0
"""How often is looked whether a device still lives."""

_OUTPUT_LATENCY_S = 0.05  # what the device has taken can't be called back by a flush
_FREE_TIMEOUT_S = 2.0
_NAMES: dict[DeviceKind, str] = {"input": "microphone", "output": "speaker"}


class HostStream(Protocol):
    """What is used of a PortAudio stream."""

    @property
    def latency(self) -> float:
        """Seconds between the callback and the sound."""

    def start(self) -> None:
        """Begins to call back."""

    def abort(self) -> None:
        """Ends at once; the callback is not running any more when this returns."""

    def close(self) -> None:
        """Frees the device."""


class CallbackTime(Protocol):
    """When a block was asked for, was recorded and will be heard, on the stream's clock."""

    @property
    def currentTime(self) -> float:
        """When the callback was called."""

    @property
    def inputBufferAdcTime(self) -> float:
        """When the block's first sample was recorded; 0 where the system does not say."""

    @property
    def outputBufferDacTime(self) -> float:
        """When the block's first sample will be heard."""


class StreamStatus(Protocol):
    """What went wrong before a block."""

    @property
    def input_overflow(self) -> bool:
        """Recorded audio was lost."""

    @property
    def output_underflow(self) -> bool:
        """The device had nothing to play."""


StreamCallback = Callable[[Any, int, CallbackTime, StreamStatus], None]
"""Takes a buffer of PCM16 to read or to fill, its frames, its times and what went wrong."""


@dataclass(frozen=True, slots=True)
class HostDevice:
    """A sound device of this computer.

    Attributes:
        index: its number; it changes as devices come and go.
        host_api: the system's interface that it is reached through, such as ``"ALSA"``.
        inputs: channels that can be recorded; 0: it is no microphone.
        outputs: channels that can be played; 0: it is no speaker.
        sample_rate: the rate that it prefers, in samples per second.
        is_default: used where no device is named: ``""``, ``"input"``, ``"output"`` or ``"both"``.
    """

    index: int
    name: str
    host_api: str
    inputs: int
    outputs: int
    sample_rate: int
    is_default: Literal["", "input", "output", "both"]


def list_devices() -> list[HostDevice]:
    """Returns the microphones and speakers that PortAudio found when it was first used.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed.
    """
    sounddevice = _sounddevice()
    apis = sounddevice.query_hostapis()
    defaults = {kind: _default_index(sounddevice, kind) for kind in _NAMES}
    return [
        HostDevice(
            index,
            device["name"],
            apis[device["hostapi"]]["name"],
            device["max_input_channels"],
            device["max_output_channels"],
            int(device["default_samplerate"]),
            _default_of([kind for kind in _NAMES if defaults[kind] == index]),
        )
        for index, device in enumerate(sounddevice.query_devices())
    ]


def _default_index(sounddevice: ModuleType, kind: DeviceKind) -> int | None:
    try:
        index = sounddevice.query_devices(None, kind)["index"]
    except (ValueError, sounddevice.PortAudioError):
        return None
    return int(index)


def _default_of(kinds: list[DeviceKind]) -> Literal["", "input", "output", "both"]:
    if len(kinds) == 2:
        return "both"
    return kinds[0] if kinds else ""


def open_stream(
    kind: DeviceKind, device: int | str | None, callback: StreamCallback
) -> tuple[HostStream, int]:
    """Opens a device for mono PCM16, at 24 kHz or else at the rate that it prefers.

    Returns:
        The stream, which is not started, and its samples per second.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such device, or
            it can't be used.
    """
    sounddevice = _sounddevice()
    name = _NAMES[kind]
    try:
        found = sounddevice.query_devices(device, kind)
    except (ValueError, sounddevice.PortAudioError):
        raise ConfigurationError(_no_device(kind, device)) from None
    factory = sounddevice.RawInputStream if kind == "input" else sounddevice.RawOutputStream
    refusal: Exception | None = None
    for sample_rate in dict.fromkeys((SAMPLE_RATE, int(found["default_samplerate"]))):
        try:
            stream: HostStream = factory(
                samplerate=sample_rate,
                blocksize=sample_rate * BLOCK_MS // 1000,
                device=found["index"],
                channels=1,
                dtype="int16",
                latency="low" if kind == "input" else _OUTPUT_LATENCY_S,
                callback=callback,
            )
        except sounddevice.PortAudioError as error:
            refusal = error
        else:
            return stream, sample_rate
    raise ConfigurationError(
        f"The {name} {found['name']!r} can't be used: {refusal}. Close other programs that hold "
        f"it, or choose another {name}: {_choice(kind)}."
    )


def start_stream(stream: HostStream, kind: DeviceKind) -> None:
    """Starts an opened stream.

    Raises:
        ConfigurationError: the device can't be used after all; it is freed.
    """
    try:
        stream.start()
    except _sounddevice().PortAudioError as error:
        stream.close()
        raise ConfigurationError(
            f"The {_NAMES[kind]} does not start: {error}. Close other programs that hold it, or "
            f"choose another one: {_choice(kind)}."
        ) from None


def free_stream(stream: HostStream) -> None:
    """Ends a stream, from any thread, and waits for it two seconds at most.

    PortAudio waits for ever for some devices that are gone (a JACK server that has died).
    """

    def free() -> None:
        stream.abort()
        stream.close()

    thread = threading.Thread(target=free, name="realtime_nb-free-device", daemon=True)
    thread.start()
    thread.join(_FREE_TIMEOUT_S)


def _sounddevice() -> ModuleType:
    try:
        return import_module("sounddevice")
    except ImportError:
        raise ConfigurationError(
            "This computer's microphone and speaker need the package sounddevice. "
            "Run: pip install sounddevice (on Linux also: apt install libportaudio2)"
        ) from None
    except OSError:
        raise ConfigurationError(
            "sounddevice is installed, but not the PortAudio library that it needs. "
            "Run: apt install libportaudio2 (macOS: brew install portaudio); "
            "then restart Python. If sounddevice itself is broken: pip install sounddevice"
        ) from None


def _no_device(kind: DeviceKind, device: int | str | None) -> str:
    name = _NAMES[kind]
    if device is not None:
        return f"No one {name} fits {device!r}. Choose one by number or name: {_choice(kind)}."
    return (
        f"PortAudio finds no {name} on this computer. Plug one in and restart Python, "
        "or use the browser's microphone and speaker, or a file."
    )


def _choice(kind: DeviceKind) -> str:
    """Returns the devices of a kind in a line."""
    fitting = [d for d in list_devices() if (d.inputs if kind == "input" else d.outputs)]
    return ", ".join(f"{d.index} {d.name!r} ({d.host_api})" for d in fitting) or "there is none"


class Watchdog:
    """Notices when a device has stopped to call back: it was unplugged, or its server has died.

    Args:
        calls: how often the device has called so far.
        lost: called when the device did not call between two looks and the one after, and again
            with every look that it does not.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, calls: Callable[[], int], lost: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._calls = calls
        self._lost = lost
        self._seen = -1
        self._missed = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to look; to be called on the loop's thread."""
        self._timer = self._loop.call_later(LOOK_S, self._look)

    def stop(self) -> None:
        """Stops looking; to be called on the loop's thread."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        calls = self._calls()
        self._missed = self._missed + 1 if calls == self._seen else 0
        self._seen = calls
        self.start()
        if self._missed >= 2:
            self._lost()


def wake(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    """Has a function called on the loop's thread, from any other; a loop that is closed needs it
    no more."""
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # it is closed
        return
