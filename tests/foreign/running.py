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
from tests.foreign.environments import prepared
from tests.foreign.tap import Tap, tapped
from tests.paths import DATA, ROOT

__all__ = ["Served", "Told", "run", "serving", "write_clips"]

CLIENT_S = 90

Event = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """Where the server is, its key, and with TLS its certificate."""

    port: int
    token: str
    certificate: Path | None = None


@dataclass(frozen=True)
class Told:
    """What a client tells of a scenario, and what went over the wire."""

    client: Event
    tap: Tap
    audio: bytes


@contextmanager
def serving(folder: Path, tls: bool) -> Iterator[Served]:
    """Runs the command, which must end well and have nothing to warn of."""
    command = [sys.executable, "-m", "realtime_nb", "serve", "--json", *(["--tls"] if tls else [])]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_DATA_HOME": str(folder)}
    log = folder / "messages.txt"
    with log.open("w", encoding="utf-8") as messages:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=messages, text=True, env=environment
        )
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            made = Path(ready["certificate"]) if tls else None
            yield Served(urlsplit(ready["url"]).port or 0, ready["token"], made)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
    assert log.read_text("utf-8") == ""


def write_clips(folder: Path) -> None:
    """Writes the recorded clips as 24-kHz PCM16 between silences, as a microphone hears them."""
    for path in DATA.glob("*.wav"):
        pcm = silence(300) + pcm_from_samples(load_audio(path)) + silence(1_200)
        (folder / f"{path.stem}.pcm").write_bytes(pcm)


def _both_ends(certificate: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Returns what the tap shows to clients, which is the server's own, and what it trusts."""
    shown = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shown.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return shown, ssl.create_default_context(cafile=certificate)


async def run(client: str, scenario: str, served: Served, clips: Path, folder: Path) -> Told:
    """Has a client play a scenario, in a folder of its own."""
    command = await asyncio.to_thread(prepared, client, folder)
    secure = served.certificate
    async with tapped(served.port, _both_ends(secure) if secure else (None, None)) as tap:
        environment = {
            **{name: value for name, value in os.environ.items() if "OPENAI" not in name},
            "BASE_URL": f"{'https' if secure else 'http'}://127.0.0.1:{tap.port}/v1",
            "REALTIME_URL": f"{'wss' if secure else 'ws'}://127.0.0.1:{tap.port}/v1/realtime",
            "API_KEY": served.token,
            "CLIPS": str(clips),
            **({"NODE_EXTRA_CA_CERTS": str(secure)} if secure else {}),
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
