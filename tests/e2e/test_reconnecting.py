"""The server is killed and started again while a person talks, in a real page."""

from __future__ import annotations

import json
from pathlib import Path

import soundfile

from realtime_nb.audio.files import load_audio
from tests.e2e.conftest import OpenPage
from tests.paths import ROOT

SERVER = """
import json, signal, socket, subprocess, sys
import realtime_nb as rt
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
def serve():
    command = [sys.executable, "-m", "realtime_nb", "serve", "--json", "--token", "secret-token"]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.PIPE, text=True)
    json.loads(process.stdout.readline())
    return process
server = serve()
agent = rt.Agent(f"ws://127.0.0.1:{port}/v1/realtime", api_key="secret-token")
"""
FACTS = """
gap = agent.session.reconnections[0]
print(json.dumps({
    "gaps": len(agent.session.reconnections), "lost_ms": gap.audio_lost_ms,
    "not_restored": gap.not_restored, "errors": [str(e) for e in agent.conversation.errors],
    "said": agent.conversation.transcript(),
}))
"""


def test_the_server_is_killed_while_a_person_talks(
    open_page: OpenPage, screenshots: Path, tmp_path: Path
) -> None:
    wav = tmp_path / "talk.wav"
    samples = load_audio(ROOT / "realtime_nb/samples/austen_0880.wav")
    soundfile.write(wav, samples, 24_000, subtype="PCM_16")
    page = open_page(wav, size=(1100, 1000))
    page.run(SERVER)
    page.show("agent")
    panel = page.page.locator(".rtnb-panel").first
    field = page.page.get_by_role("textbox", name="Message")
    page.page.get_by_role("button", name="Connect", exact=True).click()
    page.page.get_by_text("ready", exact=True).wait_for()
    field.fill("My name is Ada.")
    field.press("Enter")
    page.page.get_by_role("log").get_by_text("Nice to meet you, Ada.").wait_for()
    page.wait_for("agent.settled(30).result(40)")

    page.page.get_by_role("button", name="Talk", exact=True).click()
    page.wait_for("agent.conversation.turn == 'speaking'")
    page.run("server.kill(); server.wait()")
    panel.get_by_text("reconnecting", exact=True).wait_for()
    panel.get_by_text("Nobody hears you until it is back").first.wait_for()
    page.page.screenshot(path=screenshots / "reconnecting.png")
    page.run("server = serve()")
    page.wait_for("agent.session.reconnections[0].reconnected_s is not None", timeout_s=60)
    panel.get_by_text("please say again what you said").first.wait_for()
    page.page.screenshot(path=screenshots / "reconnected.png")
    page.page.get_by_role("button", name="Stop talking", exact=True).click()
    page.wait_for("agent.settled(60).result(70)", timeout_s=80)

    field.fill("What is my name?")
    field.press("Enter")
    page.page.get_by_role("log").get_by_text("You are Ada.").wait_for()
    facts = json.loads(page.run(FACTS))
    assert facts["gaps"] == 1
    assert facts["lost_ms"] > 0
    assert facts["errors"] == []
    assert ["assistant", "You are Ada."] in facts["said"]
    page.run("agent.close(); server.kill(); server.wait()")
