"""A real JupyterLab and a real Chromium whose microphone plays a file.

``lab`` is one server for the whole run, cut off from the user's own Jupyter. ``open_page`` opens a
new notebook in a browser with a given microphone; `LabPage` runs cells in it. All of it is marked
``e2e`` and ``live``; a test that needs another ipykernel is marked ``kernels`` besides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from realtime_nb.commands.bench.browser import chromium, open_browser, start_playwright
from realtime_nb.commands.bench.lab_page import Lab, LabPage, open_notebook, running_lab
from tests.e2e.shared_pages import SharedPages

if TYPE_CHECKING:
    from playwright.sync_api import Playwright

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.live)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One JupyterLab for the whole run."""
    pytest.importorskip("jupyterlab")
    with running_lab(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """For one module only: while it runs, no asyncio loop can run in this thread."""
    pytest.importorskip("playwright.sync_api")
    if chromium() is None:
        pytest.skip("Chromium is not installed")
    with start_playwright() as running:
        yield running


class OpenPage(Protocol):
    """Opens a new notebook. It is in a browser of its own for the test that says so (``own``) as it
    changes the page itself, and where a browser of another kind is asked for; else in the one that
    the module's tests share. The other arguments are those of `open_browser`."""

    def __call__(
        self,
        microphone: Path | None = None,
        kernel: str = "python3",
        allow: bool = True,
        flags: Sequence[str] = (),
        host: str = "127.0.0.1",
        size: tuple[int, int] = (1100, 800),
        own: bool = False,
    ) -> LabPage: ...


PASSED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(scope="module")
def shared_pages(
    lab: Lab, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SharedPages]:
    pages = SharedPages(playwright, lab, tmp_path_factory.mktemp("microphone"))
    yield pages
    pages.close()


@pytest.fixture
def open_page(
    lab: Lab, playwright: Playwright, shared_pages: SharedPages, request: pytest.FixtureRequest
) -> Iterator[OpenPage]:
    """Pages of this test; their kernels end with it, and browsers that are its own."""
    opened: list[LabPage] = []
    browsers = ExitStack()
    stem = "".join(c if c.isalnum() else "_" for c in request.node.name)

    def open_one(
        microphone: Path | None = None,
        kernel: str = "python3",
        allow: bool = True,
        flags: Sequence[str] = (),
        host: str = "127.0.0.1",
        size: tuple[int, int] = (1100, 800),
        own: bool = False,
    ) -> LabPage:
        name = lab.notebook(f"{stem}_{len(opened)}.ipynb", kernel)
        if allow and not (own or flags or host != "127.0.0.1"):
            return shared_pages.open(name, microphone, size)
        browser = browsers.enter_context(open_browser(playwright, microphone, allow, flags))
        opened.append(open_notebook(browser, lab, name, host, size))
        return opened[-1]

    before = set(lab.folder.iterdir())
    with browsers:
        yield open_one
        for page in opened:
            if not page.page.is_closed():
                page.shut_down_kernel()
    passed = request.node.stash.get(PASSED, False)
    shared_pages.tidy(keep=passed)
    if not passed:  # what it recorded and saved is not there when it is tried again
        _remove(set(lab.folder.iterdir()) - before)


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)  # a kernel that is ending may still write there
        else:
            path.unlink()


@pytest.fixture(scope="session")
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures go: $REALTIME_NB_SCREENSHOTS, or a folder of this run."""
    wanted = os.environ.get("REALTIME_NB_SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {folder}")
    return folder


@pytest.fixture(scope="session")
def kernel(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Installs an ipykernel in an environment of its own; returns its kernelspec's name.

    ``kernel("ipykernel==7.3.*")``. The environment sees this one's packages, except ipykernel.
    $REALTIME_NB_KERNELS names a folder that keeps the environments from run to run.
    """
    kept = os.environ.get("REALTIME_NB_KERNELS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("kernels")

    def install(requirement: str) -> str:
        name = "".join(c if c.isalnum() else "-" for c in requirement).strip("-")
        python = folder / name / "bin" / "python"
        if not python.exists():
            venv.create(folder / name, with_pip=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, requirement], check=True)
            # Its own ipykernel comes first on the path, then the packages of this environment.
            site = next((folder / name / "lib").glob("python*/site-packages"))
            others = next(path for path in sys.path if path.endswith("site-packages"))
            project = Path(__file__).parents[2]
            (site / "tested.pth").write_text(f"{others}\n{project}\n", encoding="utf-8")
        spec = {
            "argv": [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": name,
            "language": "python",
            "metadata": {"debugger": False},
        }
        if _version(python) >= (7,):
            spec["kernel_protocol_version"] = "5.5"
        place = lab.data / "kernels" / name.lower()
        place.mkdir(parents=True, exist_ok=True)
        (place / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        return name.lower()

    return install


def _version(python: Path) -> tuple[int, ...]:
    code = "import ipykernel; print(*ipykernel.version_info[:2])"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    return tuple(int(part) for part in found.stdout.split())
