from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from realtime_nb.commands import cli
from realtime_nb.commands.serve import _serve
from realtime_nb.local.server import LocalServer
from tests.commands.command_line import Capture, elsewhere, refused
from tests.paths import DATA

__all__ = ["elsewhere"]  # a fixture

CLUBS = str(DATA / "cards_001.wav")


@contextmanager
def _serving(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "realtime_nb", "serve", "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process:
        try:
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


def _ended(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_serve_talk_and_stop(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with _serving("--token", "sesame") as (process, ready):
        told = {"vad": "silero", "stt": "moonshine-tiny-en", "llm": "rules", "tts": "hibari"}
        assert ready.pop("engines") == told
        assert ready == {"url": ready["url"], "token": "sesame", "pid": process.pid}
        arguments = ("talk", CLUBS, "--endpoint", ready["url"])

        for key, words in ((["--api-key", "wrong"], "Incorrect API key"), ([], "authentication")):
            assert cli.main([*arguments, *key]) == 1
            printed = capsys.readouterr()
            assert re.fullmatch(rf"realtime-nb: .*{words}.*--api-key.*\n", printed.err)
            assert cli.TOKEN_VARIABLE in printed.err
            assert printed.out == ""
        assert not Path("recordings").exists()  # nothing is kept of sessions that never began
        port = ready["url"].split(":")[2].split("/")[0]
        code, line = refused(capsys, "serve", "--port", port)
        assert code == 2 and f"Port {port} can't be used" in line

        monkeypatch.setenv(cli.TOKEN_VARIABLE, "sesame")
        assert cli.main([*arguments, "--json"]) == 0
        (turn,) = json.loads(capsys.readouterr().out.splitlines()[-1])["turns"]
        # The silence window is a part of it.
        assert 224 < turn["latency_ms"] < 5_000
        assert turn["latency_note"] is None

        assert _ended(process, signal.SIGTERM) == (0, "", "")


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_serve_ends_by_ctrl_c_with_clients_connected() -> None:
    from websockets.sync.client import connect

    with _serving("--strict-ga") as (process, ready):
        assert len(ready["token"]) > 20
        headers = {"Authorization": f"Bearer {ready['token']}"}
        beta = {**headers, "OpenAI-Beta": "realtime=v1"}
        with connect(f"{ready['url']}?model=local", additional_headers=beta) as refused:
            assert "beta_api_shape_disabled" in str(refused.recv())
        with connect(f"{ready['url']}?model=local", additional_headers=headers) as client:
            assert json.loads(client.recv())["type"] == "session.created"
            began = time.monotonic()
            assert _ended(process, signal.SIGINT) == (0, "", "")
            assert time.monotonic() - began < 10


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_serve_with_tls_tells_how_it_is_trusted(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from websockets.sync.client import connect

    monkeypatch.setenv("XDG_DATA_HOME", str(elsewhere))
    command = [sys.executable, "-m", "realtime_nb", "serve", "--tls", "--token", "sesame"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "Ctrl-C ends it.\n")
        url, token, _, certificate, *trust = [line.rstrip("\n") for line in lines]
        process.send_signal(signal.SIGTERM)
    path = certificate.removeprefix("certificate  ")
    assert url.startswith("url    wss://127.0.0.1:") and token == "token  sesame"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"):
        assert any(line.startswith(f"  {name}={path} ") for line in trust)

    # The same certificate, given as one's own.
    key = str(Path(path).parent / "key.pem")
    with _serving("--tls-cert", path, "--tls-key", key, "--token", "sesame") as (process, ready):
        assert ready["certificate"] == path
        where = ("--endpoint", ready["url"], "--api-key", "sesame")
        assert cli.main(("talk", CLUBS, *where, "--json")) == 1
        assert "--tls` prints it" in capsys.readouterr().err
        monkeypatch.setenv("SSL_CERT_FILE", path)
        headers = {"Authorization": "Bearer sesame"}
        with connect(f"{ready['url']}?model=m", additional_headers=headers) as client:
            assert json.loads(client.recv())["type"] == "session.created"
        assert _ended(process, signal.SIGTERM) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "99999"), "port is 99999"),
        (("--port", "web"), "--port"),
        (("--stt", "ears"), "Unknown stt 'ears'; choose from moonshine"),
        (("--stt", "Whisper"), "Did you mean 'whisper'?"),
        (("--llm", "rule"), "Did you mean 'rules'?"),
        (("--tts", "mouth"), "Unknown tts 'mouth'; choose from hibari"),
        (("--vad", "server"), "Unknown vad 'server'; choose from silero"),
        (
            ("--llm", "rules", "--llm-url", "http://127.0.0.1:1/v1", "--llm-model", "m"),
            "--llm and --llm-url name two models",
        ),
        (("--llm-url", "http://127.0.0.1:1/v1"), "--llm-model"),
        (("--llm-model", "qwen3"), "--llm-url"),
        (("--llm-url", "ftp://x", "--llm-model", "y"), "http://"),
        (("--session-minutes", "0"), "session_minutes"),
        (("--lead-ms", "-1"), "lead_ms is -1"),
        (("--lead-ms", "soon"), "--lead-ms"),
        (("--dialect", "esperanto"), "esperanto"),
        (("--tls-cert", "a.pem"), "--tls-key"),
        (("--tls-key", "a.pem"), "--tls-cert"),
        (("--tls-cert", "a.pem", "--tls-key", "b.pem"), "TLS certificate a.pem can't be read"),
    ],
)
def test_serve_settings_that_cant_be(capsys: Capture, options: tuple[str, ...], words: str) -> None:
    code, line = refused(capsys, "serve", *options)
    assert code == 2
    assert words in line


@pytest.mark.skipif(os.name != "posix", reason="needs signals")
def test_what_stays_to_the_end_is_not_collected_again_and_again() -> None:
    class Server:
        url, token, certificate = "ws://127.0.0.1:1/v1/realtime", "t", None

        async def __aenter__(self) -> Server:
            return self

        async def __aexit__(self, *exc: object) -> None:
            frozen.append(gc.get_freeze_count())

        @property
        def engines(self) -> SimpleNamespace:
            signal.raise_signal(signal.SIGTERM)
            return SimpleNamespace(names={})

    frozen: list[int] = []
    loaded = len(gc.get_objects())
    try:
        asyncio.run(_serve(cast("LocalServer", Server()), as_json=True))
    finally:
        gc.unfreeze()
    assert frozen[0] > loaded / 2
