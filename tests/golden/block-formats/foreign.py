"""Makes foreign/TYPE.bin, blocks of random bits under scales that are numbers, and foreign/decoded.json, hashes of their values.

Run as `python foreign.py LIBGGML_BASE_SO` (see make.py; made with gguf 0.19). The package `gguf` and ggml's
`dequantize_row_*` must agree (but for the sign of zero, where ggml's is kept).
"""

import ctypes
import hashlib
import json
import sys
from pathlib import Path

import gguf
import numpy as np

HERE = Path(__file__).parent / "foreign"
# Name in ggml, and where a block's f16 scales are.
TYPES = {"q4_1": ("q4_1", [0, 2]), "q5_0": ("q5_0", [0]), "q5_1": ("q5_1", [0, 2]), "q2_k": ("q2_K", [80, 82]), "q3_k": ("q3_K", [108]), "iq4_nl": ("iq4_nl", [0]), "iq4_xs": ("iq4_xs", [0])}
BLOCKS = 24


def main(library: str) -> None:
    lib, rng, decoded = ctypes.CDLL(library), np.random.default_rng(11), {}
    HERE.mkdir(exist_ok=True)
    for name, (function, scales) in TYPES.items():
        code = getattr(gguf.GGMLQuantizationType, name.upper())
        values, size = gguf.GGML_QUANT_SIZES[code]
        blocks = rng.integers(0, 256, (BLOCKS, size), dtype=np.uint8)
        for at in scales:  # from subnormal to large, of both signs
            scale = (rng.standard_normal(BLOCKS) * 10.0 ** rng.integers(-7, 2, BLOCKS)).astype(np.float16)
            blocks[:, at : at + 2] = scale.reshape(-1, 1).view(np.uint8)
        back, other = np.zeros(BLOCKS * values, np.float32), gguf.quants.dequantize(blocks, code).reshape(-1)
        getattr(lib, f"dequantize_row_{function}")(blocks.ctypes.data_as(ctypes.c_void_p), back.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(back.size))
        assert np.array_equal(back, other), name
        (HERE / f"{name}.bin").write_bytes(blocks.tobytes())
        decoded[name] = hashlib.sha256(back.tobytes()).hexdigest()
    (HERE / "decoded.json").write_text(json.dumps(decoded, indent=2) + "\n")


main(sys.argv[1])
