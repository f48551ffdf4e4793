"""What is said of a refused handshake: whole sentences, and the right advice."""

from __future__ import annotations

import json

import pytest

from realtime_nb.session.refusals import advice_on, words_of


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "model"),
        (401, "key"),
        (403, "key"),
        (404, "path"),
        (429, "wait"),
        (500, "server's side"),
        (502, "server's side"),
        (503, "server's side"),
        (599, "server's side"),
        (200, "web server"),
        (418, "URL"),
    ],
)
def test_advice_by_status(status: int, words: str) -> None:
    assert words in advice_on(status)
    assert advice_on(status).endswith(".")
    assert ("key" in advice_on(status)) == (status in (401, 403, 418))


def test_who_is_to_wait_is_told_how_long() -> None:
    assert "wait 17 s" in advice_on(429, 17.0)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://eu.example.com/v1/realtime?key=abc", "wss://eu.example.com/v1/realtime."),
        ("http://10.0.0.1:8080/x", "ws://10.0.0.1:8080/x."),
        ("/elsewhere", "/elsewhere."),
        ("https://user:pass@example.com/", "wss://example.com/."),
    ],
)
def test_a_redirect_names_its_target_without_what_may_be_secret(location: str, shown: str) -> None:
    said = advice_on(307, location=location)
    assert f"redirects to {shown}" in said
    assert "abc" not in said
    assert "pass" not in said


@pytest.mark.parametrize("location", [None, "", "  ", "?", "http://[::1"])
def test_a_redirect_to_nowhere(location: str | None) -> None:
    assert "does not say where" in advice_on(302, location=location)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "No such model.", "type": "x", "code": null}}', "No such model"),
        ('{"error": "Wrong key"}', "Wrong key"),
        ('{"detail": "Not Found"}', "Not Found"),
        ('{"message": "Forbidden"}', "Forbidden"),
        ('[{"error": {"code": 401, "message": "API key not valid."}}]', "API key not valid"),
        ('{"error": {"code": "401"}}', ""),
        ('{"error": {}}', ""),
        ("{}", ""),
        ("[]", ""),
        ("", ""),
        ("  \n", ""),
        (" No entry.\n", "No entry"),
        ("<html><body>nginx</body></html>", ""),
        ("{broken", "{broken"),
    ],
)
def test_words_of_a_body(body: str, words: str) -> None:
    assert words_of(body) == words


def test_what_is_long_is_cut_between_words_and_never_within_json() -> None:
    message = "word " * 200
    said = words_of(json.dumps({"error": {"param": "p" * 500, "message": message}}))
    assert said.startswith("word word")
    assert said.endswith("word …")
    assert len(said) < 310
