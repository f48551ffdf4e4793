from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime_nb as rt
from realtime_nb.agent.vad_lab import VADLab
from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.local.llm import ScriptedLLM
from realtime_nb.session.session import Session
from realtime_nb.testing import FakeSTT, MemoryServer, silence
from tests.agent import agents
from tests.paths import DATA
from tests.virtual import virtual
from tests.widgets.pages import ListeningPage

make, server, voice = agents.make, agents.server, agents.voice
fake_comms = agents.fake_comms

VOICE = DATA / "austen_0880.wav"


@asynccontextmanager
async def opened(folder: Path | None = None, **options: Any) -> AsyncIterator[Session]:
    async with (
        MemoryServer(ScriptedLLM(["Well.", "Fine."]), stt=FakeSTT("one")) as there,
        rt.connect(transport=there.transport, record=folder, **options) as session,
    ):
        yield session


def facts(lab: VADLab) -> dict[str, Any]:
    """What a page is told of a lab when it comes."""
    page = ListeningPage(lab.panel)
    page.say("show")
    [message] = [one for one in page.take() if one["kind"] == "lab"]
    return message


@virtual
async def test_settings_are_asked_for_whole_and_pending_until_the_server_confirms() -> None:
    async with opened(turn_detection=rt.ServerVAD(threshold=0.4)) as session:
        lab = rt.VADLab(session)
        await session.play(VOICE)
        before = lab.config
        assert before is not None
        assert lab.code == (
            "rt.ServerVAD(threshold=0.4, prefix_padding_ms=300, silence_duration_ms=500)"
        )
        asked = lab.update(threshold=0.7)
        await asyncio.sleep(0)
        told = facts(lab)["told"]
        assert told["settings"]["turn_detection"]["threshold"] == 0.4
        assert told["pending"]["turn_detection"] == {**before, "threshold": 0.7}
        await asked
        assert lab.config == {**before, "threshold": 0.7}
        in_force = session.conversation.turn_detection
        assert in_force is not None
        assert {**before, **in_force, "threshold": 0.7} == in_force
        assert facts(lab)["told"]["pending"] == {}
        assert "threshold 0.4 → 0.7" in lab.diff()
        assert list(lab.history["change"])[-1] == "threshold 0.4 → 0.7"
        await lab.undo()
        assert lab.config == before
        await lab.redo()
        assert lab.config == {**before, "threshold": 0.7}


@virtual
async def test_what_can_not_be_is_refused_with_what_can() -> None:
    async with opened() as session:
        lab = rt.VADLab(session)
        with pytest.raises(rt.ConfigurationError, match="threshold"):
            lab.update(threshold=1.5)
        with pytest.raises(rt.ConfigurationError, match="Did you mean 'threshold'"):
            lab.update(treshold=0.5)
        with pytest.raises(rt.ConfigurationError, match="undo"):
            lab.undo()
        with pytest.raises(rt.ConfigurationError, match="nobody"):
            lab.promote("nobody")
        with pytest.raises(rt.ConfigurationError, match="not_finished"):
            lab.label("loud")  # type: ignore[arg-type]
        with pytest.raises(rt.ConfigurationError, match="speak first"):
            lab.label("not_me")
        for value in ({"threshold": -1}, {"silence_duration_ms": "long"}, 17):
            with pytest.raises(rt.ConfigurationError):
                lab.ghosts["odd"] = value
        assert len(lab.ghosts) == 0


@virtual
async def test_what_a_button_may_not_do_is_said_in_the_panel() -> None:
    async with opened() as session:
        lab = rt.VADLab(session)
        page = ListeningPage(lab.panel)
        page.say("show")
        page.take()
        page.say("command", name="label", value=["not_me", None])
        [told] = [one for one in page.take() if one["kind"] == "lab"]
        assert "speak first" in told["facts"]["error"]
        assert told["told"]["settings"]["refusals"] == 1  # so that nothing stays pending
        page.say("command", name="read_error")
        assert page.take()[-1]["facts"]["error"] == ""


@virtual
async def test_in_vad_only_mode_nothing_is_answered() -> None:
    async with opened() as session:
        lab = rt.VADLab(session)
        lab._command("vad_only", True)
        await session.wait_for("session.updated")
        assert facts(lab)["facts"]["vad_only"] is True
        await session.play(VOICE)
        await session.settled()
        assert lab.scores()["turns"][0] == 1
        assert not session.conversation.responses


@virtual
async def test_ghosts_run_beside_and_one_is_promoted() -> None:
    async with opened() as session:
        lab = rt.VADLab(session, ghosts={"deaf": {"threshold": 1.0}})
        await session.play(VOICE)
        await session.settled()
        lab.ghosts["same"] = lab.config
        assert list(lab.scores()["name"]) == ["live", "deaf", "same"]
        assert list(lab.scores()["turns"]) == [1, 0, 1]
        found = lab.agreement
        assert found is not None
        assert (found.share, found.offset_ms) == (1.0, 0.0)
        await lab.promote("deaf")
        assert lab.config is not None
        assert lab.config["threshold"] == 1.0
        del lab.ghosts["same"]
        assert list(lab.scores()["name"]) == ["live", "deaf"]
        for number in range(5):
            lab.ghosts[str(number)] = {"threshold": 0.1 * number}
        with pytest.raises(rt.ConfigurationError, match="6"):
            lab.ghosts["seventh"] = {}
        assert "seventh" not in lab.ghosts


@virtual
async def test_a_label_turns_a_score_and_is_in_the_recording(tmp_path: Path) -> None:
    async with opened(tmp_path) as session:
        lab = rt.VADLab(session)
        await session.play(VOICE)
        await session.settled()
        before = lab.scores()
        assert before["false_starts"].isna().all()
        assert "label" in before.attrs["reasons"]["live"]["false_starts"]
        lab.label("not_me")
        after = lab.scores()
        assert (after["false_starts"][0], after["precision"][0]) == (1, 0)
        lab._command("remove_label", None)
        assert lab.scores()["false_starts"].isna().all()
        lab.label("not_finished")
        recording = lab.recording
    assert recording is not None
    assert set(rt.load(recording).labels["text"]) == {"not finished"}
    written = (recording / "labels.jsonl").read_text("utf-8")  # what was written stays
    assert [line.split('"')[-2] for line in written.splitlines()] == [
        *("not me", "removed: not me", "not finished")
    ]
    again = rt.VADLab(recording)
    assert "not_finished" in [label.kind for label in again.labels]


@virtual
async def test_a_label_that_is_made_after_the_session_is_in_the_recording_too(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as session:
        lab = rt.VADLab(session)
        await session.play(VOICE)
        await session.settled()
    assert session.closed
    assert lab.recording is not None
    await asyncio.sleep(5)  # by now the clock stands behind the end
    lab.label("not_me")
    lab.remove_label()
    lab.label("not_finished")
    assert facts(lab)["facts"]["error"] == ""
    rec = rt.load(lab.recording)
    assert list(rec.labels["text"]) == ["not finished"]
    assert rec.labels["t_s"].max() <= rec.duration_s
    assert [label.kind for label in rt.VADLab(lab.recording).labels] == ["not_finished"]


@virtual
async def test_a_lab_that_nobody_has_is_forgotten_and_the_session_goes_on() -> None:
    import gc
    import weakref

    async with opened() as session:
        gone = weakref.ref(rt.VADLab(session))
        gc.collect()
        assert gone() is None
        other = rt.VADLab(session)
        await session.append(silence(320))
        frames = other._lab_now().frame_count  # type: ignore[union-attr]
        other.close()
        await session.append(silence(320))
        assert other._lab_now().frame_count == frames == 10  # type: ignore[union-attr]
        await session.update(instructions="Go on.")


def test_without_a_session_it_says_what_to_do() -> None:
    lab = rt.VADLab()
    assert "rt.VADLab(agent)" in lab.panel.summary()
    assert facts(lab)["facts"]["shows"] == "none"
    assert (lab.config, lab.code, lab.recording, lab.diff()) == (None, "", None, "")
    assert len(lab.scores()) == len(lab.history) == 0
    with pytest.raises(rt.ConfigurationError, match="nothing to listen to"):
        lab.update(threshold=0.5)
    with pytest.raises(rt.ConfigurationError, match="VADLab shows"):
        rt.VADLab(17)  # type: ignore[arg-type]
    with pytest.raises(rt.ConfigurationError, match="engine"):
        rt.VADLab(engine="crystal ball")
    with pytest.raises(rt.ConfigurationError, match="threshold"):
        rt.VADLab(ghosts={"odd": {"threshold": 7}})
    with pytest.raises(rt.RecordingError, match="does not exist"):
        rt.VADLab("nowhere")


def test_settings_are_tried_on_the_audio_of_a_file() -> None:
    lab = rt.VADLab(VOICE, ghosts={"patient": {"silence_duration_ms": 2_000}})
    assert lab.config is not None
    assert lab.config["silence_duration_ms"] == 500
    assert list(lab.scores()["name"]) == ["yours", "patient"]
    first = lab.scores()["turns"][0]
    lab.update(threshold=1.0).result(1)
    assert (first >= 1, lab.scores()["turns"][0]) == (True, 0)
    assert "threshold 0.5 → 1" in lab.diff()
    assert "0 turns instead of" in lab.diff()
    lab.undo().result(1)
    assert lab.scores()["turns"][0] == first
    lab.promote("patient").result(1)
    assert lab.config["silence_duration_ms"] == 2_000
    assert len(lab.history) == 4
    lab.label_speech(0.5, 1.5)
    assert lab.scores()["recall"].notna().all()
    with pytest.raises(rt.ConfigurationError, match="overlaps"):
        lab.label_speech(1.0, 2.0)
    with pytest.raises(rt.ConfigurationError, match="Push-to-talk"):
        lab.update(type="none")
    message = facts(lab)
    assert message["facts"]["shows"] == "recording"
    assert "not kept" in message["facts"]["error"]  # a file has no place for labels


def test_a_file_with_too_little_silence_is_not_calibrated_on() -> None:
    lab = rt.VADLab(VOICE)
    lab._command("calibrate", None)
    told = facts(lab)["facts"]
    assert "3 s of silence" in told["error"]
    assert told["calibration"]["phase"] == ""  # nor does it wait for a microphone


def test_a_lab_of_an_agent_shows_each_of_its_sessions(make: agents.MakeAgent) -> None:
    agent = make()
    lab = rt.VADLab(agent, ghosts={"eager": {"silence_duration_ms": 200}})
    assert "Press Connect" in lab.panel.summary()
    page = ListeningPage(lab.panel)
    page.say("show")
    assert ["Press Connect" in one["words"] for one in page.take() if "words" in one] == [True]
    for _ in range(2):
        agent.connect().result(agents.WAIT_S)
        assert "Press Connect" not in lab.panel.summary()
        assert [one["words"] for one in page.take() if "words" in one] in ([""], [])
        assert lab.config is not None
        assert lab.config["silence_duration_ms"] == 500
        assert list(lab.scores()["name"]) == ["live", "eager"]
        lab.update(threshold=0.8).result(agents.WAIT_S)
        assert lab.config["threshold"] == 0.8
        agent.disconnect().result(agents.WAIT_S)


@virtual
async def test_the_microphone_is_calibrated_and_the_proposal_used(tmp_path: Path) -> None:
    async with opened(turn_detection=rt.ServerVAD(threshold=1.0)) as session:
        lab = rt.VADLab(session)
        lab._command("calibrate", None)
        told = facts(lab)["facts"]["calibration"]
        assert (told["phase"], told["left_s"]) == ("quiet", 3.0)
        assert "Talk" in told["words"]  # no audio comes
        await session.append(silence(3_000))
        assert facts(lab)["facts"]["calibration"]["phase"] == "speech"
        said = load_audio(VOICE)
        await session.append(pcm_from_samples(np.resize(said, 24 * 5_000)))
        told = facts(lab)["facts"]["calibration"]
        assert told["phase"] == "done"
        assert told["words"]
        assert told["threshold"] is not None
        lab._command("use_calibration", None)
        await session.wait_for("session.updated")
        assert lab.config is not None
        assert lab.config["threshold"] == told["threshold"] < 1
        assert facts(lab)["facts"]["calibration"]["phase"] == ""
