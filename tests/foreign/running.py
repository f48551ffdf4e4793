"""A real ``realtime-nb serve``, and the scripts of foreign clients run against it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from realtime_nb.audio.files import load_audio
from realtime_nb.audio.pcm import pcm_from_samples
from realtime_nb.testing import silence
from tests.foreign.environments import CLIENTS, prepared
from tests.foreign.tap import Tap, tapped
from tests.paths import DATA, ROOT

__all__ = ["Served", "Told", "certificate", "run", "serving", "write_clips"]

CLIENT_S = 90

Event = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """Where the server is, and its key."""

    port: int
    token: str


@dataclass(frozen=True)
class Told:
    """What a client tells of a scenario, and what went over the wire."""

    client: Event
    tap: Tap
    audio: bytes


@contextmanager
def serving(log: Path) -> Iterator[Served]:
    """Runs the command; its messages go to a file, and it must end well."""
    command = [sys.executable, "-m", "realtime_nb", "serve", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with log.open("w", encoding="utf-8") as messages:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, text=True, env=environment
        )
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            yield Served(urlsplit(ready["url"]).port or 0, ready["token"])
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.stdout.close()
            process.wait()


def write_clips(folder: Path) -> None:
    """Writes the recorded clips as 24-kHz PCM16 between silences, as a microphone hears them."""
    for path in DATA.glob("*.wav"):
        pcm = silence(300) + pcm_from_samples(load_audio(path)) + silence(1_200)
        (folder / f"{path.stem}.pcm").write_bytes(pcm)


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Returns a certificate for this machine, and what a server needs to show it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    about = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    name = ["-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", *about, *name, "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


async def run(client: str, scenario: str, served: Served, clips: Path, folder: Path) -> Told:
    """Has a client play a scenario, in a folder of its own."""
    command = await asyncio.to_thread(prepared, client, folder)
    secure = CLIENTS[client]["tls"]
    made, context = certificate(folder) if secure else (None, None)
    async with tapped(served.port, context) as tap:
        environment = {
            **{name: value for name, value in os.environ.items() if "OPENAI" not in name},
            "BASE_URL": f"{'https' if secure else 'http'}://127.0.0.1:{tap.port}/v1",
            "REALTIME_URL": f"{'wss' if secure else 'ws'}://127.0.0.1:{tap.port}/v1/realtime",
            "API_KEY": served.token,
            "CLIPS": str(clips),
            **({"NODE_EXTRA_CA_CERTS": str(made)} if made else {}),
        }
        process = await asyncio.create_subprocess_exec(
            *command,
            scenario,
            cwd=folder,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(CLIENT_S):
                printed, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert process.returncode == 0, printed.decode()[-4_000:]
    told = json.loads((folder / "told.json").read_text("utf-8"))
    return Told(told, tap, (folder / "heard.pcm").read_bytes())
