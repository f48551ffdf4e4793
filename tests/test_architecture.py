"""The layers of the package, read from its imports.

Imports point down or stay in their layer, those inside functions and those for type checkers too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "realtime_nb"
MAX_LINES = 500

# By module, or by the package that it is in.
LAYERS = {
    "errors": 0,
    "protocol": 1,
    "audio": 1,
    "transport": 2,
    "tools": 2,
    "endpoints": 2,
    "redaction": 2,
    "wire_audio": 2,
    "recorded_transport": 2,
    "session": 3,
    "connecting": 3,
    "background": 3,
    "host_audio": 3,
    "host_devices": 3,
    "host_player": 3,
    "host_process": 3,
    "host_streams": 3,
    "host_tracks": 3,
    "driver": 3,
    "inbox": 3,
    "outbox": 3,
    "devices": 3,
    "recorder": 3,
    "recorder_files": 3,
    "recording_files": 3,
    "recording_sources": 3,
    "event_logs": 3,
    "event_log_lines": 3,
    "served_recording": 3,
    "input_clock": 3,
    "vad": 3,
    "local": 3,
    "analysis": 4,
    "plots": 5,
    "widgets": 5,
    "recording": 5,
    "recording_events": 5,
    "recording_fold": 5,
    "recording_studies": 5,
    "recording_summary": 5,
    "recording_timeline": 5,
    "report": 5,
}
TOP = 6  # agent, recordings, doctor, testing, bench, cli, __init__, …

# Parts that were split off a module for its length, and are tested through it.
TESTED_WITH = {
    "protocol.checking": "protocol.server_errors",
    "protocol.client_events": "protocol.events",
    "protocol.item_config": "protocol.config",
    "protocol.jobs": "protocol.server",
    "protocol.options": "protocol.config",
    "protocol.records": "protocol.conversation",
    "protocol.responses": "protocol.server",
    "protocol.server_events": "protocol.events",
    "protocol.session_fields": "protocol.config",
    "protocol.sessions": "protocol.server",
    "protocol.wire": "protocol.events",
    "local.hearing": "local.connection",
    "connecting": "session",
    "driver": "session",
    "recorder_files": "recorder",
    "bench.lab_page": "e2e.audio_path",
    "bench.notebook": "e2e.audio_path",
    "recording_files": "recording",
    "redaction": "recorder",
    "input_clock": "analysis.tables",
    "event_log_lines": "event_logs",
    "analysis.recorded": "recording",
    "recording_events": "recording",
    "recording_fold": "recording",
    "recording_studies": "recording",
    "recording_timeline": "recording",
    "report.parts": "report.page",
    "report.pictures": "report.page",
    "report.sound": "report.page",
    "analysis.turn_moments": "analysis.tables",
    "analysis.figures": "analysis.metrics",
    "analysis.latency_metrics": "analysis.metrics",
    "analysis.talk_metrics": "analysis.metrics",
    "bench.long_session": "bench.recording",
    "host_player": "host_audio",
    "served_recording": "recorded_transport",
    "replay_script": "replay_reading",
}

PURE_FORBIDDEN = {"asyncio", "time", "random", "socket", "threading", "numpy", "realtime_nb.audio"}
SIDEWAYS_FORBIDDEN = {
    "audio": {"realtime_nb.protocol"},
    "plots": {"realtime_nb.session", "realtime_nb.driver"},
    "widgets": {"realtime_nb.session", "realtime_nb.driver"},
}
LOCAL_ENGINES = {"hibari", "hibari_tts", "onnxruntime", "moonshine_voice", "faster_whisper"}
HEAVY = LOCAL_ENGINES | {"sounddevice", "dask", "pyarrow", "openai", "jupyterlab"}

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def layer(module: str) -> int:
    inner = module.removeprefix("realtime_nb").removeprefix(".")
    return LAYERS.get(inner, LAYERS.get(inner.split(".")[0], TOP))


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


@pytest.mark.parametrize("part", SIDEWAYS_FORBIDDEN)
def test_what_must_not_know_each_other_does_not(part: str) -> None:
    modules = [name for name in MODULES if starts_with(name, {f"realtime_nb.{part}"})]
    known = {
        module: [name for name in IMPORTS[module] if starts_with(name, SIDEWAYS_FORBIDDEN[part])]
        for module in modules
    }
    assert {module: names for module, names in known.items() if names} == {}


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


def test_parts_that_are_tested_with_a_whole_exist() -> None:
    assert [part for part in TESTED_WITH if f"realtime_nb.{part}" not in MODULES] == []
