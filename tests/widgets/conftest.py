"""A page without a browser: what widgets send is kept, what a page would send is handed to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from realtime_nb.widgets.live import LiveWidget


class FakeComm(BaseComm):
    """Keeps what is sent."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        self.sent: list[tuple[str, dict[str, Any], list[bytes]]] = []
        super().__init__(*args, **keys)

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        self.sent.append((msg_type, data or {}, [bytes(buffer) for buffer in buffers or []]))


class FakePage:
    """The page's side of a widget."""

    def __init__(self, widget: LiveWidget, name: str = "page") -> None:
        self.name = name
        self._comm = widget.comm
        assert isinstance(self._comm, FakeComm)

    def send(self, message: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        content = {"t": 0.0, "page": self.name, **message}
        self.deliver({"method": "custom", "content": content}, buffers)

    def deliver(self, data: dict[str, Any], buffers: Sequence[bytes] = ()) -> None:
        views = [memoryview(buffer) for buffer in buffers]
        self._comm.handle_msg({"content": {"data": data}, "buffers": views})

    def hello(self) -> None:
        self.send({"kind": "link-hello"})

    def got(self, kind: str) -> list[dict[str, Any]]:
        """Custom messages of a kind that the widget has sent."""
        return [content for content, _ in self.messages() if content["kind"] == kind]

    def messages(self) -> list[tuple[dict[str, Any], list[bytes]]]:
        return [
            (data["content"], buffers)
            for kind, data, buffers in self._comm.sent
            if kind == "comm_msg" and data.get("method") == "custom"
        ]


@pytest.fixture(autouse=True)
def fake_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "create_comm", FakeComm)
