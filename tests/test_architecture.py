"""The layers of the package, read from its imports.

Imports point down or stay in their layer, those inside functions and those for type checkers too.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.paths import ROOT

PACKAGE = ROOT / "realtime_nb"
MAX_LINES = 600
MAX_ROOT_ENTRIES = 16
OF_EVERY_PACKAGE = {"__init__.py", "__main__.py", "py.typed"}

LAYERS = {
    "errors": 0,
    "protocol": 1,
    "tools": 1,
    "audio": 2,
    "devices": 3,
    "archive": 3,
    "local": 3,
    "session": 4,
    "analysis": 4,
    "plots": 4,
    "recordings": 5,
    "widgets": 5,
    "agent": 6,
    "commands": 6,
    "testing": 6,
}
"""What is at the root, but for ``__init__`` and ``__main__``, which may know everything."""
TOP = max(LAYERS.values())

UNAWARE = {
    "protocol": {"tools"},
    "devices": {"archive", "local"},
    "archive": {"devices", "local"},
    "local": {"devices", "archive"},
    "session": {"analysis", "plots"},
    "analysis": {"session", "plots"},
    "plots": {"session"},
    "recordings": {"session", "widgets"},
    "widgets": {"session"},
}
"""Which rooms of its own layer, or below it, a room must not know."""
REPLAYS = ("realtime_nb.recordings.replay", "realtime_nb.recordings.verify")
"""What replays a recording opens sessions; nothing else of ``recordings`` does."""

TESTED_WITH: dict[str, str] = {}
"""Modules without a test file of their own, and the test file that is theirs as well."""
MAX_TESTED_WITH = 5

PURE_FORBIDDEN = {"asyncio", "time", "random", "socket", "threading", "numpy"}
LOCAL_ENGINES = {"hibari", "hibari_tts", "onnxruntime", "moonshine_voice", "faster_whisper"}
HEAVY = LOCAL_ENGINES | {"sounddevice", "dask", "pyarrow", "openai", "jupyterlab"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def layer(module: str) -> int:
    return LAYERS.get(room(module), TOP)


def room(module: str) -> str:
    return module.removeprefix("realtime_nb").removeprefix(".").split(".")[0]


def imported(module: str, tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What a module imports: modules of ours by their full name, others by their first."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively in line {node.lineno}"
            name = node.module or ""
            inside = [f"{name}.{alias.name}" for alias in node.names]
            ours = [full for full in inside if full in MODULES]
            yield from ((full, node) for full in ours)
            if len(ours) < len(inside):
                yield name, node


TREES = {module: ast.parse(path.read_text()) for module, path in MODULES.items()}
IMPORTS = {
    module: sorted({name for name, _ in imported(module, TREES[module])}) for module in TREES
}
OURS = {module: [name for name in names if name in MODULES] for module, names in IMPORTS.items()}


def starts_with(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module: str) -> None:
    too_high = [name for name in OURS[module] if layer(name) > layer(module)]
    assert too_high == []


@pytest.mark.parametrize("module", [name for name in MODULES if ".protocol" in name])
def test_the_protocol_is_pure(module: str) -> None:
    assert [name for name in IMPORTS[module] if starts_with(name, PURE_FORBIDDEN)] == []


@pytest.mark.parametrize("module", MODULES)
def test_rooms_do_not_know_what_is_beside_them(module: str) -> None:
    unknown = UNAWARE.get(room(module), set()) - (
        {"session"} if module.startswith(REPLAYS) else set()
    )
    assert [name for name in OURS[module] if room(name) in unknown] == []


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_are_imported_inside_functions(module: str) -> None:
    not_run = [
        node
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    lazy = {id(inner) for node in not_run for inner in ast.walk(node)}
    at_import = [
        name
        for name, node in imported(module, TREES[module])
        if id(node) not in lazy and name.split(".")[0] in HEAVY
    ]
    assert at_import == []


def test_there_are_no_cycles() -> None:
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, f"cycle: {' → '.join((*path, module))}"
        if module in done:
            return
        for name in OURS[module]:
            visit(name, (*path, module))
        done.add(module)

    # The package itself names its modules for type checkers only and imports them when asked.
    for module in MODULES:
        if module != "realtime_nb":
            visit(module, ())


def test_rooms_have_no_cycles() -> None:
    seen = {
        (room(module), room(name))
        for module, names in OURS.items()
        for name in names
        if module != "realtime_nb" and name != "realtime_nb" and room(name) != room(module)
    }
    order = TopologicalSorter[str]()
    for above, below in seen:
        order.add(above, below)
    order.prepare()  # raises a CycleError that names the rooms


def test_the_root_is_small() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "realtime_nb"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    entries = {Path(name).parts[1] for name in tracked} - OF_EVERY_PACKAGE
    assert len(entries) <= MAX_ROOT_ENTRIES, sorted(entries)


@pytest.mark.parametrize("module", [name for name in MODULES if MODULES[name].stem == "__init__"])
def test_rooms_say_what_they_hold(module: str) -> None:
    words = ast.get_docstring(TREES[module]) or ""
    depth = module.count(".")
    assert len(re.findall(r"[.:](?:\s|$)", words)) >= (2 if depth == 1 else 1)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "realtime_nb"])
def test_modules_are_imported_from_where_they_are(module: str) -> None:
    assert "realtime_nb" not in [
        name for name in IMPORTS[module] if name == "realtime_nb" and not version_only(module)
    ]


def version_only(module: str) -> bool:
    """Whether a module takes nothing but ``__version__`` from the package itself."""
    return all(
        alias.name == "__version__" or f"realtime_nb.{alias.name}" in MODULES
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module == "realtime_nb"
        for alias in node.names
    )


def targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_is_public(module: str) -> None:
    names = [
        ast.literal_eval(node.value)
        for node in TREES[module].body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and "__all__" in [ast.unparse(target) for target in targets(node)]
    ]
    if not names:
        assert MODULES[module].name == "__init__.py", "no __all__"
        return
    assert len(names[0]) == len(set(names[0]))


@pytest.mark.parametrize("module", MODULES)
def test_files_stay_short(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize("module", [name for name in MODULES if MODULES[name].stem[0] != "_"])
def test_every_module_has_its_tests(module: str) -> None:
    inner = module.removeprefix("realtime_nb.")
    whole = TESTED_WITH.get(inner, inner)
    *folders, name = whole.split(".")
    assert (ROOT / "tests").joinpath(*folders, f"test_{name}.py").exists()


def test_few_modules_are_tested_with_another() -> None:
    assert len(TESTED_WITH) <= MAX_TESTED_WITH
    assert [part for part in TESTED_WITH if f"realtime_nb.{part}" not in MODULES] == []


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(mark).endswith(("property", ".setter")) for mark in node.decorator_list)


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_of_functions_are_in_the_third_person(module: str) -> None:
    """ "Returns …", "Sends …": what a function does; a property's says what it is."""
    other_moods = [
        f"{node.name}: {words.splitlines()[0]}"
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node)
        if (words := ast.get_docstring(node)) and not re.match(r"[A-Z][a-z]+s\b(?<!This)", words)
    ]
    assert other_moods == []


def test_public_names_have_one_meaning() -> None:
    homes: dict[str, list[str]] = {}
    for module, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(module)
    doubles = {name: found for name, found in homes.items() if len(found) > 1 and name[0] != "_"}
    assert doubles == {}


def test_the_map_for_newcomers_names_what_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.split("## Where things are")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    paths = [re.findall(r"`(realtime_nb/[^`]+)`", row) for row in rows]

    assert len(rows) >= 20
    assert all(paths)
    assert [path for row in paths for path in row if not (ROOT / path).exists()] == []
