"""A ``sounddevice`` whose devices are played by the test: what goes out comes back in.

It behaves as the real one does where the package looks; the tests in ``test_host_speaker_cable.py``
that take a ``cable`` hold it to that.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from types import ModuleType
from typing import Any

import pytest

from realtime_nb.devices import host_microphone, host_speaker, host_streams

BLOCK_S = 0.02


class PortAudioError(Exception):
    pass


@dataclass
class Flags:
    input_overflow: bool = False
    output_underflow: bool = False


@dataclass
class Times:
    currentTime: float
    outputBufferDacTime: float
    inputBufferAdcTime: float = 0.0


class FakeStream:
    def __init__(self, module: FakeSoundDevice, kind: str, options: dict[str, Any]) -> None:
        if options["samplerate"] not in module.sample_rates:
            raise PortAudioError("Error opening stream: Invalid sample rate [PaErrorCode -9997]")
        self.kind = kind
        self.callback: Callable[..., None] = options["callback"]
        self.frames: int = options["blocksize"]
        self.running = False
        self.closed = False
        self.latency = module.latency_s
        self._module = module

    @property
    def time(self) -> float:
        return self._module.now_s

    def start(self) -> None:
        if self._module.busy:
            raise PortAudioError("Error starting stream: Device unavailable [PaErrorCode -9985]")
        self.running = True

    def abort(self) -> None:
        self.running = False

    def close(self) -> None:
        self.running = False
        self.closed = True


class FakeSoundDevice(ModuleType):
    """One microphone and one speaker, which are looped back.

    Attributes:
        sample_rates: what the devices can do; the first one is what they prefer.
        heard: what the speaker has played, PCM16 at its rate.
    """

    PortAudioError = PortAudioError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.sample_rates = [24_000]
        self.now_s = 100.0
        self.latency_s = 0.04
        self.tells_dac_time = True
        self.input_latency_s: float | None = None  # not told
        self.busy = False
        self.flags = Flags()
        self.streams: list[FakeStream] = []
        self.heard = bytearray()
        self.devices = [
            {"name": "Headset", "max_input_channels": 1, "max_output_channels": 0},
            {"name": "Loudspeaker", "max_input_channels": 0, "max_output_channels": 2},
        ]

    # --- what sounddevice offers ---

    def query_hostapis(self) -> tuple[dict[str, Any], ...]:
        return ({"name": "Fake"},)

    def query_devices(self, device: int | str | None = None, kind: str | None = None) -> Any:
        every = [
            {**found, "index": index, "hostapi": 0, "default_samplerate": self.sample_rates[0]}
            for index, found in enumerate(self.devices)
        ]
        if device is None and kind is None:
            return every
        usable = [found for found in every if found[f"max_{kind}_channels"]]
        if device is None:
            if not usable:
                raise PortAudioError("Error querying device -1")
            return usable[0]
        if isinstance(device, int):
            if not 0 <= device < len(every):
                raise PortAudioError(f"Error querying device {device}")
            if every[device] not in usable:
                raise ValueError(f"Not an {kind} device: {every[device]['name']!r}")
            return every[device]
        fitting = [found for found in usable if device.lower() in str(found["name"]).lower()]
        if len(fitting) != 1:
            raise ValueError(f"No {kind} device matching {device!r}")
        return fitting[0]

    def RawInputStream(self, **options: Any) -> FakeStream:
        return self._open("input", options)

    def RawOutputStream(self, **options: Any) -> FakeStream:
        return self._open("output", options)

    def _open(self, kind: str, options: dict[str, Any]) -> FakeStream:
        stream = FakeStream(self, kind, options)
        self.streams.append(stream)
        return stream

    # --- what the test does ---

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Takes the real one's place, in this process, and that of the clock."""
        monkeypatch.setitem(sys.modules, "sounddevice", self)
        monkeypatch.setattr(host_microphone, "open_listener", host_streams.Listener)
        monkeypatch.setattr(host_speaker, "open_player", host_streams.Player)
        for module in (host_microphone, host_speaker, host_streams):
            monkeypatch.setattr(module, "monotonic", lambda: self.now_s)

    def step(self, blocks: int = 1) -> None:
        """Lets that many blocks of 20 ms go by; the microphone hears the speaker's last one."""
        for _ in range(blocks):
            self.now_s += BLOCK_S
            for stream in self.streams:
                if stream.running and stream.kind == "input":
                    size = stream.frames * 2
                    heard = bytes(self.heard[-size:]).rjust(size, b"\0")
                    self._call(stream, memoryview(heard))
            for stream in self.streams:
                if stream.running and stream.kind == "output":
                    out = memoryview(bytearray(stream.frames * 2))
                    self._call(stream, out)
                    self.heard += out

    def _call(self, stream: FakeStream, data: memoryview) -> None:
        dac_s = self.now_s + self.latency_s if self.tells_dac_time else 0.0
        told = self.input_latency_s
        adc_s = 0.0 if told is None else self.now_s - told - BLOCK_S
        stream.callback(data, stream.frames, Times(self.now_s, dac_s, adc_s), self.flags)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Lets time go by at the pace of life, on a thread, as devices do."""
        ended = Event()

        def run() -> None:
            due_s = monotonic()
            while not ended.wait(max(0.0, due_s - monotonic())):
                self.step()
                due_s += BLOCK_S

        thread = Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
