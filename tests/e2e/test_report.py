"""From two spoken conversations to a page: the commands that a person types, and what they see."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e import view_pages
from tests.paths import DATA

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

browser = view_pages.browser

PLAYED_S = "document.querySelector('audio').currentTime"
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def command(*arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "realtime_nb", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Reports of a conversation with a barge-in, and of one with function calls."""
    folder = tmp_path_factory.mktemp("talks")
    talks: list[list[str | Path]] = [
        [DATA / "austen_0890.wav", DATA / "cards_001.wav", "--barge-in", "1.0"],
        [DATA / "austen_0880.wav", "--tools", "appointments"],
    ]

    def made(number: int) -> Path:
        out = command("talk", *talks[number], "--out", folder / str(number), "--json")
        recording = json.loads(out.splitlines()[-1])["recording"]
        page = folder / f"{number}.html"
        assert command("report", recording, "-o", page).strip() == str(page)
        return page

    with ThreadPoolExecutor() as both:  # most of their time they wait for what is said
        return list(both.map(made, range(len(talks))))


def opened(browser: Browser, file: Path, problems: list[str], **options: Any) -> Page:
    page = browser.new_page(**options)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else problems.append(request.url)
        ),
    )
    page.goto(file.as_uri())
    return page


def until(page: Page, condition: str) -> None:
    """Waits; the page's policy forbids the evaluation that `wait_for_function` lives on."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    pytest.fail(f"not in 10 s: {condition}")


def test_a_report_opens_offline_and_plays(
    browser: Browser, pages: list[Path], screenshots: Path
) -> None:
    problems: list[str] = []
    for number, file in enumerate(pages):
        page = opened(browser, file, problems, viewport={"width": 1000, "height": 800})
        until(page, "document.querySelector('audio').readyState >= 1")
        assert page.evaluate("document.querySelector('audio').duration") > 3
        page.screenshot(path=screenshots / f"report-{number}-light.png", full_page=True)
        page.close()
    page = opened(browser, pages[0], problems)
    moment = page.locator(".transcript .agent button.when").first
    at_s = float(moment.get_attribute("data-at") or "nan")
    moment.click()
    until(page, f"{PLAYED_S} > {at_s} && {PLAYED_S} < {at_s} + 5")
    assert "interrupted" in page.locator(".transcript").inner_text()
    page.get_by_text("metrics").last.click()
    assert page.get_by_role("cell", name="barge_in_response_ms", exact=True).is_visible()
    page.close()
    assert problems == []


def test_a_report_looks_well_in_the_dark_and_on_a_narrow_screen(
    browser: Browser, pages: list[Path], screenshots: Path
) -> None:
    problems: list[str] = []
    narrow = {"width": 400, "height": 800}
    page = opened(browser, pages[0], problems, viewport=narrow, color_scheme="dark")
    page.screenshot(path=screenshots / "report-dark-400.png", full_page=True)

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 22)"
    words = page.locator(".picture svg text").first
    assert words.evaluate("e => getComputedStyle(e).fill") == "rgb(230, 230, 230)"
    assert not page.evaluate(WIDER)
    page.close()
    assert problems == []
