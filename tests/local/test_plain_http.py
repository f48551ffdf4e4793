"""Requests that are read piece by piece, and refused where they have no end."""

from __future__ import annotations

import http

import pytest

from realtime_nb.local.plain_http import (
    MAX_BODY_BYTES,
    PlainRequest,
    PlainResponse,
    RequestReader,
    refusal,
)

POST = b"POST /x?y=1 HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("size", [1, 2, 7, 1_000])
def test_a_request_in_any_pieces(size: int) -> None:
    reader = RequestReader()
    pieces = [POST[at : at + size] for at in range(0, len(POST), size)]
    *early, last = [reader.take(piece) for piece in pieces]
    assert not any(early)
    assert last == PlainRequest(
        "POST",
        "/x?y=1",
        {"host": ["a"], "x": ["1", "2"], "content-length": ["5"]},
        b"hello",
    )


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NONSENSE\r\n\r\n", 400),
        (b"\x16\x03\x01\r\n\r\n", 400),
        (b"POST / HTTP/2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"POST / HTTP/1.1\r\nA: " + b"a" * 20_000, 431),
    ],
)
def test_what_is_no_request(request_bytes: bytes, status: int) -> None:
    answer = RequestReader().take(request_bytes)
    assert isinstance(answer, PlainResponse)
    assert answer.status == status
    head, _, body = answer.encoded().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"Content-Length: %d" % len(body) in head
    assert body.startswith(b'{"error":')


def test_who_is_admitted_may_send_more_and_who_is_not_is_told_at_once() -> None:
    long = POST.replace(b"Content-Length: 5", b"Content-Length: %d" % (MAX_BODY_BYTES + 1))
    heads: list[PlainRequest] = []

    def admitted(head: PlainRequest) -> int:
        heads.append(head)
        return MAX_BODY_BYTES + 1

    reader = RequestReader(admitted)
    assert reader.take(long) is None
    assert reader.take(b"o" * 100) is None
    assert reader.took_bytes == len(long) + 100
    (head,) = heads
    assert (head.target, head.body) == ("/x?y=1", b"")
    answer = RequestReader(lambda head: refusal(http.HTTPStatus.FORBIDDEN, "No.")).take(long)
    assert isinstance(answer, PlainResponse) and answer.status == 403
    answer = RequestReader(lambda head: 4).take(POST)
    assert isinstance(answer, PlainResponse) and answer.status == 413
