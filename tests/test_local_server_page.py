"""The page that tells the local server's bounds tells those of the code."""

from __future__ import annotations

import pytest

from realtime_nb.commands.bench.hostile_clients import KINDS
from realtime_nb.local import (
    audio_rest,
    client_socket,
    connection,
    door,
    frames,
    messages,
    plain_http,
    server,
    sharing,
)
from realtime_nb.protocol import checking
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "local-server.md").read_text("utf-8")
MIB = 1024 * 1024

BOUNDS = {
    "new connections of an address": (
        f"{door.PER_ADDRESS_AT_ONCE} at once, {door.PER_ADDRESS_PER_S:g} a second"
    ),
    "new connections in all": f"{door.IN_ALL_AT_ONCE} at once, {door.IN_ALL_PER_S:g} a second",
    "handshakes that have begun": f"{server._MAX_HANDSHAKES}",
    "pings, pongs and the like": (
        f"{frames.CONTROL_BURST} at once, {frames.CONTROL_PER_S:g} a second"
    ),
    "fragments of a message": f"{frames.FREE_FRAGMENTS}, and one for each KiB of it",
    "a message that is no append": (
        f"{messages.MAX_MESSAGE_CHARS // MIB} MiB, {messages.MAX_VALUES:,} values"
    ),
    "an append": f"{checking.MAX_APPEND_BYTES // MIB} MiB of audio",
    "a request's body": (
        f"{plain_http.MAX_BODY_BYTES // 1024} KiB; a file to be transcribed "
        f"{audio_rest.MAX_AUDIO_BYTES // MIB} MiB, from who has the token"
    ),
    "requests for speech or its text, of all clients": (
        f"{audio_rest.MOST_AT_ONCE} at once, each for 10 s"
    ),
    "long messages under way, of all clients": (
        f"{sharing.LONG_MESSAGES}, each for {client_socket.LONG_MESSAGE_S:g} s"
    ),
    "the loop's time": (
        f"{sharing.SHARE:.0%} each, saved up to {sharing.BURST_S * 1000:g} ms".replace("%", " %")
    ),
    "what a session keeps": f"{connection.MAX_KEPT_BYTES // MIB} MiB",
    "what all connections keep": f"{sharing.MEMORY_BYTES // MIB} MiB",
    "what a client leaves unread": (
        f"{connection.MAX_UNSENT_BYTES // MIB} MiB, {connection.UNREAD_S:g} s for an event"
    ),
}


@pytest.mark.parametrize("what", BOUNDS)
def test_bounds(what: str) -> None:
    assert f"| {what} | {BOUNDS[what]} |" in PAGE


def test_words_around_them() -> None:
    assert f"at most {door.MOST_WAIT_S:g} s; then HTTP 429" in PAGE
    answers_s = client_socket.PING_S * client_socket.MISSED_PINGS
    assert f"has {answers_s:g} s to answer a ping" in PAGE
    assert f"{len(KINDS) - 1} kinds" in PAGE  # one of them is nobody
    assert frames.BYTES_PER_FRAGMENT == 1024


def test_the_readme_leads_there() -> None:
    assert "docs/local-server.md" in (ROOT / "README.md").read_text("utf-8")
