"""Files of a copy are saved, as editors do it, and the widgets have them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import traitlets

from realtime_nb.widgets import page_text
from realtime_nb.widgets.hot_reload import HotReload
from realtime_nb.widgets.live import LiveWidget
from realtime_nb.widgets.microphone import Microphone
from realtime_nb.widgets.page_text import module_text
from realtime_nb.widgets.timeline import Timeline
from realtime_nb.widgets.transcript import Transcript
from tests.paths import ROOT

WAIT_S = 10.0
pytest.importorskip("watchdog")


class Whole(LiveWidget):
    """Shows other widgets."""

    _esm = module_text("agent_panel.js")
    children = traitlets.Dict().tag(sync=True)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files that pages get."""
    copy = tmp_path / "widgets"
    shutil.copytree(page_text.FOLDER, copy, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    monkeypatch.setattr(page_text, "FOLDER", copy)
    return copy


@pytest.fixture
def reload(folder: Path) -> Iterator[HotReload]:
    made = HotReload(folder)
    yield made
    for widget in list(made._widgets):
        widget.close()  # type: ignore[attr-defined]
    assert not made.watches


class Changes:
    """What of a widget has become another, in order."""

    def __init__(self, *widgets: LiveWidget) -> None:
        self.seen: list[tuple[LiveWidget, str]] = []
        self._came = threading.Condition()
        for widget in widgets:
            widget.observe(self._note, ["_esm", "_css", "_worklet"])

    def _note(self, change: dict[str, object]) -> None:
        with self._came:
            self.seen.append((change["owner"], str(change["name"])))  # type: ignore[arg-type]
            self._came.notify_all()

    def wait_until(self, true: Callable[[], bool]) -> None:
        with self._came:
            assert self._came.wait_for(true, WAIT_S)


def in_place(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")


def by_renaming(file: Path, text: str) -> None:
    other = file.with_name(f".{file.name}.swp")
    other.write_text(text, encoding="utf-8")
    other.replace(file)


def away_and_back(file: Path, text: str) -> None:
    file.rename(file.with_name(f"{file.name}~"))
    file.write_text(text, encoding="utf-8")


def in_pieces(file: Path, text: str) -> None:
    with file.open("w", encoding="utf-8") as written:
        for start in range(0, len(text), 500):
            written.write(text[start : start + 500])
            written.flush()


@pytest.mark.parametrize("save", [in_place, by_renaming, away_and_back, in_pieces])
def test_what_imports_a_saved_file_has_it_and_nothing_else_changes(
    reload: HotReload, folder: Path, save: Callable[[Path, str], None]
) -> None:
    timeline, transcript = Timeline(), Transcript()
    for widget in (timeline, transcript):
        reload.add(widget)
    changes = Changes(timeline, transcript)
    state = {name: value for name, value in timeline.get_state().items() if name != "_esm"}
    module = folder / "timeline_math.js"  # timeline.js imports what imports it
    save(module, module.read_text("utf-8") + "// saved\n")
    changes.wait_until(lambda: "// saved" in timeline._esm)
    assert "// saved" not in transcript._esm
    assert {widget for widget, _ in changes.seen} == {timeline}
    assert {name for _, name in changes.seen} == {"_esm"}
    now = timeline.get_state()
    assert {name: value for name, value in now.items() if name != "_esm"} == state


def test_styles_and_worklets_too(reload: HotReload, folder: Path) -> None:
    timeline, microphone = Timeline(), Microphone()
    for widget in (timeline, microphone):
        reload.add(widget)
    changes = Changes(timeline, microphone)
    in_place(folder / "theme.css", ".rtnb { color: teal }\n")
    in_place(folder / "capture.worklet.js", "// saved\n")
    changes.wait_until(lambda: microphone._worklet == "// saved\n")
    changes.wait_until(lambda: timeline._css.startswith(".rtnb { color: teal }\n"))
    assert microphone._css == ".rtnb { color: teal }\n"
    assert "_esm" not in {name for _, name in changes.seen}


def test_who_shows_others_is_shown_anew_after_them_each_time(
    reload: HotReload, folder: Path
) -> None:
    whole, part = Whole(), Transcript()
    for widget in (whole, part):
        reload.add(widget)
    changes = Changes(whole, part)
    before = whole._esm
    for round_ in (1, 2):
        in_place(folder / "transcript.js", f"// saved {round_}\n")
        changes.wait_until(lambda: len(changes.seen) == 2 * round_)  # noqa: B023
        assert changes.seen[-2:] == [(part, "_esm"), (whole, "_esm")]
        assert whole._esm.startswith(before)  # its own files are what they were


def test_what_is_made_later_has_what_was_saved_before(reload: HotReload, folder: Path) -> None:
    reload.add(Transcript())
    in_place(folder / "timeline.js", "// saved\n")
    timeline = Timeline()
    assert timeline._esm != "// saved\n"
    reload.add(timeline)
    assert timeline._esm == "// saved\n"


def test_a_file_that_is_missing_for_a_while_changes_nothing(
    reload: HotReload, folder: Path
) -> None:
    timeline, transcript = Timeline(), Transcript()
    for widget in (timeline, transcript):
        reload.add(widget)
    changes = Changes(timeline, transcript)
    before = timeline._esm
    (folder / "timeline_math.js").unlink()
    in_place(folder / "transcript.js", "// saved\n")
    changes.wait_until(lambda: transcript._esm == "// saved\n")
    assert timeline._esm == before


def test_the_last_widget_ends_it_and_the_next_begins_it_again(
    reload: HotReload, folder: Path
) -> None:
    assert not reload.watches
    for _ in range(2):
        one, other = Transcript(), Transcript()
        reload.add(one)
        reload.add(other)
        watching = reload._observer
        assert watching.is_alive()
        one.close()
        assert watching.is_alive()
        other.close()
        assert not reload.watches
        watching.join(WAIT_S)
        assert not watching.is_alive()


SCRIPT = """
import os, sys
from realtime_nb.widgets.transcript import Transcript
Transcript().close()
assert not sys.modules.keys() & {"watchdog", "realtime_nb.widgets.hot_reload"}
os.environ["ANYWIDGET_HMR"] = "1"
shown = Transcript()
assert "watchdog.observers" in sys.modules
"""


def test_without_the_variable_nothing_is_imported_and_with_it_the_process_ends() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ANYWIDGET_HMR"}
    subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=True,
        timeout=60,
        env={**environment, "PYTHONPATH": str(ROOT)},
    )


def test_where_watchdog_is_missing_that_is_said_and_nothing_else_happens(
    reload: HotReload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)
    shown = Transcript()
    with pytest.warns(UserWarning, match="watchdog is not installed"):
        reload.add(shown)
    assert not reload.watches
    shown.close()
