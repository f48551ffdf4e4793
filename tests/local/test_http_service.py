"""Services over HTTP: what can be wrong with them, and that no key is told."""

from __future__ import annotations

import asyncio
import builtins
import time
import traceback
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

import pytest

from realtime_nb.errors import ConfigurationError, MissingExtraError, RealtimeError
from realtime_nb.local.http_service import HttpService, complaint, usable_name
from tests.local.scripted_http import Service, service

if TYPE_CHECKING:
    import httpx

KEY = "sk-very-secret-0123456789"


def of(served: Service, timeout_s: float = 5.0) -> HttpService:
    return HttpService(served.url, "/x", "m", KEY, timeout_s)


async def test_what_is_asked_and_answered() -> None:
    async with service(b"Gr\xc3", b"\xbc\xc3\x9fe") as served:
        assert await of(served).text(json={"a": 1}) == "Grüße"
    (asked,) = served.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/v1/x", b'{"a":1}')
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_without_a_key_nothing_is_sent_for_one() -> None:
    async with service(b"ok") as served:
        await HttpService(served.url + "/", "/x", "m", None, 5).text(json={})
    assert "authorization" not in served.asked[0].headers
    assert served.asked[0].path == "/v1/x"


@pytest.mark.parametrize(
    ("status", "body", "more", "told"),
    [
        ("401 No", b'{"error": {"message": "Bad key ' + KEY.encode() + b'"}}', "", "401: Bad key"),
        ("404 No", b'{"detail": "No model."}', "", r"404: No model\. Check model: is 'm' there"),
        ("429 Slow", b'{"error": "rate"}', "", r"429: rate\."),
        ("500 Oh", b"<html>\n broken </html>", "", r"500: It sent a web page\."),
        ("503 Oh", b"", "", r"503: no reason given\."),
        ("502 Oh", b"\xff\xfe" * 400, "", "502: "),
        ("500 Oh", b"x" * 3_000_000, "", "500: x+"),
        (
            "301 Moved",
            b"",
            "\r\nLocation: http://b/v1/x",
            r"301: .* It points to http://b/v1/x: give",
        ),
        ("204 None", b"", "", "204"),
    ],
)
async def test_refusals_are_told_in_a_sentence(
    status: str, body: bytes, more: str, told: str
) -> None:
    async with service(body, status=status, more=more) as served:
        with pytest.raises(RealtimeError, match=told) as refused:
            await of(served).text(json={})
    words = str(refused.value)
    assert KEY not in words and len(words) < 600 and words.endswith(".")
    assert served.url in words


async def test_an_answer_that_is_endless_is_no_text() -> None:
    async with service(b"x" * 2_000_000, hold=True) as served:
        with pytest.raises(RealtimeError, match="more than text"):
            await of(served).text(json={})


@pytest.mark.parametrize("hold", [True, False])
async def test_no_key_is_told_by_what_fails(hold: bool) -> None:
    """Nor by what hangs on the exception: a request, whose headers have it."""
    async with service(hold=hold, more="\r\nContent-Length: 9") as served:
        with pytest.raises(RealtimeError) as failed:
            await of(served, 0.05).text(json={})
    assert ("gave nothing for 0.05 s" in str(failed.value)) == hold
    assert failed.value.__cause__ is None and failed.value.__context__ is None
    assert KEY not in "".join(traceback.format_exception(failed.value))


async def test_nobody_there() -> None:
    async with service() as served:
        pass
    with pytest.raises(RealtimeError, match="Is the model server running"):
        await of(served).text(json={})


async def test_whoever_stops_reading_ends_the_request() -> None:
    async def read(response: httpx.Response) -> AsyncGenerator[bytes, None]:
        async for piece in response.aiter_bytes():
            yield piece

    async with service(b"one", hold=True) as served:
        parts = of(served).streamed(read, json={})
        assert await anext(parts) == b"one"
        began_s = time.perf_counter()
        await parts.aclose()
        async with asyncio.timeout(5):
            await served.left.wait()
    assert served.left_s - began_s < 0.1


@pytest.mark.parametrize("url", ["", "localhost:8000", "ws://a", "ftp://a", None, 3])
def test_addresses_that_are_none(url: Any) -> None:
    with pytest.raises(ConfigurationError, match="base_url must start with http"):
        HttpService(url, "/x", "m", None, 5)


@pytest.mark.parametrize("timeout_s", [0, -1, "5", None, float("nan")])
def test_time_outs_that_are_none(timeout_s: Any) -> None:
    with pytest.raises(ConfigurationError, match="timeout_s is"):
        HttpService("http://a", "/x", "m", None, timeout_s)


def test_names_of_nothing() -> None:
    assert usable_name("model", "m") == "m"
    for wrong in ("", " ", None, 3, ["m"]):
        with pytest.raises(ConfigurationError, match=r"model is .*; give the name"):
            usable_name("model", wrong)


def test_a_user_in_the_address_is_not_shown() -> None:
    assert HttpService("http://me:secret@a/v1", "/x", "m", None, 5).shown_url == "http://a/v1"


def test_without_httpx_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name == "httpx":
            raise ImportError
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"realtime_nb\[chat\]"):
        HttpService("http://a", "/x", "m", None, 5)


@pytest.mark.parametrize("body", ["null", "[]", '{"error": null}', '{"error": []}', "5", "{}"])
def test_any_error_body_gives_a_sentence(body: str) -> None:
    assert complaint(body).endswith(".")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ('{"error": {"message": "No"}}', "No."),
        ({"error": {"detail": "No"}}, "No."),
        ([], "no reason given."),
        ([{"error": {"message": "No"}}], "No."),
        ({"detail": [{"loc": ["x"], "msg": "No"}]}, "No."),
        ("", "no reason given."),
        ("plain\n text", "plain text."),
        ('{"detail": "Not Found"}', "Not Found."),
    ],
)
def test_a_complaint_is_found_in_whatever_form(body: object, words: str) -> None:
    assert complaint(body) == words
