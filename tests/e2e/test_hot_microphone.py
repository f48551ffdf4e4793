"""Talk is pressed, the cell goes while it connects: nobody may listen then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.e2e.conftest import OpenPage

SLOW = """
import asyncio
import realtime_nb as rt
agent = rt.Agent("local")
connect, go = agent._connect, asyncio.Event()
async def slowly():
    await go.wait()
    return await connect()
agent._connect = slowly
"""
DELETE = """(index) => {
  const panel = jupyterapp.shell.currentWidget;
  panel.content.model.sharedModel.deleteCell(index);
}"""
SILENT = "opened.tracks.every((track) => track.readyState === 'ended')"


@pytest.mark.parametrize("when", ["at once", "while it listens"])
def test_hot_microphone_of_a_deleted_cell(open_page: OpenPage, tmp_path: Path, when: str) -> None:
    wav = tmp_path / "noise.wav"
    noise = np.random.default_rng(1).normal(0, 0.05, 44_100 * 30)
    soundfile.write(wav, noise, 44_100, subtype="PCM_16")
    page = open_page(wav)
    page.run(SLOW)
    index = page.show("agent")
    page.page.get_by_role("button", name="Talk", exact=True).click()
    if when == "while it listens":
        page.wait_in_page("opened.tracks.length === 1")
    page.page.evaluate(DELETE, index)
    page.wait_in_page(SILENT)
    page.run("agent._thread.call(go.set)")
    page.wait_for("agent.connected")
    page.wait_for("not agent.panel.talking and agent._audio.microphone.status == 'off'")
    page.page.wait_for_timeout(1_000)  # for a late "start"
    assert page.page.evaluate(SILENT)
    page.run("agent.talk().result(20)")
    page.wait_for("not agent.panel.talking and agent._audio.microphone.status == 'off'")
    assert page.page.evaluate(SILENT)
    page.run("agent.close()")
