"""Engines by name: those of this package, and those that installed packages bring.

A package names its engines as entry points of a group, each naming what makes an engine when it is
called without arguments. Engines of this package keep their names.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Any, Generic, TypeVar

from realtime_nb.errors import ConfigurationError

__all__ = ["EngineNames", "Shipped", "refuse_without"]

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Shipped:
    """Where an engine of this package is, and what it needs from elsewhere.

    Attributes:
        place: what makes it, as an entry point would name it.
        needs: modules that must be installed.
        program: that must be there.
        install: what the package that is missing is called, and the line that installs it; empty
            where the engine itself says so when it is made.
    """

    place: str
    needs: tuple[str, ...] = ()
    program: str = ""
    install: tuple[str, str] | None = None

    @property
    def usable(self) -> bool:
        """Whether what it needs is there."""
        return all(map(find_spec, self.needs)) and (
            not self.program or shutil.which(self.program) is not None
        )


class EngineNames(Generic[E]):
    """The engines of one kind, by name.

    Args:
        option: what the kind is called where one is chosen: ``"stt"``.
        group: of entry points, in which other packages name theirs.
        shipped: those of this package, the default first.
        checked: takes what another package made, how to speak of it, and its name; returns it as
            an engine.
        first: the name of one behind which another may stand: ``rules`` of ``"rules+smollm2"``.
    """

    def __init__(
        self,
        option: str,
        group: str,
        shipped: Mapping[str, Shipped],
        checked: Callable[[Any, str, str], E],
        first: str = "",
    ) -> None:
        self.option = option
        self.group = group
        self.shipped = shipped
        self._checked = checked
        self._first = first

    def __iter__(self) -> Iterator[str]:
        """Yields the names of those that can be used here, the default first."""
        yield from (name for name, one in self.shipped.items() if one.usable)
        brought = {point.name for point in entry_points(group=self.group)}
        yield from sorted(brought - self.shipped.keys())

    @property
    def choices(self) -> list[str]:
        """All names that can be given here, the combined ones behind the others."""
        names = list(self)
        others = [name for name in names if name != self._first]
        return [*names, *(f"{self._first}+{name}" for name in others if self._first)]

    def is_combined(self, name: str) -> bool:
        """Tells whether a name is that of one engine behind the first."""
        return bool(self._first) and name.startswith(f"{self._first}+")

    def check(self, name: object, option: str = "") -> None:
        """Raises a ConfigurationError unless there is an engine of that name; makes none."""
        one = self._one(name, option or self.option)
        if one not in self._shipped_names():
            self._point(one, option or self.option, name)

    def make(self, name: object, option: str = "") -> E:
        """Makes the engine of that name; of a combined one, the other.

        Args:
            option: what an error calls it; the kind's own option if left out.

        Raises:
            ConfigurationError: there is none, or it can't be used here.
        """
        option = option or self.option
        given, name = name, self._one(name, option)
        if name not in self._shipped_names():
            return self._brought(self._point(name, option, given), option)
        one = self.shipped[str(name)]
        if one.install and not one.usable:
            package, line = one.install
            raise ConfigurationError(
                f"{option} is {name!r}, which needs the package {package}, and that is not "
                f"installed. Run: {line}. Until then there are {', '.join(self.choices)}."
            )
        module, _, made_by = one.place.partition(":")
        engine: E = getattr(import_module(module), made_by)()
        return engine

    def _shipped_names(self) -> list[str]:
        return list(self.shipped)  # unlike a dict, it can be asked for what has no hash

    def _one(self, name: object, option: str) -> object:
        """Returns which engine a name is about: that behind the first, where it is combined."""
        if not isinstance(name, str) or not self.is_combined(name):
            return name
        other = name.removeprefix(f"{self._first}+")
        if other == self._first:
            raise ConfigurationError(
                f"{option} is {name!r}: {self._first} comes before another one. Choose from "
                f"{', '.join(self.choices)}."
            )
        return other

    def _point(self, name: object, option: str, given: object) -> EntryPoint:
        points = [point for point in entry_points(group=self.group) if point.name == name]
        if not points:
            raise ConfigurationError(self._unknown(given, option))
        if len({point.value for point in points}) > 1:
            raise ConfigurationError(
                f"{option} is {name!r}, which several packages bring: "
                f"{', '.join(sorted(_told(point) for point in points))}. Uninstall all but one."
            )
        return points[0]

    def _unknown(self, name: object, option: str) -> str:
        names = self.choices
        near = get_close_matches(str(name).lower(), [*names, *self.shipped], 1, 0.6)
        nearest = f" Did you mean {near[0]!r}?" if near else ""
        absent = ", ".join(name for name in self.shipped if name not in names)
        missing = f" Not installed here: {absent}." if absent else ""
        return f"Unknown {option} {name!r}; choose from {', '.join(names)}.{missing}{nearest}"

    def _brought(self, point: EntryPoint, option: str) -> E:
        """Makes an engine of another package, whatever that does."""
        try:
            make: Callable[[], object] = point.load()
            engine = make()
        except Exception as error:
            raise ConfigurationError(
                f"{option} is {point.name!r}, and {_told(point)} could not be made: "
                f"{type(error).__name__}: {error}. Update that package or uninstall it."
            ) from error
        subject = f"{option} is {point.name!r}, and what {_told(point)} makes"
        return self._checked(engine, subject, point.name)


def refuse_without(engine: object, subject: str, methods: Iterable[str], instead: str) -> None:
    """Raises a ConfigurationError unless an engine has those methods.

    Args:
        subject: how to speak of the engine.
        instead: what an engine of its kind has.
    """
    for method in methods:
        if not callable(getattr(engine, method, None)):
            raise ConfigurationError(f"{subject} has no method {method}(); {instead}.")


def _told(point: EntryPoint) -> str:
    return f"{point.value} of {point.dist.name if point.dist else 'an unnamed package'}"
