"""The last step before a server that takes some things otherwise: its audio rate, its own forms.

Above it, all audio is at 24 kHz and all settings are of one dialect, whatever the server takes.
"""

from __future__ import annotations

import base64

from realtime_nb.audio.pcm import SAMPLE_RATE, Resampler
from realtime_nb.protocol.dialect import lifted, with_wrapped_tools
from realtime_nb.protocol.events import JsonObject
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.profiles import profile_of
from realtime_nb.session.transport import Transport

__all__ = ["EdgeTransport", "at_edge"]

_APPEND = "input_audio_buffer.append"
_ENDS = ("input_audio_buffer.commit", "input_audio_buffer.clear")


def at_edge(transport: Transport, endpoint: Endpoint) -> Transport:
    """Returns a transport to a server, with what it takes otherwise; itself where that is nothing.

    Args:
        transport: open.
        endpoint: what is at its other end.
    """
    known = profile_of(endpoint.kind)
    special = known is not None and (known.flat or known.wrapped_tools)
    if endpoint.input_rate == SAMPLE_RATE and not special:
        return transport
    return EdgeTransport(transport, endpoint)


class EdgeTransport:
    """A transport that puts what it sends into the server's form.

    Args:
        inner: carries it.
        endpoint: what is at its other end.
    """

    def __init__(self, inner: Transport, endpoint: Endpoint) -> None:
        self._inner = inner
        known = profile_of(endpoint.kind)
        self._flat = () if known is None else known.flat
        self._wraps_tools = known is not None and known.wrapped_tools
        self._resampler = Resampler(SAMPLE_RATE, endpoint.input_rate)

    async def send(self, event: JsonObject) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        name = event.get("type")
        if name == _APPEND:
            await self._append(event)
            return
        if name in _ENDS:  # the filter still holds some milliseconds of what is committed
            await self._append({"type": _APPEND, "audio": ""}, last=True)
        if self._flat:
            event = lifted(event, self._flat)
        await self._inner.send(with_wrapped_tools(event) if self._wraps_tools else event)

    async def _append(self, event: JsonObject, last: bool = False) -> None:
        pcm = self._resampler.process_pcm(base64.b64decode(event["audio"]), last)
        if pcm:
            await self._inner.send({**event, "audio": base64.b64encode(pcm).decode("ascii")})

    async def receive(self) -> JsonObject:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        return await self._inner.receive()

    async def close(self) -> None:
        """Implements :class:`~realtime_nb.session.transport.Transport`."""
        await self._inner.close()

    async def ping(self) -> None:
        """Returns when the other end has answered a ping; at once where it can't be asked."""
        ping = getattr(self._inner, "ping", None)
        if ping is not None:
            await ping()
