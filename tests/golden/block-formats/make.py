"""Makes values.f32 and FORMAT.bin: blocks as ggml's reference quantisers give them, and hashes of what they decode to.

Run as `python make.py LIBGGML_BASE_SO`: any build of ggml's base library that was made without fused multiply-add (one
comes with the npm package node-llama-cpp). Where the `gguf` package has a reference of its own (q8_0, q4_0), both must agree.
"""

import ctypes
import hashlib
import json
import sys
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).parent
FORMATS = {"q8_0": (32, 34, "q8_0"), "q4_0": (32, 18, "q4_0"), "q4_k": (256, 144, "q4_K"), "q5_k": (256, 176, "q5_K"), "q6_k": (256, 210, "q6_K")}


def values() -> np.ndarray:
    """Blocks of 256, each hard in a way of its own."""
    rng = np.random.default_rng(4)
    normal = rng.standard_normal
    blocks = [normal(256), 0.02 * normal(256), rng.laplace(size=256), rng.uniform(0, 1, 256), -rng.uniform(1, 2, 256), rng.integers(-8, 9, 256) / 8]
    blocks += [np.zeros(256), np.full(256, 0.7), np.full(256, -0.3), 1e-40 * normal(256), 1e-15 * normal(256), 1e-7 * normal(256), 1e4 * normal(256)]
    some = normal(256)
    some[64:128] = 0
    some[130] = 50
    blocks += [some, np.where(rng.uniform(size=256) < 0.9, 0, normal(256)), -1 - 1e-6 * rng.integers(0, 3, 256)]
    return np.concatenate(blocks).astype(np.float32)


def main(library: str) -> None:
    lib, x = ctypes.CDLL(library), values()
    (HERE / "values.f32").write_bytes(x.tobytes())
    decoded = {}
    for name, (size, width, function) in FORMATS.items():
        out = np.zeros(x.size // size * width, np.uint8)
        getattr(lib, f"quantize_row_{function}_ref")(x.ctypes.data_as(ctypes.c_void_p), out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
        back = np.zeros_like(x)
        getattr(lib, f"dequantize_row_{function}")(out.ctypes.data_as(ctypes.c_void_p), back.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(x.size))
        if name in ("q8_0", "q4_0"):
            normal = np.repeat(np.abs(x.reshape(-1, 32)).max(1) > 1e-30, width)  # numpy divides denormals in another way
            other = gguf.quantize(x, getattr(gguf.GGMLQuantizationType, name.upper()))
            assert np.array_equal(out[normal], other.reshape(-1)[normal]), name
        (HERE / f"{name}.bin").write_bytes(out.tobytes())
        decoded[name] = hashlib.sha256(back.tobytes()).hexdigest()
    (HERE / "decoded.json").write_text(json.dumps(decoded, indent=2) + "\n")


main(sys.argv[1])
