# Every type of a safetensors file, with the values that PyTorch reads: python make.py (needs torch, safetensors).
# types.safetensors holds a tensor a type; expected.json its values as f32 (null for NaN, strings for infinities).

import json
import math
import os

import safetensors
import torch
from safetensors.torch import save_file

here = os.path.dirname(os.path.abspath(__file__))
every_byte = torch.arange(256, dtype=torch.int64).to(torch.uint8)
edges = torch.tensor([0.0, -0.0, 1.0, -1.5, 65504.0, 1e-7, 3.4e38, 2.0**-149, float("inf"), float("-inf"), float("nan"), 1 / 3], dtype=torch.float64)
integers = torch.tensor([0, 1, -1, 127, -128, 32767, -32768, 2**24 + 1, 2**31 - 1, -(2**31), 2**53 + 1, 2**63 - 1, -(2**63)], dtype=torch.int64)

tensors = {
    "F64": edges, "F32": edges.float(), "F16": edges.half(), "BF16": edges.bfloat16(),
    "F8_E4M3": every_byte.view(torch.float8_e4m3fn), "F8_E5M2": every_byte.view(torch.float8_e5m2), "F8_E8M0": every_byte.view(torch.float8_e8m0fnu),
    "I64": integers, "I32": integers.to(torch.int32), "I16": integers.to(torch.int16), "I8": integers.to(torch.int8), "U8": every_byte,
    "U16": integers.to(torch.int16).view(torch.uint16), "U32": integers.to(torch.int32).view(torch.uint32), "U64": integers.view(torch.uint64),
    "BOOL": torch.tensor([True, False, True]),
}


def as_json(x):
    return None if math.isnan(x) else x if math.isfinite(x) else ("Infinity" if x > 0 else "-Infinity")


save_file({name: tensor.clone() for name, tensor in tensors.items()}, os.path.join(here, "types.safetensors"))
expected = {name: [as_json(x) for x in tensor.to(torch.float32).tolist()] for name, tensor in tensors.items()}
with open(os.path.join(here, "expected.json"), "w") as file:
    json.dump({"versions": {"torch": torch.__version__, "safetensors": safetensors.__version__}, "values": expected}, file)
    file.write("\n")
