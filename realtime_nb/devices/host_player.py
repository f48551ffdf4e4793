"""A speaker of this computer that is open before there is anything to play."""

from __future__ import annotations

from collections.abc import Callable

from realtime_nb.devices.host_process import open_player
from realtime_nb.devices.host_streams import Mark

__all__ = ["OpenSpeaker"]


class OpenSpeaker:
    """A device that plays; opening it takes half a second and blocks, so do it on a thread.

    Args:
        device: number or name (a part will do); the system's default if None.

    Attributes:
        player: the device.

    Raises:
        ConfigurationError: sounddevice or PortAudio is not installed, there is no such speaker, or
            it can't be used.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self._hear: Callable[[list[Mark | int]], None] | None = None
        self.player = open_player(device, self._tell)

    def tell(self, hear: Callable[[list[Mark | int]], None]) -> None:
        """Has somebody told what the device does, on a thread of its own."""
        self._hear = hear

    def close(self) -> None:
        """Frees the device; blocks."""
        self.player.close()

    def _tell(self, marks: list[Mark | int]) -> None:
        if self._hear is not None:  # before, there was nothing to play
            self._hear(marks)
