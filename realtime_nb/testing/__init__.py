"""Fakes for tests of voice agents: servers in memory, a clock that jumps, plain signals.

Nothing here needs a model, a socket or the passing of time, so what a test sees is the same every
time::

    async def conversation():
        async with MemoryServer(ScriptedLLM(["Good morning."])) as server:
            async with rt.connect(transport=server.transport) as session:
                await session.speak(tone(800))
                assert await session.settled()

    run_on_virtual_clock(conversation())       # some seconds of talk in a few milliseconds

    ids = CountingIds()
    ids("item"), ids("item"), ids("resp")      # item_1, item_2, resp_1

    turn = silence(500) + tone(800) + silence(600)
    probabilities = LoudnessDetector().push(turn)

What goes wrong between a client and a server, at any event, byte or time, by a seed::

    faults = [Delay(received("response.created"), ms=300), Drop(sent_bytes(40_000), code=1011)]
    async with FaultyNetwork(server, faults) as url:            # a real server, over sockets
        async with rt.connect(url, api_key=server.token) as session: ...

    FaultyTransport(memory_server.transport, faults)            # the same in memory

Other vendors' servers, with their documented ways::

    async with VendorServer("alibaba") as server:
        async with rt.connect(endpoint, transport=server.transport) as session: ...
"""

from realtime_nb.local.llm import Call, ScriptedLLM, Text
from realtime_nb.testing.clock import VirtualClockLoop, run_on_virtual_clock
from realtime_nb.testing.engines import FakeSTT, FakeTTS, fake_engines
from realtime_nb.testing.faults import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    Fault,
    HalfOpen,
    Moment,
    Refuse,
    SlowHandshake,
    Throttle,
    expiry,
    randomly,
    received,
    received_bytes,
    sent,
    sent_bytes,
)
from realtime_nb.testing.faulty_network import FaultyNetwork
from realtime_nb.testing.faulty_transport import FaultyTransport
from realtime_nb.testing.passed import Passed
from realtime_nb.testing.servers import MemoryServer, ScriptedServer
from realtime_nb.testing.signals import CountingIds, LoudnessDetector, appends, silence, tone
from realtime_nb.testing.vendors import VENDORS, VendorServer

__all__ = [
    "VENDORS",
    "Call",
    "Corrupt",
    "CountingIds",
    "Delay",
    "Drop",
    "Duplicate",
    "FakeSTT",
    "FakeTTS",
    "Fault",
    "FaultyNetwork",
    "FaultyTransport",
    "HalfOpen",
    "LoudnessDetector",
    "MemoryServer",
    "Moment",
    "Passed",
    "Refuse",
    "ScriptedLLM",
    "ScriptedServer",
    "SlowHandshake",
    "Text",
    "Throttle",
    "VendorServer",
    "VirtualClockLoop",
    "appends",
    "expiry",
    "fake_engines",
    "randomly",
    "received",
    "received_bytes",
    "run_on_virtual_clock",
    "sent",
    "sent_bytes",
    "silence",
    "tone",
]
