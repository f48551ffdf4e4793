"""Options that nobody knows are refused in words."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec
import pytest

import realtime_nb as rt
from realtime_nb.errors import ConfigurationError
from realtime_nb.errors.option_names import refuse_unknown
from realtime_nb.protocol.config import SESSION_OPTIONS


def test_unknown_options_name_the_nearest() -> None:
    refuse_unknown({"voice": 1}, SESSION_OPTIONS)
    with pytest.raises(ConfigurationError, match="Did you mean 'voice'"):
        refuse_unknown({"voise": 1}, SESSION_OPTIONS)


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("voise", "voice"),
        ("turndetection", "turn_detection"),
        ("turnDetection", "turn_detection"),
        ("Instructions", "instructions"),
        ("reasonning", "reasoning"),
        ("recrod", "record"),
    ],
)
def test_all_that_there_is_is_listed_the_closest_first(given: str, meant: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        refuse_unknown({given: 1}, SESSION_OPTIONS, ["record", "pace"])
    words, _, listed = str(caught.value).rstrip(".").partition("There are ")
    assert f"Did you mean {meant!r}?" in words
    names = listed.split(", ")
    assert names[0] == meant
    assert sorted(names) == sorted([*SESSION_OPTIONS, "record", "pace"])


@pytest.mark.parametrize(
    ("made", "given", "meant"),
    [
        (rt.Reconnect, "firsts", "first_s"),
        (rt.Reconnect, "budgets_s", "budget_s"),
        (rt.Reconnect, "Jitter", "jitter"),
        (rt.ServerVAD, "treshold", "threshold"),
        (rt.ServerVAD, "silenceDurationMs", "silence_duration_ms"),
        (rt.SemanticVAD, "eager", "eagerness"),
        (rt.Endpoint, "adress_url", None),
        (rt.Endpoint, "header", "headers"),
        (rt.BrowserAudioSettings, "echo_cancel", "echo_cancellation"),
        (rt.HostAudioSettings, "devise", None),
        (rt.Price, "audio_inn", "audio_in"),
        (rt.serve, "session_minute", "session_minutes"),
        (rt.tool, "timeout", "timeout_s"),
        (rt.tool, "timout_s", "timeout_s"),
        (rt.tool, "fillerAfterS", "filler_after_s"),
        (rt.tool, "desciption", "description"),
        (rt.tool, "function", None),
        (rt.testing.Drop, "codes", "code"),
        (rt.testing.HalfOpen, "directions", "direction"),
        (rt.testing.Refuse, "retry_after", "retry_after_s"),
    ],
)
def test_classes_of_options_name_the_nearest(made: Any, given: str, meant: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made(**{given: 1})
    assert f"Unknown option {given!r}." in str(caught.value)
    if meant is not None:
        assert f"Did you mean {meant!r}?" in str(caught.value)


def test_what_is_not_named_or_is_missing_is_ours_too() -> None:
    for made in (rt.Reconnect, rt.ServerVAD, rt.BrowserAudioSettings):
        with pytest.raises(ConfigurationError, match=made.__name__):
            made(1)  # type: ignore[call-arg, arg-type]
    with pytest.raises(ConfigurationError, match="url"):
        rt.Endpoint()  # type: ignore[call-arg]


def test_a_tool_lists_what_it_takes_by_name_and_nothing_else() -> None:
    with pytest.raises(ConfigurationError) as caught:
        rt.tool(print, times=3)  # type: ignore[call-overload]
    listed = str(caught.value).rstrip(".").partition("There are ")[2].split(", ")
    assert sorted(listed) == sorted(
        ["description", "name", "timeout_s", "main_thread", "filler", "filler_after_s"]
    )
    with pytest.raises(ConfigurationError, match="tool can't be made so: too many"):
        rt.tool(print, 3)  # type: ignore[call-overload]


def test_they_stay_what_they_are() -> None:
    assert rt.Reconnect(first_s=1) == rt.Reconnect(first_s=1.0)
    assert "first_s" in inspect.signature(rt.Reconnect).parameters
    assert "url" in inspect.signature(rt.Endpoint).parameters
    decoded = msgspec.json.decode(b'{"type": "server_vad", "threshold": 0.25}', type=rt.ServerVAD)
    assert decoded == rt.ServerVAD(threshold=0.25)
    with pytest.raises(ConfigurationError, match="between 0"):
        rt.ServerVAD(threshold=7)
