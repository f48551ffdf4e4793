"""The agent's panel in a real page: a voice goes in at the microphone, an answer comes out."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from realtime_nb.audio.pcm import SAMPLE_RATE
from realtime_nb.commands.bench.browser import open_browser
from realtime_nb.commands.bench.lab_page import Lab, wait_for_notebook
from realtime_nb.local.stt import load_stt
from tests.e2e import agent_page
from tests.e2e.agent_page import AMIABLE, YOUNG_MAN, ask, connect, press, show_agent, wait_for_words
from tests.e2e.conftest import OpenPage
from tests.e2e.played_sound import TAP, interrupted_ms, played

if TYPE_CHECKING:
    from playwright.sync_api import Page, Playwright

says = agent_page.says


def words_of(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


@pytest.mark.alone
def test_a_voice_goes_in_and_an_answer_comes_out(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN), own=True)
    page.page.evaluate(TAP)
    show_agent(page)
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "he was not an", "young man", "you said")
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    answer = page.run("print(agent.conversation.transcript()[-1][1])").strip()
    reports = str(ask(page, "agent._audio.page_speaker.statistics.underruns"))
    assert reports == "0"
    heard = load_stt("moonshine").transcribe(played(page).tobytes(), SAMPLE_RATE)
    said, understood = set(words_of(answer)), set(words_of(heard))
    assert len(said & understood) >= 0.8 * len(said), (answer, heard)
    press(page, "Stop talking")
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    press(page, "Disconnect")
    page.page.get_by_role("button", name="Connect", exact=True).wait_for()
    assert ask(page, "rt.load(agent.recording).complete") is True
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")


@pytest.mark.alone
@pytest.mark.parametrize(
    "cell",
    [
        "",
        "time.sleep(10)",
        "until = time.monotonic() + 10\nwhile time.monotonic() < until: sum(range(1000))",
    ],
    ids=["idle", "while a cell sleeps", "while a cell computes"],
)
def test_speech_stops_the_answer(open_page: OpenPage, says: Callable[..., Path], cell: str) -> None:
    page = open_page(says(YOUNG_MAN, 3.0, AMIABLE), own=True)
    page.page.evaluate(TAP)
    show_agent(page)
    connect(page)
    press(page, "Talk")
    if cell:
        page.result(page.start(f"{cell}\nended_s = agent._session.clock()"))
    wait_for_words(page, "young man", "amiable himself")
    heard = played(page)
    page.run(
        """
from realtime_nb.protocol.conversation import PlaybackReport
recording = rt.load(agent.disconnect().result(20) or agent.recording)
lines = [(line.t_s, line.event) for line in recording.raw_events()]
truncated_s, truncated = next(
    (t, e) for t, e in lines if e["type"] == "conversation.item.truncated")
started_s = max(t for t, e in lines
    if e["type"] == "input_audio_buffer.speech_started" and t < truncated_s)
item = agent.conversation.items[truncated["item_id"]]"""
    )
    facts = ask(
        page,
        "{'started_s': started_s, 'stopped_s': item.stopped_s, 'played_s': item.played_s,"
        " 'truncated_ms': truncated['audio_end_ms'], 'audio_ms': item.audio_ms,"
        f" 'ended_s': {'ended_s' if cell else 'None'}}}",
    )
    assert isinstance(facts, dict)
    first = interrupted_ms(heard)
    stopped_after_ms = (facts["stopped_s"] - facts["started_s"]) * 1000
    print(f"stopped after {stopped_after_ms:.0f} ms; played {first:.0f} ms; {facts}")
    assert facts["truncated_ms"] < facts["audio_ms"]
    assert stopped_after_ms <= 200
    assert abs(first - facts["truncated_ms"]) <= 100
    if cell:
        assert facts["stopped_s"] < facts["ended_s"]


def test_typed_messages_and_settings(open_page: OpenPage, says: Callable[..., Path]) -> None:
    page = open_page(says(YOUNG_MAN), size=(1100, 1000))
    show_agent(page)
    field = page.page.get_by_role("textbox", name="Message")
    field.fill("Please count to three")
    field.press("Enter")  # connects, too
    wait_for_words(page, "Please count to three", "one, two, three")
    page.page.get_by_role("tab", name="Settings", exact=True).click()
    page.page.get_by_label("Instructions").fill("You are a tailor.")
    page.page.get_by_label("Instructions").blur()
    page.wait_for("agent.conversation.session['instructions'] == 'You are a tailor.'")
    slider = page.page.get_by_role("slider", name="Silence")
    slider.fill("750")
    page.wait_for("agent.conversation.turn_detection['silence_duration_ms'] == 750")
    assert ask(page, "agent.conversation.turn_detection['threshold']") == 0.5
    page.page.get_by_label("Noise suppression").uncheck()
    page.wait_for("agent._audio.microphone.noise_suppression is False")
    press(page, "Talk")
    page.wait_for("agent._audio.microphone.applied.get('noise_suppression') is False")
    page.page.get_by_role("tab", name="Events").click()
    page.page.get_by_role("row").first.wait_for()


def test_push_to_talk_with_the_button_and_with_the_space_bar(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    show_agent(page, '"local", push_to_talk=True')
    connect(page)
    talk = page.page.get_by_role("button", name="Talk", exact=True)
    talk.hover()
    page.page.mouse.down()
    page.page.get_by_role("button", name="Stop talking", exact=True).wait_for()
    page.wait_for("agent.conversation.uncommitted_ms > 3900")
    page.page.mouse.up()
    wait_for_words(page, "he was not an", "you said")
    page.wait_for("agent.settled().result(30)", timeout_s=40)
    cells = page.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")
    waiting = page.start("while agent.conversation.uncommitted_ms < 3900: time.sleep(0.02)")
    page.page.get_by_label("Voice agent").focus()
    page.page.keyboard.down("Space")
    page.result(waiting)
    page.page.keyboard.up("Space")
    log = page.page.get_by_role("log")
    log.get_by_text("you said", exact=False).nth(1).wait_for()
    assert ask(page, "agent.conversation.errors") == []
    # A space in a message is a space.
    page.page.get_by_role("textbox", name="Message").press_sequentially("a b")
    assert page.page.get_by_role("textbox", name="Message").input_value() == "a b"
    assert page.page.get_by_role("button", name="Talk", exact=True).count() == 1
    added = page.page.evaluate("() => jupyterapp.shell.currentWidget.content.widgets.length")
    assert added - cells == 2  # those of this test, none by a shortcut of JupyterLab's


def test_shown_twice_it_has_one_microphone(open_page: OpenPage, says: Callable[..., Path]) -> None:
    page = open_page(says(YOUNG_MAN), size=(1100, 1500))
    show_agent(page)
    page.show("agent")
    page.wait_in_page("() => document.querySelectorAll('.rtnb-panel').length === 2")
    page.page.get_by_role("button", name="Talk", exact=True).last.click()
    page.wait_in_page(
        "() => [...document.querySelectorAll('[data-talk]')]"
        ".every((b) => b.textContent === 'Stop talking')"
    )
    page.page.get_by_role("log").get_by_text("young man").nth(1).wait_for(timeout=20_000)
    assert page.page.evaluate("opened.tracks.length") == 1
    page.page.get_by_role("button", name="Stop talking", exact=True).first.click()
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")


def test_a_reloaded_page_goes_on(open_page: OpenPage, says: Callable[..., Path]) -> None:
    page = open_page(says(YOUNG_MAN))
    show_agent(page)
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "young man", "you said")
    page.save()
    page.page.reload()
    page = wait_for_notebook(page.page)
    page.page.get_by_role("button", name="Disconnect", exact=True).wait_for()
    wait_for_words(page, "young man", "you said")
    page.wait_for("agent.connected and not agent.panel.talking")
    page.wait_for("agent.settled().result(20)", timeout_s=30)
    press(page, "Talk")
    page.page.get_by_role("log").get_by_text("you said", exact=False).nth(1).wait_for(
        timeout=20_000
    )
    page.wait_for("agent.settled().result(20)", timeout_s=30)


def test_closing_the_notebooks_tab_ends_the_talk(
    open_page: OpenPage, tmp_path: Path, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    show_agent(page)
    press(page, "Talk")
    page.wait_for("agent.panel.talking and agent._audio.microphone.status == 'on'")
    told = tmp_path / "told"
    page.run(
        "from pathlib import Path\n"
        f"tell = lambda change: Path({str(told)!r}).write_text(str(change.new))\n"
        "agent.panel.observe(tell, 'talking')\n"
        "agent._audio.microphone.observe(tell, 'status')"
    )
    page.save()
    assert not told.exists()
    name = page.page.evaluate("() => jupyterapp.shell.currentWidget.context.path")
    page.page.evaluate(
        """() => {
             const notebook = jupyterapp.shell.currentWidget;
             notebook.context.model.dirty = false;  // the summary may have changed since
             notebook.close();
           }"""
    )
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    until_s = time.monotonic() + 5
    while not told.exists() and time.monotonic() < until_s:
        page.page.wait_for_timeout(20)
    assert told.read_text() in ("False", "off")
    opens = "async (path) => void await jupyterapp.commands.execute('docmanager:open', {path})"
    page.page.evaluate(opens, name)
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()


# Keeps, beyond a reload, how many samples the playback worklet gave to the device.
COUNT_PLAYED = """
() => addEventListener("pagehide", () => {
  const all = played.flatMap((samples) => Array.from(samples));
  const first = all.findIndex((sample) => sample !== 0);
  sessionStorage.setItem("played", first < 0 ? 0 : all.length - first);
})
"""


def test_a_page_reloaded_in_the_middle_of_an_answer(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN), own=True)
    page.page.evaluate(TAP)
    page.page.evaluate(COUNT_PLAYED)
    show_agent(page)
    field = page.page.get_by_role("textbox", name="Message")
    field.fill("Please count to twenty")
    field.press("Enter")
    page.save()
    page.wait_in_page("() => played.flat().length > 100")
    page.wait_in_page(
        "() => played.filter((samples) => samples.some((sample) => sample)).length > 150"
    )
    page.page.reload()
    page = wait_for_notebook(page.page)
    page.page.get_by_role("alert").filter(has_text="the answer was stopped").wait_for()
    played_ms = float(page.page.evaluate("Number(sessionStorage.getItem('played'))")) / 24
    facts = ask(
        page,
        "[(item.truncated_ms, item.audio_ms) for item in agent.conversation.items.values()"
        " if item.role == 'assistant']",
    )
    assert isinstance(facts, list)
    ((truncated_ms, audio_ms),) = facts
    print(f"played {played_ms:.0f} ms, remembered {truncated_ms} ms of {audio_ms:.0f} ms")
    assert truncated_ms - played_ms <= 100
    assert truncated_ms >= played_ms - 600
    assert ask(page, "agent.settled().result(5)") is True
    page.run(
        "sent = [line.event['type'] for line in"
        " rt.load(agent.disconnect().result(20) or agent.recording).raw_events()]"
    )
    assert ask(page, "sent.count('conversation.item.truncate')") == 1
    assert ask(page, "agent.conversation.errors") == []


def test_words_said_while_it_connects_are_heard(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    show_agent(page)
    page.run(
        "import asyncio\n"
        "connect = agent._connect\n"
        "async def slowly():\n"
        "    await asyncio.sleep(4)\n"
        "    return await connect()\n"
        "agent._connect = slowly"
    )
    press(page, "Talk")  # the first word comes a second later
    wait_for_words(page, "he was not an", "young man", "you said")
    assert ask(page, "agent.conversation.errors") == []


def test_a_cell_run_again_and_another_agent_end_the_one_before(
    open_page: OpenPage, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN), size=(1100, 1500))
    page.run("import realtime_nb as rt\nmade = []")
    cell = page.show("made.append(rt.Agent('local'))\nmade[-1]")
    connect(page)
    page.page.evaluate(
        """(index) => {
          jupyterapp.shell.currentWidget.content.activeCellIndex = index;
          return jupyterapp.commands.execute("notebook:run-cell");
        }""",
        cell,
    )
    page.wait_for("'run again' in made[0].panel.error and not made[0].connected")
    connect(page)
    page.show("other = rt.Agent('local')\nother")
    page.page.get_by_role("button", name="Talk", exact=True).nth(1).click()
    page.wait_for("other.panel.talking")
    page.page.get_by_role("alert").filter(has_text="Another agent took over").wait_for()
    assert ask(page, "[one.connected for one in (*made, other)]") == [False, False, True]


def test_a_saved_notebook_holds_no_audio_and_no_key(
    open_page: OpenPage, lab: Lab, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    page.run(
        "from pathlib import Path\n"
        "import realtime_nb as rt\n"
        "from realtime_nb.agent.io_thread import io_thread\n"
        "server = io_thread().run(rt.serve().__aenter__()).result(20)\n"
        "Path('key').write_text(server.token)"
    )
    show_agent(page, "server.url, api_key=server.token")
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "young man", "you said")
    page.wait_for("agent.settled().result(20)", timeout_s=30)
    page.save()
    path = lab.folder / page.page.url.rpartition("/")[2]
    page.wait_in_page("() => !jupyterapp.shell.currentWidget.context.model.dirty")
    saved = path.read_text()
    assert "Agent (ws://127.0.0.1" in saved  # what stays in place of the panel
    assert (lab.folder / "key").read_text() not in saved
    assert "young man" not in saved
    assert re.search(r"[A-Za-z0-9+/]{120}", saved) is None
    assert "application/vnd.jupyter.widget-state+json" not in saved


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ('"ws://127.0.0.1:9/v1/realtime", api_key="sk-wrong"', "127.0.0.1:9"),
        ("server.url, api_key='sk-wrong'", "key"),
    ],
    ids=["unreachable", "wrong key"],
)
def test_why_it_does_not_connect_is_said_in_the_panel(
    open_page: OpenPage, arguments: str, words: str
) -> None:
    page = open_page()
    page.run(
        "import realtime_nb as rt\n"
        "from realtime_nb.agent.io_thread import io_thread\n"
        "server = io_thread().run(rt.serve().__aenter__()).result(20)"
    )
    show_agent(page, arguments)
    press(page, "Talk")
    page.page.get_by_role("alert").filter(has_text=words).first.wait_for()
    page.page.get_by_text("disconnected", exact=True).wait_for()
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    assert "sk-wrong" not in page.page.get_by_label("Voice agent").inner_text()


def test_a_server_that_goes_is_told_and_a_denied_microphone_too(open_page: OpenPage) -> None:
    page = open_page(allow=False, flags=["--use-fake-device-for-media-stream"])
    page.run(
        "import realtime_nb as rt\n"
        "from realtime_nb.agent.io_thread import io_thread\n"
        "server = io_thread().run(rt.serve().__aenter__()).result(20)"
    )
    show_agent(page, "server.url, api_key=server.token, reconnect=False")
    connect(page)
    press(page, "Talk")
    page.page.get_by_role("alert").filter(has_text="does not let this page").wait_for()
    page.page.get_by_role("button", name="Talk", exact=True).wait_for()
    page.run("io_thread().run(server.__aexit__(None, None, None)).result(20)")
    page.page.get_by_text("disconnected", exact=True).wait_for()
    page.wait_for("'Press Connect' in agent.panel.error")
    assert ask(page, "rt.load(agent.recording).complete") is False  # nobody meant to end it


def test_a_restarted_kernel_leaves_a_whole_recording_no_microphone_and_words(
    open_page: OpenPage, lab: Lab, says: Callable[..., Path]
) -> None:
    page = open_page(says(YOUNG_MAN))
    complaints: list[str] = []
    page.page.on("pageerror", lambda error: complaints.append(str(error)))
    show_agent(page, '"local", record="restarted"')
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "young man")
    page.page.evaluate(
        "() => jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
    )
    page.wait_in_page("() => opened.tracks.every((track) => track.readyState === 'ended')")
    page.page.get_by_text("kernel gone", exact=True).wait_for()
    page.page.get_by_role("alert").filter(has_text="Run the cells again").wait_for()
    for name in ("Connect", "Talk", "Mute mic", "Send"):
        assert page.page.get_by_role("button", name=name, exact=True).is_disabled()
    page.page.get_by_role("tab", name="Events").click()
    # In its middle, whichever row is there: one that scrolls out of sight lends its element.
    page.page.get_by_role("grid", name="Events").click()
    page.page.get_by_text("The kernel does not answer").wait_for()
    press(page, "Copy JSON")
    page.page.get_by_text("Not copied. The kernel does not answer").wait_for()
    assert complaints == []
    page.run("print(1)")
    (recording,) = (lab.folder / "restarted").iterdir()
    header = json.loads((recording / "session.json").read_text())
    assert header["complete"] is True


def test_in_notebook_7(
    lab: Lab, open_browser_at: Callable[..., Page], says: Callable[..., Path]
) -> None:
    name = lab.notebook("seven.ipynb")
    content = json.loads((lab.folder / name).read_text())
    source = 'import realtime_nb as rt\nagent = rt.Agent("local")\nagent'
    content["cells"] = [
        {
            "cell_type": "code",
            "id": "one",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
        }
    ]
    (lab.folder / name).write_text(json.dumps(content))
    page = open_browser_at(says(YOUNG_MAN), f"{lab.url}/notebooks/{name}")
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.get_by_text("rt.Agent", exact=False).first.click()
    page.keyboard.press("Shift+Enter")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_text("ready", exact=True).wait_for()
    page.get_by_role("button", name="Talk", exact=True).click()
    log = page.get_by_role("log")
    log.get_by_text("young man").first.wait_for(timeout=20_000)
    log.get_by_text("you said", exact=False).first.wait_for(timeout=20_000)
    page.get_by_text("speaking", exact=True).wait_for()


@pytest.fixture
def open_browser_at(playwright: Playwright) -> Iterator[Callable[..., Page]]:
    """Opens an address in a browser with a microphone."""
    with ExitStack() as browsers:

        def open_one(microphone: Path, address: str) -> Page:
            browser = browsers.enter_context(open_browser(playwright, microphone))
            page = browser.new_page(viewport={"width": 1000, "height": 900})
            page.goto(address)
            return page

        yield open_one


def test_how_it_looks(open_page: OpenPage, says: Callable[..., Path], screenshots: Path) -> None:
    page = open_page(says(YOUNG_MAN, 3.0, AMIABLE), size=(1100, 900))
    page.page.evaluate("() => jupyterapp.commands.execute('application:toggle-left-area')")
    page.run(
        "import realtime_nb as rt\n"
        "def weather(city: str) -> str:\n"
        '    "Tells the weather in a city."\n'
        "    return f'Sun in {city}'"
    )
    show_agent(page, '"local", tools=[weather], instructions="You are a friendly receptionist."')
    page.page.screenshot(path=screenshots / "agent_begin.png")
    connect(page)
    press(page, "Talk")
    wait_for_words(page, "young man", "amiable himself")
    press(page, "Stop talking")
    page.page.get_by_role("textbox", name="Message").fill("What is the weather in Paris?")
    press(page, "Send")
    wait_for_words(page, "Sun in Paris")
    page.page.get_by_text("speaking", exact=True).wait_for()
    page.page.screenshot(path=screenshots / "agent_light.png")
    page.page.get_by_role("tab", name="Settings", exact=True).click()
    page.page.screenshot(path=screenshots / "agent_settings.png")
    page.page.get_by_role("tab", name="Events").click()
    page.page.get_by_role("row").first.wait_for()
    page.page.screenshot(path=screenshots / "agent_events.png")
    page.page.get_by_role("tab", name="Transcript", exact=True).click()
    page.theme("JupyterLab Dark")
    page.page.get_by_role("button", name="Mute mic", exact=True).focus()
    page.page.screenshot(path=screenshots / "agent_dark.png")
    page.page.set_viewport_size({"width": 530, "height": 900})  # the cell has 400 px then
    for tab in ("Settings", "Transcript"):
        page.page.get_by_role("tab", name=tab, exact=True).click()
        wide = page.page.evaluate(
            """() => [...document.querySelectorAll(".rtnb-panel, .rtnb-panel *")]
                 .filter((e) => e.clientWidth && e.scrollWidth > e.clientWidth + 1
                   && getComputedStyle(e).overflowX === "visible")
                 .map((e) => e.className || e.tagName)"""
        )
        assert wide == []
        page.page.screenshot(path=screenshots / f"agent_narrow_{tab.lower()}.png")
