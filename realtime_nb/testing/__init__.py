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
"""

from realtime_nb.testing.clock import VirtualClockLoop, run_on_virtual_clock
from realtime_nb.testing.engines import FakeSTT, FakeTTS, fake_engines
from realtime_nb.testing.servers import MemoryServer, ScriptedServer
from realtime_nb.testing.signals import CountingIds, LoudnessDetector, appends, silence, tone

__all__ = [
    "CountingIds",
    "FakeSTT",
    "FakeTTS",
    "LoudnessDetector",
    "MemoryServer",
    "ScriptedServer",
    "VirtualClockLoop",
    "appends",
    "fake_engines",
    "run_on_virtual_clock",
    "silence",
    "tone",
]
