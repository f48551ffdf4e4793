"""Records the sessions that come with the package (realtime_nb/samples/recordings).

Recorded voices of tests/data talk with the local server, in real time: it takes two minutes.

    python scripts/record_samples.py
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

import realtime_nb as rt
from realtime_nb.local.llm import Call, ScriptedLLM
from realtime_nb.recordings.samples import SAMPLE_RECORDINGS, pack

ROOT = Path(__file__).parents[1]
VOICES = ROOT / "tests" / "data"
PACKED = ROOT / "realtime_nb" / "samples" / "recordings"

HANDS = (  # cards that somebody reads out: files, and the pauses between them, in seconds
    ("cards_001", 0.10, "cards_003"),
    ("cards_002", 0.55, "cards_001"),
    ("cards_005", 0.25, "cards_003"),
)
VOICE_ENDS_S = {"cards_001": 0.95, "cards_003": 1.30}
"""Where the voice ends in a file, read off the waveform."""


async def first_conversation(folder: Path) -> rt.Session:
    """Two questions, two answers."""
    async with rt.connect(
        "local", instructions="You are a friendly receptionist.", record=folder
    ) as session:
        for name in ("austen_0880", "austen_0930"):
            await session.play(VOICES / f"{name}.wav")
            await session.settled()
    return session


async def interrupted(folder: Path) -> rt.Session:
    """The user talks over the agent."""
    llm = ScriptedLLM(
        [
            "I could read the whole chapter to you, with all that the family said of it, and it "
            "would take us the rest of the afternoon.",
            "Ten of clubs it is.",
        ]
    )
    async with (
        rt.serve(llm=llm) as server,
        rt.connect(server.url, api_key=server.token, record=folder) as session,
    ):
        await session.play(VOICES / "austen_0890.wav")
        await session.wait_for("response.output_audio.delta")
        await asyncio.sleep(1.5)
        await session.play(VOICES / "cards_001.wav")
        await session.settled()
    return session


@rt.tool(filler="Let me look these up.", filler_after_s=0.8)
async def value_of(rank: str, suit: str) -> int:
    """Looks up what a card is worth."""
    if suit == "hearts":
        raise LookupError("there is no price list for hearts")
    await asyncio.sleep(3.0 if suit == "clubs" else 0.2)
    return {"four": 4, "eight": 8}[rank]


async def parallel_tools(folder: Path) -> rt.Session:
    """Three functions at once."""
    cards = (("eight", "spades"), ("four", "clubs"), ("seven", "hearts"))
    calls = [
        Call("value_of", f'{{"rank": "{rank}", "suit": "{suit}"}}', f"call_{suit}")
        for rank, suit in cards
    ]
    answer = "The eight is worth eight, the four is worth four. I have no prices for hearts."

    def reply(request: Any) -> Any:
        outputs = [item for item in request.items if item["type"] == "function_call_output"]
        if "Let me look" in request.instructions:
            return "Let me look these up."
        return answer if len(outputs) == len(cards) else calls

    async with (
        rt.serve(llm=ScriptedLLM([reply] * 9)) as server,
        rt.connect(server.url, api_key=server.token, tools=[value_of], record=folder) as session,
    ):
        await session.play(VOICES / "cards_005.wav")
        await session.settled()
    return session


async def cut_short(folder: Path) -> rt.Session:
    """A server that takes 300 ms of silence for the end; marks tell where the user's turns end."""
    llm = ScriptedLLM(["Thank you. What else?"] * 9)
    detection = rt.ServerVAD(silence_duration_ms=300)
    ends_s = []
    async with (
        rt.serve(llm=llm) as server,
        rt.connect(
            server.url, api_key=server.token, turn_detection=detection, record=folder
        ) as session,
    ):
        for first, pause_s, last in HANDS:
            begins_s = session.conversation.input_ms / 1000
            one, rate = soundfile.read(VOICES / f"{first}.wav")
            other, _ = soundfile.read(VOICES / f"{last}.wav")
            pause = np.zeros(round(pause_s * rate))
            soundfile.write(folder / "hand.wav", np.concatenate([one, pause, other]), rate)
            await session.play(folder / "hand.wav")
            await session.settled()
            ends_s.append(begins_s + len(one) / rate + pause_s + VOICE_ENDS_S[last])
    recording = rt.load(str(session.recording))
    for end_s in ends_s:
        recording.label(recording.input_clock.wall(1000 * end_s), "speech end")
    return session


async def lost_connection(folder: Path) -> rt.Session:
    """A connection that is lost in the middle of an answer."""
    words = "You are a friendly receptionist."
    drop = rt.testing.Drop(rt.testing.received("response.output_audio.delta", nth=8), passes=True)
    async with (
        rt.serve() as server,
        rt.testing.FaultyNetwork(server, [drop]) as url,
        rt.connect(url, api_key=server.token, instructions=words, record=folder) as session,
    ):
        await session.say("My name is Ada.")
        await session.wait_for("connection.reconnected")
        await session.settled()
        await session.play(VOICES / "austen_0880.wav")
        await session.settled()
        await session.say("What is my name?")
        await session.settled()
    return session


RECORDED: dict[str, Callable[[Path], Coroutine[Any, Any, rt.Session]]] = {
    one.__name__: one
    for one in (first_conversation, interrupted, parallel_tools, cut_short, lost_connection)
}


def main() -> None:
    """Records all of them, anew."""
    assert list(RECORDED) == list(SAMPLE_RECORDINGS)
    for name, record in RECORDED.items():
        with tempfile.TemporaryDirectory() as folder:
            session = asyncio.run(record(Path(folder)))
            shutil.rmtree(PACKED / name, ignore_errors=True)
            pack(Path(str(session.recording)), PACKED / name)
        kilobytes = sum(path.stat().st_size for path in (PACKED / name).iterdir()) / 1000
        print(f"{name}: {kilobytes:.0f} kB")
        for role, text in session.conversation.transcript():
            print(f"  {role:>9}: {text}")


if __name__ == "__main__":
    main()
