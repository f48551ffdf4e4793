"""One tree of errors, with the built-in classes that callers may already catch."""

from __future__ import annotations

import pytest

from realtime_nb import errors
from realtime_nb.errors import MissingExtraError, RealtimeError, ServerError, SessionClosedError

ERRORS = [name for name in errors.__all__ if name.endswith("Error")]


@pytest.mark.parametrize("name", ERRORS)
def test_everything_is_a_realtime_error(name: str) -> None:
    assert issubclass(getattr(errors, name), RealtimeError)


@pytest.mark.parametrize(
    ("name", "builtin"),
    [
        ("ConfigurationError", ValueError),
        ("AudioError", ValueError),
        ("ToolError", ValueError),
        ("ConnectionFailedError", ConnectionError),
    ],
)
def test_builtin_classes_catch_it_too(name: str, builtin: type[Exception]) -> None:
    assert issubclass(getattr(errors, name), builtin)


def test_a_missing_extra_names_the_line_to_run() -> None:
    error = MissingExtraError("onnxruntime", "local")
    assert str(error).endswith("Run: pip install 'realtime_nb[local]'")
    assert error.extra == "local"


def test_details_are_attributes() -> None:
    closed = SessionClosedError("over", 1001, "expired")
    assert (closed.close_code, closed.reason) == (1001, "expired")
    refused = ServerError("no", "invalid_value", "session.voice", "event_1")
    assert (refused.code, refused.param, refused.event_id) == (
        "invalid_value",
        "session.voice",
        "event_1",
    )
