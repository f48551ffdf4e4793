"""The layers of the package, read from its imports.

Imports point down or stay in their layer, those inside functions and those for type checkers too.
Each rule is one test over all modules, which names those that break it: hundreds of cases of a
millisecond each would cost more to collect, to send to processes and to report than to run.
"""

from __future__ import annotations

import ast
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

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
LOCAL_ENGINES = {
    *("hibari", "hibari_tts", "onnxruntime", "moonshine_voice", "faster_whisper", "xllamacpp"),
}
HEAVY = LOCAL_ENGINES | {"sounddevice", "dask", "pyarrow", "openai", "jupyterlab"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


Broken = dict[str, list[str]]
"""Modules that break a rule, each with what breaks it."""


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


def broken_by(faults: Callable[[str], list[str]], modules: Iterable[str] = MODULES) -> Broken:
    """Returns the modules that break a rule, each with what breaks it."""
    modules = list(modules)
    assert modules
    return {module: found for module in modules if (found := faults(module))}


def test_imports_point_down() -> None:
    assert broken_by(lambda module: [n for n in OURS[module] if layer(n) > layer(module)]) == {}


def test_the_protocol_is_pure() -> None:
    protocol = [module for module in MODULES if ".protocol" in module]
    impure = broken_by(
        lambda module: [n for n in IMPORTS[module] if starts_with(n, PURE_FORBIDDEN)], protocol
    )
    assert impure == {}


def test_rooms_do_not_know_what_is_beside_them() -> None:
    def known(module: str) -> list[str]:
        unknown = UNAWARE.get(room(module), set()) - (
            {"session"} if module.startswith(REPLAYS) else set()
        )
        return [name for name in OURS[module] if room(name) in unknown]

    assert broken_by(known) == {}


def run_at_import(tree: ast.AST) -> Iterator[ast.AST]:
    """What is not inside a function, nor for type checkers only."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from run_at_import(node)


def test_heavy_packages_are_imported_inside_functions() -> None:
    def at_import(module: str) -> list[str]:
        run = {id(node) for node in run_at_import(TREES[module])}
        return [
            name
            for name, node in imported(module, TREES[module])
            if id(node) in run and name.split(".")[0] in HEAVY
        ]

    assert broken_by(at_import) == {}


def test_what_runs_at_import_is_found() -> None:
    source = """
import a
if TYPE_CHECKING:
    import b
class C:
    import d
    def method(self):
        import e
try:
    import f
except ImportError:
    async def function():
        import g
"""
    imports = [node for node in run_at_import(ast.parse(source)) if isinstance(node, ast.Import)]
    assert [node.names[0].name for node in imports] == ["a", "d", "f"]


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


def test_rooms_say_what_they_hold() -> None:
    def said_too_little(module: str) -> list[str]:
        words = ast.get_docstring(TREES[module]) or ""
        enough = 2 if module.count(".") == 1 else 1
        return [words or "nothing"] if len(re.findall(r"[.:](?:\s|$)", words)) < enough else []

    rooms = [name for name in MODULES if MODULES[name].stem == "__init__"]
    assert broken_by(said_too_little, rooms) == {}


def test_modules_are_imported_from_where_they_are() -> None:
    from_the_package = broken_by(
        lambda module: [
            n for n in IMPORTS[module] if n == "realtime_nb" and not version_only(module)
        ],
        [name for name in MODULES if name != "realtime_nb"],
    )
    assert from_the_package == {}


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


def test_every_module_says_what_is_public() -> None:
    def unsaid(module: str) -> list[str]:
        names = [
            ast.literal_eval(node.value)
            for node in TREES[module].body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            and node.value is not None
            and "__all__" in [ast.unparse(target) for target in targets(node)]
        ]
        if not names:
            return [] if MODULES[module].name == "__init__.py" else ["no __all__"]
        return [name for name, times in Counter(names[0]).items() if times > 1]

    assert broken_by(unsaid) == {}


def test_files_stay_short() -> None:
    def length(path: Path) -> int:
        return path.read_bytes().count(b"\n")

    tests = sorted((ROOT / "tests").rglob("*.py"))
    assert tests
    files = [*MODULES.values(), *tests]
    assert {str(file): length(file) for file in files if length(file) > MAX_LINES} == {}


def test_every_module_has_its_tests() -> None:
    def untested(module: str) -> list[str]:
        inner = module.removeprefix("realtime_nb.")
        whole = TESTED_WITH.get(inner, inner)
        *folders, name = whole.split(".")
        path = Path(*folders, f"test_{name}.py")
        return [] if (ROOT / "tests" / path).exists() else [str(path)]

    assert broken_by(untested, [name for name in MODULES if MODULES[name].stem[0] != "_"]) == {}


def test_few_modules_are_tested_with_another() -> None:
    assert len(TESTED_WITH) <= MAX_TESTED_WITH
    assert [part for part in TESTED_WITH if f"realtime_nb.{part}" not in MODULES] == []


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(ast.unparse(mark).endswith(("property", ".setter")) for mark in node.decorator_list)


def test_docstrings_of_functions_are_in_the_third_person() -> None:
    """ "Returns …", "Sends …": what a function does; a property's says what it is."""

    def other_moods(module: str) -> list[str]:
        return [
            f"{node.name}: {words.splitlines()[0]}"
            for node in ast.walk(TREES[module])
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not is_property(node)
            if (words := ast.get_docstring(node))
            and not re.match(r"[A-Z][a-z]+s\b(?<!This)", words)
        ]

    assert broken_by(other_moods) == {}


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
