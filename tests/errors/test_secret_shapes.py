"""A key that is given in the wrong place is in no message: neither ours nor one that we hand on."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError, RealtimeError, ServerError
from realtime_nb.errors.secret_shapes import REMOVED, note_keys, without_keys

KEYS = {
    "of a known form": "sk-proj-planted-and-found-nowhere",
    "without a form": "0123456789abcdef0123456789abcdef",
    "of a session": "wonder land of no form",
    "of the environment": "an/odd:key of the environment",
}

TAKERS: list[tuple[Callable[..., object], tuple[object, ...]]] = [
    (rt.connect, ("local",)),
    (rt.Agent, ()),
    (rt.ServerVAD, ()),
    (rt.SemanticVAD, ()),
    (rt.Endpoint, ("ws://127.0.0.1:1",)),
    (rt.serve, ()),
    (rt.SessionManager, ("local",)),
    (rt.Reconnect, ()),
    (rt.BrowserAudioSettings, ()),
    (rt.HostAudioSettings, ()),
    (rt.azure, ("resource", "deployment")),
    (rt.load, ()),
    (rt.replay, ()),
    (rt.verify, ()),
    (rt.plot_vad, ()),
    (rt.read_labels, ()),
]


def wrong_values() -> list[tuple[Callable[..., object], tuple[object, ...], str]]:
    """Every option of every function that takes some, and a name that none has."""
    found = []
    for taker, needed in TAKERS:
        names = list(inspect.signature(taker).parameters)
        for at, name in enumerate(names):
            kind = inspect.signature(taker).parameters[name].kind
            if kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
                found.append((taker, needed[: min(at, len(needed))], name))
        found.append((taker, needed, ""))
    return found


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
async def test_no_option_repeats_a_key(
    key: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOME_API_KEY", KEYS["of the environment"])
    rt.Endpoint("ws://127.0.0.1:1", headers={"Authorization": f"Bearer {KEYS['of a session']}"})
    refused = 0
    for taker, needed, name in wrong_values():
        try:
            made = taker(*needed, **{name or key: key})
            if inspect.isawaitable(made) and taker in (rt.replay, rt.verify):
                await made
        except Exception as error:
            refused += 1
            shown = "".join(traceback.format_exception(error, chain=True))
            said = [line for line in shown.splitlines() if key in line]
            assert said == [], (taker, name)
    assert refused > len(TAKERS) * 2


def test_what_is_no_key_is_quoted() -> None:
    with pytest.raises(ConfigurationError, match="threshold must be a number, not 'high'"):
        rt.ServerVAD(threshold="high")  # type: ignore[arg-type]
    for words in (
        "reconnect is 'sometimes'; give True, False or an rt.Reconnect(first_s=…, budget_s=…).",
        "OpenAI needs an API key: set OPENAI_API_KEY or pass api_key=….",
        "item_0123456789abcdef is not in the conversation.",
        "recordings/20261129-142331-f95eeb holds 1 recordings.",
        "/tmp/fedcba9876543210fedcba9876543210/a.wav is a directory.",
        "Session 01234567-89ab-cdef-0123-456789abcdef is closed.",
    ):
        assert str(RealtimeError(words)) == words


@pytest.mark.parametrize(
    ("message", "without"),
    [
        ("'sk-abcdefgh12345678' is no URL.", f"'{REMOVED}' is no URL."),
        ("Authorization: Bearer abc.def-123", f"Authorization: Bearer {REMOVED}"),
        ("got 0123456789ABCDEF0123456789abcdef00", f"got {REMOVED}"),
        ("wss://me:secret@host/", f"wss://{REMOVED}@host/"),
    ],
)
def test_what_looks_like_a_key_is_not(message: str, without: str) -> None:
    assert without_keys(message) == without
    assert str(ServerError(message, "code")) == without


def test_a_short_key_spoils_no_words() -> None:
    note_keys(["number"])
    assert without_keys("threshold must be a number") == "threshold must be a number"


def test_an_error_of_ours_tells_none_of_its_cause_either(tmp_path: Path) -> None:
    folder = tmp_path / KEYS["of a known form"]
    folder.mkdir()
    with pytest.raises(RealtimeError) as raised:
        rt.read_labels(folder)
    assert isinstance(raised.value.__cause__, IsADirectoryError)
    assert folder.name not in "".join(traceback.format_exception(raised.value))
