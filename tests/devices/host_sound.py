"""What the tests of the sound card need; a test module takes the fixture in by name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.devices.fake_sounddevice import FakeSoundDevice

BYTES_PER_MS = 48


def noise(ms: int, seed: int = 0) -> bytes:
    """Loud noise without a sample of silence."""
    generator = np.random.default_rng(seed)
    values = generator.integers(1_000, 8_000, ms * 24) * generator.choice([-1, 1], ms * 24)
    return bytes(values.astype("<i2").tobytes())


def samples(pcm: bytes) -> Any:
    return np.frombuffer(pcm, "<i2").astype(int)


async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 (nothing tells of it)
            await asyncio.sleep(0.002)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeSoundDevice:
    module = FakeSoundDevice()
    module.install(monkeypatch)
    return module
