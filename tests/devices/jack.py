"""A JACK server with a dummy device: PortAudio without a sound card."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import time
import uuid
from importlib import import_module
from pathlib import Path

__all__ = ["Jack", "why_no_jack"]


def why_no_jack() -> str:
    """Why PortAudio can't be tried here; empty where it can."""
    if not all(map(shutil.which, ("jackd", "jack_lsp", "jack_connect"))):
        return "jackd is not installed: apt install jackd2"
    try:
        import_module("sounddevice")
    except ImportError:
        return "sounddevice is not installed"
    except OSError:
        return "PortAudio is not installed: apt install libportaudio2"
    return ""


class Jack:
    """A JACK server with a dummy device, which PortAudio in this process sees."""

    def __init__(self, sample_rate: int, folder: Path, period_ms: int = 20) -> None:
        self.server = f"realtime_nb_{uuid.uuid4().hex[:8]}"
        # Where ALSA has devices too (a sound card, a plug-in), PortAudio would take one of those.
        no_alsa = folder / "asound.conf"
        no_alsa.write_text("pcm.none { type hw card 99 }\n")  # PortAudio aborts where there is none
        wanted = {"JACK_DEFAULT_SERVER": self.server, "ALSA_CONFIG_PATH": str(no_alsa)}
        self._before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        command = f"jackd -n {self.server} --no-realtime --no-mlock -d dummy -C 1 -P 1"
        command += f" -r {sample_rate} -p {sample_rate * period_ms // 1000}"
        with (folder / "jack.log").open("wb") as log:
            self.process = subprocess.Popen(command.split(), stdout=log, stderr=log)
        give_up = time.monotonic() + 15
        while "system:capture_1" not in self.ports():
            assert self.process.poll() is None, (folder / "jack.log").read_text()
            assert time.monotonic() < give_up, "jackd does not answer"
        sounddevice = import_module("sounddevice")
        sounddevice._terminate()  # PortAudio lists devices when it starts, and only then
        sounddevice._initialize()

    def ports(self) -> str:
        found = subprocess.run(["jack_lsp"], capture_output=True, text=True, timeout=10)
        return found.stdout

    async def connect(self) -> None:
        """Leads the one output of ours to the one input of ours."""
        await asyncio.to_thread(self.lead, r"PortAudio.*", r"PortAudio.*")

    def lead(self, source: str, target: str) -> None:
        """Leads the one output to the one input of clients that fit, once both are there.

        Args:
            source: a regular expression for the whole name of the client that plays. PortAudio's
                are called PortAudio, PortAudio-01, …, in the order of their processes' start.
            target: one for the client that records.
        """
        give_up = time.monotonic() + 15
        while True:
            ports = self.ports().split()
            sources = [port for port in ports if re.fullmatch(rf"{source}:out_\d+", port)]
            targets = [port for port in ports if re.fullmatch(rf"{target}:in_\d+", port)]
            if sources and targets:
                break
            assert time.monotonic() < give_up, f"no {source} or {target} in {ports}"
        ((one,), (other,)) = sources, targets
        subprocess.run(["jack_connect", one, other], check=True)

    def close(self) -> None:
        sounddevice = import_module("sounddevice")
        sounddevice._terminate()  # it would abort if its server were gone
        self.process.terminate()  # killed, it would leave its name taken, of which there are eight
        self.process.wait(10)
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        sounddevice._initialize()
