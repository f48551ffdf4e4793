"""What views have in common whose page fetches a recording's sound while it is heard."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator

from realtime_nb.widgets.live import PageMessage
from realtime_nb.widgets.view import Outgoing, View

__all__ = ["SoundView"]


class SoundView(View):
    """A view that answers its page's requests for sound; a saved notebook has none of it."""

    def on_message(self, message: PageMessage, buffers: list[memoryview]) -> None:
        """Takes a message of the page; when it stops, it needs nothing more."""
        if message["kind"] == "stop":
            self._withdraw("audio")
        else:
            super().on_message(message, buffers)

    @abstractmethod
    def _block(self, start_s: float, end_s: float) -> bytes | None:
        """Returns PCM16 stereo at 24 kHz from the first moment on, no longer than is sensible in
        one message; None where there is no sound."""

    def _answer(self, request: PageMessage) -> Iterator[Outgoing]:
        match request:
            case {"kind": "audio", "start_s": int() | float() as start_s, "end_s": end_s} if (
                isinstance(end_s, int | float) and start_s < end_s
            ):
                pcm = self._block(start_s, end_s)
                if pcm is not None:
                    message = {"kind": "audio", "run": request.get("run"), "start_s": start_s}
                    yield message, [pcm]
