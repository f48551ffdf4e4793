"""The page that says what of the protocol works where is what the tests' marks say."""

from __future__ import annotations

import runpy

import pytest

from tests.conformance.features import FEATURES, REASONS, WHO, shown_by, why_not
from tests.paths import ROOT

PAGE = ROOT / "docs" / "protocol-support.md"


def test_the_page_is_what_the_script_writes() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "write_protocol_support.py"))["page"]()

    assert written == PAGE.read_text("utf-8"), (
        "write it anew: python scripts/write_protocol_support.py"
    )


def test_marks_name_what_there_is() -> None:
    for feature, who in shown_by():
        assert feature in FEATURES
        assert who in WHO


@pytest.mark.parametrize("feature", FEATURES)
def test_the_local_server_shows_each(feature: str) -> None:
    assert shown_by()[feature, "server"]


def test_nothing_that_is_shown_has_a_reason_not_to_be() -> None:
    assert not REASONS.keys() & shown_by().keys()
    assert all(feature in FEATURES and who in WHO for feature, who in REASONS)
    assert all(why_not(feature, who) for feature in FEATURES for who in WHO)


def test_what_a_profile_is_said_to_lack_is_in_the_table() -> None:
    page = PAGE.read_text("utf-8")
    for words in ("response.cancel: an interrupted", "it is taken and does nothing"):
        assert words in page
