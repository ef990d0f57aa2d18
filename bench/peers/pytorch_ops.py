"""PyTorch as a peer in single operators: products, and attention forward and backward.

Requests (see line_server.py), all with "seconds" and "precision":
  {"op": "gemm", "kind": "nt", "m": …, "n": …, "k": …}        values: GFLOP/s of one product after the other
  {"op": "onednn", …}                                         the same by oneDNN, which PyTorch has inside
  {"op": "attention", "part": "forward", "rows": …, "context": …, "heads": …, "kvHeads": …, "size": …}
Operands are made once and the output is written into a tensor that is there, so nothing but the product is timed.
"""

import argparse
import functools
import time

import torch
import torch.nn.functional as F

from line_server import memory_bytes, serve

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


@functools.lru_cache(maxsize=4)
def gemm(kind, m, n, k, precision):
    """A function that does one product out[m, n] of operands that lie in memory as `kind` says (t: transposed)."""
    dtype = DTYPES[precision]
    a = torch.randn(k, m).to(dtype).t() if kind[0] == "t" else torch.randn(m, k).to(dtype)
    b = torch.randn(n, k).to(dtype).t() if kind[1] == "t" else torch.randn(k, n).to(dtype)
    out = torch.empty(m, n, dtype=dtype)
    return lambda: torch.mm(a, b, out=out), 2.0 * m * n * k


@functools.lru_cache(maxsize=4)
def onednn(kind, m, n, k, precision):
    """The same product as oneDNN's inner product, which is what torch.compile calls: x·wᵀ with w packed beforehand,
    except for a weight's gradient, whose operands are both new in every step."""
    dtype = DTYPES[precision]
    x = torch.randn(k, m).to(dtype).t() if kind[0] == "t" else torch.randn(m, k).to(dtype)
    w = torch.randn(n, k).to(dtype) if kind[1] == "t" else torch.randn(k, n).to(dtype).t()
    if kind[0] == "n":
        w = torch.ops.mkldnn._reorder_linear_weight(w.contiguous(), m)
    return lambda: torch.ops.mkldnn._linear_pointwise(x, w, None, "none", [], ""), 2.0 * m * n * k


@functools.lru_cache(maxsize=4)
def attention(part, rows, context, heads, kv_heads, size, precision):
    dtype = DTYPES[precision]
    q, k, v = (torch.randn(rows, context, h, size).to(dtype).transpose(1, 2).requires_grad_() for h in (heads, kv_heads, kv_heads))
    dout = torch.randn(rows, context, heads, size).to(dtype).transpose(1, 2)

    def forward():
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=kv_heads != heads)

    products = 2.0 * rows * (context * context / 2) * heads * size  # one product over the triangle
    if part == "forward":
        return forward, 2 * products
    out = forward()
    return lambda: torch.autograd.grad(out, (q, k, v), dout, retain_graph=True), 5 * products


def answer(request):
    request = dict(request)
    seconds, op = request.pop("seconds"), request.pop("op")
    if op in ("gemm", "onednn"):
        make = gemm if op == "gemm" else onednn
        run, flops = make(request["kind"], request["m"], request["n"], request["k"], request["precision"])
    else:
        run, flops = attention(request["part"], request["rows"], request["context"], request["heads"], request["kvHeads"],
                               request["size"], request["precision"])
    run()
    values, end = [], time.perf_counter() + seconds
    while not values or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        values.append(flops / (time.perf_counter() - begin) / 1e9)
    return {"values": values, **memory_bytes()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--serve", action="store_true", required=True)
    torch.set_num_threads(p.parse_args().threads)
    serve(lambda: {"version": torch.__version__}, answer)


if __name__ == "__main__":
    main()
