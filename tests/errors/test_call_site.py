"""Errors of use are shown where the package was called, without the frames inside it."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError, RealtimeError
from realtime_nb.testing import MemoryServer
from tests.paths import DATA

HERE = Path(__file__).name


def frames(error: BaseException) -> list[str]:
    """The files of its traceback, from where it was caught."""
    return [Path(one.filename).name for one in traceback.extract_tb(error.__traceback__)]


def raised_by(use: Callable[[], object], kind: type[BaseException] = RealtimeError) -> Any:
    with pytest.raises(kind) as raised:
        use()
    return raised.value


USES: dict[str, Callable[[], object]] = {
    "option of Agent": lambda: rt.Agent(modell="x"),
    "endpoint of Agent": lambda: rt.Agent("locl"),
    "tool of Agent": lambda: rt.Agent(tools=[3]),  # type: ignore[list-item]
    "audio of Agent": lambda: rt.Agent("local", audio="missing.wav"),
    "endpoint of connect": lambda: rt.connect("locl"),
    "option of connect": lambda: rt.connect("local", instruction="hi"),
    "load what is missing": lambda: rt.load("missing"),
    "load what is no audio": lambda: rt.load(__file__),
    "load no path": lambda: rt.load(3),  # type: ignore[arg-type]
    "range of ServerVAD": lambda: rt.ServerVAD(threshold=7),
    "type of ServerVAD": lambda: rt.ServerVAD(threshold="high"),  # type: ignore[arg-type]
    "name of ServerVAD": lambda: rt.ServerVAD(treshold=0.7),  # type: ignore[call-arg]
    "clip": lambda: rt.load(DATA / "cards_001.wav").clip(5, 3),
    "turn": lambda: rt.load(DATA / "cards_001.wav").plot_timeline(turn=77),
    "label": lambda: rt.load(DATA / "cards_001.wav").label(1, "x"),
    "check": lambda: rt.load(DATA / "cards_001.wav").check().below("latency", p95=3),
    "serve": lambda: rt.serve(port=99_999_999),
    "Recordings": lambda: rt.Recordings("missing"),
    "compare": lambda: rt.compare("missing", 3),  # type: ignore[arg-type]
    "compare_costs": lambda: rt.compare_costs("missing"),  # type: ignore[arg-type]
    "tool": lambda: rt.tool(3),  # type: ignore[call-overload]
    "azure": lambda: rt.azure("resource"),  # type: ignore[call-arg]
    "chunk": lambda: rt.BrowserAudioSettings(chunk_ms=1),
    "url": lambda: rt.Endpoint("http://localhost"),
    "view of a path": lambda: rt.Timeline("missing"),
    "view of nothing": lambda: rt.EventInspector(3),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_it_is_shown_at_the_call_and_nowhere_else(use: Callable[[], object]) -> None:
    error = raised_by(use, (RealtimeError, TypeError))  # type: ignore[arg-type]
    assert frames(error) == [HERE, HERE]  # where it is caught, and the lambda


CALLABLES = [
    name
    for name in rt.__all__
    if callable(getattr(rt, name))
    and not (inspect.isclass(getattr(rt, name)) and issubclass(getattr(rt, name), Exception))
]


@pytest.mark.parametrize("name", CALLABLES)
def test_an_unknown_argument_is_refused_at_the_call(name: str) -> None:
    use = getattr(rt, name)
    if inspect.iscoroutinefunction(use):
        pytest.skip("nothing happens before it is awaited")
    error = raised_by(lambda: use(no_such_argument=1), (TypeError, ConfigurationError))  # type: ignore[arg-type]
    assert frames(error) == [HERE, HERE]


ASYNC_USES = {
    "unreachable": "async with rt.connect('ws://127.0.0.1:9/v1'): pass",
    "unreachable, awaited": "await rt.connect('ws://127.0.0.1:9/v1')",
    "endpoint of replay": f"await rt.replay({str(DATA / 'cards_001.wav')!r}, 'locl')",
    "replay of what is missing": "await rt.replay('missing', 'local')",
    "option of replay": "await rt.replay(rt.load('missing'), 'local')",
}


def told_by_ipython(shell: InteractiveShell, code: str, capsys: Any) -> str:
    capsys.readouterr()
    shell.run_cell(code)  # type: ignore[no-untyped-call]
    text: str = capsys.readouterr().out
    return text


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    shell = InteractiveShell.instance()
    shell.run_line_magic("colors", "nocolor")
    shell.run_cell("import realtime_nb as rt")  # type: ignore[no-untyped-call]
    yield shell
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("code", ASYNC_USES.values(), ids=ASYNC_USES)
def test_ipython_shows_the_cell_alone(shell: InteractiveShell, code: str, capsys: Any) -> None:
    text = told_by_ipython(shell, code, capsys)
    assert text.count("Cell In") == 1
    assert "File " not in text
    assert len(text.splitlines()) < 12


def test_a_cause_is_named_in_a_line(shell: InteractiveShell, capsys: Any) -> None:
    text = told_by_ipython(shell, f"rt.load({__file__!r})", capsys)
    assert text.count("Cell In") == 1
    assert "direct cause" in text
    assert "File " not in text


async def test_verbs_of_a_session_are_shown_where_they_are_awaited() -> None:
    async with MemoryServer() as server, rt.connect(transport=server.transport) as session:
        with pytest.raises(ConfigurationError) as refused:
            await session.update(threshold=3)
        with pytest.raises(rt.AudioError) as missing:
            await session.play("missing.wav")
    assert frames(refused.value)[0] == frames(missing.value)[0] == HERE
    assert "session.py" not in frames(refused.value) + frames(missing.value)


# --- what of a class is covered; the class is as if it were in the package ---

SOURCE = """
from functools import cached_property
from realtime_nb.errors import ConfigurationError, at_call

def fail(error=ConfigurationError):
    raise error("no")

@at_call
class Thing:
    def __init__(self, broken=False):
        if broken:
            fail()

    def __getitem__(self, index):
        fail()

    @property
    def now(self):
        fail()

    @cached_property
    def once(self):
        fail()

    def each(self):
        yield 1
        fail()

    async def later(self):
        fail()

    def bug(self):
        fail(KeyError)

    def wrong(self):
        fail(TypeError)

    def disk(self):
        fail(OSError)

    def calls(self, back):
        return back()

    @staticmethod
    def static():
        return 1
"""
INSIDE: dict[str, Any] = {"__name__": "realtime_nb.inside"}
exec(compile(SOURCE, "inside.py", "exec"), INSIDE)
Thing: Any = INSIDE["Thing"]


def awaited(work: Coroutine[Any, Any, object]) -> object:
    return work.send(None)


COVERED: dict[str, Callable[[], object]] = {
    "making": lambda: Thing(broken=True),
    "index": lambda: Thing()[0],
    "property": lambda: Thing().now,
    "generator": lambda: list(Thing().each()),
    "coroutine": lambda: awaited(Thing().later()),
    "disk": lambda: Thing().disk(),
}


@pytest.mark.parametrize("use", COVERED.values(), ids=COVERED)
def test_all_that_is_public_of_a_class(use: Callable[[], object]) -> None:
    assert set(frames(raised_by(use, (RealtimeError, OSError)))) == {HERE}  # type: ignore[arg-type]


def test_a_cached_property_has_no_more_than_the_librarys_own_frame() -> None:
    assert set(frames(raised_by(lambda: Thing().once))) <= {HERE, "functools.py"}


@pytest.mark.parametrize("use", [lambda: Thing().bug(), lambda: Thing().wrong()])
def test_errors_of_ours_keep_their_frames(use: Callable[[], object]) -> None:
    found = frames(raised_by(use, (KeyError, TypeError)))  # type: ignore[arg-type]
    assert found[-2:] == ["inside.py", "inside.py"]


def test_what_code_of_the_caller_raised_keeps_its_frames() -> None:
    def mine() -> None:
        raise ConfigurationError("mine")

    found = frames(raised_by(lambda: Thing().calls(mine)))
    assert found == [HERE, HERE, "call_site.py", "inside.py", HERE]


def test_the_error_that_the_caller_was_handling_keeps_its_frames() -> None:
    def use() -> None:
        try:
            raise KeyError("mine")
        except KeyError:
            Thing(broken=True)

    error = raised_by(use)
    assert frames(error.__context__) == [HERE]


def test_all_frames_are_there_if_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REALTIME_NB_FULL_TRACEBACKS", "1")
    found = frames(raised_by(lambda: Thing(broken=True)))
    assert found[-2:] == ["inside.py", "inside.py"]


def test_what_does_not_fail_is_as_it_was() -> None:
    assert Thing.static() == 1
    assert next(Thing().each()) == 1
    assert inspect.iscoroutinefunction(Thing.later)
    assert list(inspect.signature(Thing.calls).parameters) == ["self", "back"]
