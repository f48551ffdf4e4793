"""The last step before a server: rates and forms that only it has."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from realtime_nb.audio.pcm import samples_from_pcm
from realtime_nb.session.edge import EdgeTransport, at_edge
from realtime_nb.session.endpoints import Endpoint
from realtime_nb.session.transport import memory_pair
from realtime_nb.testing import tone

URL = "wss://example.org/v1/realtime"
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}


def edge(endpoint: Endpoint) -> tuple[EdgeTransport, list[dict[str, object]]]:
    ours, _theirs = memory_pair()
    found = at_edge(ours, endpoint)
    assert isinstance(found, EdgeTransport)
    sent: list[dict[str, object]] = []

    async def keep(event: dict[str, object]) -> None:
        sent.append(event)

    ours.send = keep  # type: ignore[method-assign]
    return found, sent


@pytest.mark.parametrize("kind", ["url", "openai", "localai", "speaches"])
def test_most_servers_need_none(kind: str) -> None:
    ours, _ = memory_pair()
    assert at_edge(ours, Endpoint(URL, kind=kind)) is ours


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("step", [480, 4_801, 48_000])
async def test_audio_is_at_the_server_s_rate(rate: int, step: int) -> None:
    transport, sent = edge(Endpoint(URL, input_rate=rate))
    pcm = tone(1_000, hz=440.0)
    for start in range(0, len(pcm), 2 * step):
        audio = base64.b64encode(pcm[start : start + 2 * step]).decode()
        await transport.send({"type": "input_audio_buffer.append", "audio": audio})
    await transport.send({"type": "input_audio_buffer.commit"})

    *appends, commit = sent
    assert commit == {"type": "input_audio_buffer.commit"}
    heard = samples_from_pcm(b"".join(base64.b64decode(str(one["audio"])) for one in appends))
    assert len(heard) == pytest.approx(rate, abs=2)
    loudest = int(np.argmax(np.abs(np.fft.rfft(heard))))
    assert loudest * rate / len(heard) == pytest.approx(440, abs=2)


async def test_xai_has_two_settings_at_the_top() -> None:
    transport, sent = edge(Endpoint(URL, kind="xai"))
    audio = {"input": {"turn_detection": None}, "output": {"voice": "eve", "speed": 1.0}}
    given = {"type": "session.update", "session": {"output_modalities": ["audio"], "audio": audio}}
    await transport.send(given)
    assert sent[0]["session"] == {
        "output_modalities": ["audio"],
        "voice": "eve",
        "turn_detection": None,
        "audio": {"output": {"speed": 1.0}},
    }
    assert given["session"] == {"output_modalities": ["audio"], "audio": audio}


async def test_alibaba_wraps_functions() -> None:
    transport, sent = edge(Endpoint(URL, kind="alibaba"))
    wrapped = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    for name, key in (("session.update", "session"), ("response.create", "response")):
        await transport.send({"type": name, key: {"tools": [TOOL, wrapped]}})
        assert sent[-1][key] == {"tools": [wrapped, wrapped]}
    await transport.send({"type": "response.create"})
    assert sent[-1] == {"type": "response.create"}


async def test_it_can_be_asked_whether_somebody_is_there_and_closed() -> None:
    ours, theirs = memory_pair()
    transport = at_edge(ours, Endpoint(URL, kind="xai"))
    await theirs.send({"type": "x"})
    assert await transport.receive() == {"type": "x"}
    await transport.ping()  # type: ignore[attr-defined]
    await transport.close()
    with pytest.raises(Exception, match="closed"):
        await theirs.receive()
