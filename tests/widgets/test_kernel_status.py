from __future__ import annotations

import gc
from typing import Any

from realtime_nb.widgets.kernel_status import keep_status_quiet


class Kernel:
    """Says its status as ipykernel does."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.parent: dict[str, Any] = {}

    def get_parent(self, channel: str) -> dict[str, Any]:
        return self.parent if channel == "shell" else {}

    def _publish_status(self, status: str, channel: str, parent: Any = None) -> None:
        self.said.append(f"{channel} {status}")

    def say(self, status: str, comm_id: str = "", kind: str = "comm_msg") -> None:
        self.parent = {"header": {"msg_type": kind}, "content": {"comm_id": comm_id}}
        self._publish_status(status, "shell")


class Comm:
    def __init__(self, kernel: Kernel | None, comm_id: str) -> None:
        self.kernel = kernel
        self.comm_id = comm_id


def test_our_messages_make_nothing_busy() -> None:
    kernel = Kernel()
    ours = Comm(kernel, "ours")
    keep_status_quiet(ours)

    for status in ("busy", "idle"):
        kernel.say(status, "ours")
    assert kernel.said == ["shell idle"]


def test_what_others_do_is_told_as_ever() -> None:
    kernel = Kernel()
    ours = Comm(kernel, "ours")
    keep_status_quiet(ours)

    for status in ("busy", "idle"):
        kernel.say(status, "another")
        kernel.say(status, kind="execute_request")
        kernel._publish_status(status, "control")
    assert kernel.said == [*["shell busy"] * 2, "control busy", *["shell idle"] * 2, "control idle"]


def test_while_a_cell_runs_the_kernel_is_busy_for_us_too() -> None:
    kernel = Kernel()
    ours = Comm(kernel, "ours")
    keep_status_quiet(ours)

    kernel.say("busy", kind="execute_request")
    for status in ("busy", "idle"):
        kernel.say(status, "ours")
    kernel.say("idle", kind="execute_request")
    for status in ("busy", "idle"):
        kernel.say(status, "ours")
    assert kernel.said == ["shell busy", "shell busy", "shell idle", "shell idle", "shell idle"]


def test_it_is_put_in_once_and_ends_with_its_comm() -> None:
    kernel = Kernel()
    comms = [Comm(kernel, name) for name in ("one", "two")]
    for comm in comms:
        keep_status_quiet(comm)
    kernel.say("busy", "one")
    kernel.say("busy", "two")
    assert kernel.said == []

    del comm
    comms.clear()
    gc.collect()
    kernel.say("busy", "one")
    assert kernel.said == ["shell busy"]


def test_without_a_kernel_nothing_happens() -> None:
    keep_status_quiet(Comm(None, "ours"))
    keep_status_quiet(object())
