"""Brings widgets that are on a page up to date when a file of theirs is saved, for contributors.

Only `ANYWIDGET_HMR=1` in the kernel's environment leads here, and only in a checkout. What is shown
is in no file, so it stays: a page that gets new code asks for everything anew.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import traitlets

from realtime_nb.widgets import page_text
from realtime_nb.widgets.feed import Feed
from realtime_nb.widgets.page_text import PageText

__all__ = ["HotReload", "keep_fresh"]

_SUFFIXES = (".js", ".css")
_SETTLES_S = 0.5
"""How often widgets are brought up to date at most; a save is several changes of a file."""
_NO_WATCHDOG = (
    "ANYWIDGET_HMR=1 is set, and the widgets of realtime_nb are not brought up to date when a file "
    "is saved: watchdog is not installed. Run: pip install -e '.[dev]'"
)


class HotReload:
    """Watches the files of widgets, from the first widget to the end of the last.

    Args:
        folder: Where the files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._widgets: list[traitlets.HasTraits] = []
        self._joining = threading.Lock()
        self._observer: Any = None
        self._feed: Feed | None = None
        self._parts_changed = False
        self._round = 0

    @property
    def watches(self) -> bool:
        """Whether there is somebody to watch for."""
        return self._observer is not None

    def add(self, widget: traitlets.HasTraits) -> None:
        """Keeps a widget up to date until it is closed; what was saved before counts, too."""
        with self._joining:
            if not self._widgets and not self._begin():
                return
            self._widgets.append(widget)
        widget.observe(self._closed, "comm")
        _renew(widget)

    def _begin(self) -> bool:
        try:
            from watchdog.events import FileSystemEventHandler
            from watchdog.observers import Observer
        except ImportError:
            warnings.warn(_NO_WATCHDOG, stacklevel=4)
            return False
        self._feed = feed = Feed(self._renew_all, _SETTLES_S)

        class Saved(FileSystemEventHandler):
            def on_any_event(self, event: Any) -> None:
                paths = (os.fsdecode(event.src_path), os.fsdecode(event.dest_path or ""))
                if not event.is_directory and any(path.endswith(_SUFFIXES) for path in paths):
                    feed.changed()

        self._observer = Observer()
        self._observer.name = "realtime_nb hot reload"
        self._observer.schedule(Saved(), str(self._folder), recursive=False)
        self._observer.start()
        return True

    def _closed(self, change: Mapping[str, Any]) -> None:
        if change["new"] is not None:
            return
        widget = change["owner"]
        with self._joining:
            self._widgets = [one for one in self._widgets if one is not widget]
            if self._widgets or self._observer is None or self._feed is None:
                return
            self._feed.close()
            self._observer.stop()
            self._observer = self._feed = None

    def _renew_all(self) -> None:
        """Renews what shows no other widgets first: a page takes a moment to have its new code, and
        who shows it has to ask for it then."""
        with self._joining:
            widgets, feed = list(self._widgets), self._feed
        wholes = [widget for widget in widgets if widget.has_trait("children")]
        parts = [widget for widget in widgets if not widget.has_trait("children")]
        changed = [_renew(part) for part in parts]
        if any(changed):
            self._parts_changed = True
            if wholes and feed is not None:
                feed.changed()
                return
        self._round += self._parts_changed
        for whole in wholes:
            _renew(whole, self._round)
        self._parts_changed = False


def _renew(widget: traitlets.HasTraits, round_: int = 0) -> bool:
    """Gives a widget what its files say now. Returns whether its code is another one."""
    changed = False
    for name, text in _texts(widget):
        try:
            fresh = text.make()
        except OSError:  # an editor that writes another file and renames it
            continue
        if round_ and name == "_esm":
            fresh += f"\n// Shown anew, the {round_}. time, for its parts are.\n"
        if getattr(widget, name) != fresh:
            setattr(widget, name, fresh)
            changed |= name == "_esm"
    return changed


def _texts(widget: traitlets.HasTraits) -> Iterator[tuple[str, PageText]]:
    """Yields what of a widget is made of files, by the traits' names."""
    for name in widget.trait_names(sync=True):
        for kind in type(widget).__mro__:  # anywidget puts a class with plain texts before ours
            there = vars(kind).get(name)
            text = there.default_value if isinstance(there, traitlets.TraitType) else there
            if isinstance(text, PageText):
                yield name, text
                break


_reload = HotReload(page_text.FOLDER)


def keep_fresh(widget: traitlets.HasTraits) -> None:
    """Keeps a widget up to date with the files of this package, until it is closed."""
    if "site-packages" not in page_text.FOLDER.parts:  # there is nothing to work on
        _reload.add(widget)
