"""A connection that is lost twice while the user speaks: what was said whole is there once, and
answered; what was cut short is nowhere."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

import realtime_nb as rt
from realtime_nb.testing import Drop, run_on_virtual_clock, silence, tone
from realtime_nb.testing.faults import Fault
from tests.session.lost_connections import Servers, Thinking, users
from tests.session.test_returning_spoken import Measuring

SPOKEN = silence(300) + tone(800) + silence(900)
CHUNK = 4_800  # bytes: 100 ms
VOICE_ENDS = 11 * CHUNK


async def talk(*faults: list[Fault]) -> tuple[rt.Session, Thinking]:
    """A user who says the sentence until no loss cut it short."""
    llm = Thinking()
    servers = Servers(llm, *faults, stt=Measuring())
    policy = rt.Reconnect(first_s=0.3, jitter=False)
    async with servers, rt.connect(transport=servers.dial, reconnect=policy) as session:
        cut_short = True
        while cut_short:
            known = len(session.reconnections)
            for start in range(0, len(SPOKEN), CHUNK):
                await session.append(SPOKEN[start : start + CHUNK])
                await session._driver.until(lambda: False, 0.1)
                if session.reconnecting:
                    break
            stopped = start
            await session._driver.until(lambda: False, 1)
            await session._driver.until(lambda: not session.reconnecting, 30)
            await session.settled()
            await session._driver.until(lambda: not session.reconnecting, 30)
            gaps = session.reconnections[known:]
            cut_short = stopped < VOICE_ENDS or any(gap.user_cut_off for gap in gaps)
        await session.settled()
    return session, llm


first = st.one_of(
    st.integers(3, 20).map(rt.testing.sent),  # of the audio, mostly
    st.integers(3, 24).map(rt.testing.received),
)
second = st.one_of(
    st.integers(1, 16).map(rt.testing.sent), st.integers(1, 16).map(rt.testing.received)
)


@settings(max_examples=40)
@given(first, st.booleans(), second, st.booleans())
@example(rt.testing.sent(10), True, rt.testing.sent(2), True)  # cut short, then lost in restoring
@example(rt.testing.received("input_audio_buffer.committed"), True, rt.testing.received(2), True)
def test_it_is_there_once_whenever_both_are_lost(
    moment: rt.testing.Moment, passes: bool, again: rt.testing.Moment, again_passes: bool
) -> None:
    faults: list[list[Fault]] = [[Drop(moment, passes=passes)], [Drop(again, passes=again_passes)]]
    session, llm = run_on_virtual_clock(talk(*faults))
    assert users(llm.requests[-1].items) == ["800 ms"]
    talked = session.conversation.transcript()
    assert [text for role, text in talked if role == "user"] == ["800 ms"]
    assert talked[-1] == ("assistant", "You said 800 ms")
    assert session.conversation.errors == []
