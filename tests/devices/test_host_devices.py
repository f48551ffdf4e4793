from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest

from realtime_nb.devices import host_devices
from realtime_nb.devices.host_devices import (
    DeviceKind,
    HostDevice,
    list_devices,
    open_stream,
    start_stream,
    wake,
)
from realtime_nb.errors import ConfigurationError
from tests.devices.fake_sounddevice import FakeSoundDevice


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    module = FakeSoundDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    return module


def nothing(*_: object) -> None:
    pass


def test_devices_are_listed(fake: FakeSoundDevice) -> None:
    assert list_devices() == [
        HostDevice(0, "Headset", "Fake", 1, 0, 24_000, "input"),
        HostDevice(1, "Loudspeaker", "Fake", 0, 2, 24_000, "output"),
    ]


def test_one_device_is_both(fake: FakeSoundDevice) -> None:
    fake.devices = [{"name": "Both", "max_input_channels": 1, "max_output_channels": 2}]
    assert [device.is_default for device in list_devices()] == ["both"]


def test_a_computer_without_devices(fake: FakeSoundDevice) -> None:
    fake.devices = []
    assert list_devices() == []
    for kind, name in (("input", "microphone"), ("output", "speaker")):
        with pytest.raises(ConfigurationError, match=f"finds no {name} on this computer. Plug"):
            open_stream(kind, None, nothing)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="Choose one by number or name: there is none"):
        open_stream("input", "Headset", nothing)


@pytest.mark.parametrize(("rates", "chosen"), [([24_000], 24_000), ([44_100], 44_100)])
def test_the_rate_is_the_protocols_or_the_devices(
    fake: FakeSoundDevice, rates: list[int], chosen: int
) -> None:
    fake.sample_rates = rates
    _, sample_rate = open_stream("input", "headset", nothing)
    assert sample_rate == chosen
    assert fake.streams[0].frames == chosen // 50


def test_24_khz_is_taken_where_the_device_prefers_another(fake: FakeSoundDevice) -> None:
    fake.sample_rates = [48_000, 24_000]
    assert open_stream("output", 1, nothing)[1] == 24_000


@pytest.mark.parametrize("kind", ["input", "output"])
def test_a_device_that_refuses(
    fake: FakeSoundDevice, kind: DeviceKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise fake.PortAudioError("Device unavailable")

    monkeypatch.setattr(fake, f"Raw{kind.capitalize()}Stream", refuse)
    words = "can't be used: Device unavailable. Close other programs that hold it, or choose"
    with pytest.raises(ConfigurationError, match=words):
        open_stream(kind, None, nothing)


def test_a_device_that_does_not_start_is_freed(fake: FakeSoundDevice) -> None:
    stream, _ = open_stream("input", None, nothing)
    fake.busy = True
    with pytest.raises(ConfigurationError, match=r"The microphone does not start: .*Close other"):
        start_stream(stream, "input")
    assert fake.streams[0].closed


def test_a_device_that_can_not_be_freed_holds_nobody_up(
    fake: FakeSoundDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, _ = open_stream("input", None, nothing)
    gone = Event()
    monkeypatch.setattr(stream, "abort", gone.wait)
    monkeypatch.setattr(host_devices, "_FREE_TIMEOUT_S", 0.01)
    host_devices.free_stream(stream)
    gone.set()


TRY = """
from realtime_nb.errors import ConfigurationError
from realtime_nb.devices.host_devices import list_devices
try:
    list_devices()
except ConfigurationError as error:
    print(error)
"""


def _said(folder: Path) -> str:
    """What Python says where ``folder`` comes before what is installed."""
    command = f"import sys; sys.path.insert(0, {str(folder)!r})\n{TRY}"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_without_portaudio(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    said = _said(tmp_path)
    assert "apt install libportaudio2" in said
    assert "pip install sounddevice" in said


def test_without_sounddevice(tmp_path: Path) -> None:
    (tmp_path / "sounddevice.py").write_text("raise ModuleNotFoundError('sounddevice')")
    assert "Run: pip install sounddevice (on Linux also: apt install libportaudio2)" in _said(
        tmp_path
    )


def test_it_is_not_imported_before_it_is_wanted() -> None:
    command = "import sys, realtime_nb.devices.host_speaker; print('sounddevice' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "False\n"


async def test_a_loop_is_woken_from_another_thread_and_one_that_is_closed_is_left_alone() -> None:
    woken = asyncio.Event()
    await asyncio.to_thread(wake, asyncio.get_running_loop(), woken.set)
    async with asyncio.timeout(5):
        await woken.wait()

    over = asyncio.new_event_loop()
    over.close()
    wake(over, woken.set)
