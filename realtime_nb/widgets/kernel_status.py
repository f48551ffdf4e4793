"""Keeps a kernel from being called busy for every message of audio.

ipykernel says "busy" and "idle" around each message that it handles, those on a widget's comm too.
JupyterLab draws the kernel's state in several places, the icon of the browser's tab among them, and
25 messages a second made that dearer than all the audio. The "busy" of our own comms is left out
while no cell runs. The "idle" stays: by it the front end forgets the message.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

__all__ = ["keep_status_quiet"]


class _Kernel(Protocol):
    """What of ipykernel's kernel is touched."""

    def _publish_status(self, status: str, channel: str, parent: Any = None) -> None: ...
    def get_parent(self, channel: str) -> Any: ...


class _QuietStatus:
    """Takes the place of a kernel's ``_publish_status``."""

    def __init__(self, kernel: _Kernel) -> None:
        self.comms: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
        self._kernel = weakref.ref(kernel)
        self._publish = type(kernel)._publish_status
        self._others_busy = False

    def __call__(self, status: str, channel: str, parent: Any = None) -> None:
        kernel = self._kernel()
        if kernel is None:
            return
        if not self._ours(parent or kernel.get_parent(channel)):
            if channel == "shell":
                self._others_busy = status == "busy"
        elif status == "busy" and not self._others_busy:
            return
        self._publish(kernel, status, channel, parent)

    def _ours(self, parent: Any) -> bool:
        if not parent or parent.get("header", {}).get("msg_type") != "comm_msg":
            return False
        return parent.get("content", {}).get("comm_id") in self.comms


def keep_status_quiet(comm: object) -> None:
    """Leaves out the "busy" of the messages on a comm, for as long as the comm lives.

    Does nothing without a kernel, and where the kernel does not say its status in the known way.
    """
    kernel = getattr(comm, "kernel", None)
    if not all(hasattr(kernel, name) for name in ("_publish_status", "get_parent")):
        return
    quiet = vars(kernel).get("_publish_status")
    if not isinstance(quiet, _QuietStatus):
        quiet = _QuietStatus(kernel)  # type: ignore[arg-type]
        kernel._publish_status = quiet  # type: ignore[union-attr]
    quiet.comms[comm.comm_id] = comm  # type: ignore[attr-defined]
