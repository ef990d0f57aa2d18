"""OpenBLAS as a peer in products, through NumPy, whose wheels have it inside.

Requests (see line_server.py): {"kind": "nt", "m": …, "n": …, "k": …, "seconds": …}; values: GFLOP/s of one product after
the other. numpy.dot gives transposed views to sgemm as they are, and writes into an array that is there. The number of
threads is the environment's (OPENBLAS_NUM_THREADS). There is no bf16.
"""

import functools
import time

import numpy as np

from line_server import memory_bytes, serve


def library():
    """Name and version of the BLAS that NumPy was built with."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if "openblas" not in blas["name"]:
        raise RuntimeError(f"NumPy was built with {blas['name']}, not with OpenBLAS")
    return blas.get("openblas configuration", blas["name"])


@functools.lru_cache(maxsize=4)
def product(kind, m, n, k):
    random = np.random.default_rng(1)
    normal = lambda *shape: random.standard_normal(shape, dtype=np.float32)
    a = normal(k, m).T if kind[0] == "t" else normal(m, k)
    b = normal(n, k).T if kind[1] == "t" else normal(k, n)
    out = np.empty((m, n), np.float32)
    return lambda: np.dot(a, b, out=out)


def answer(request):
    m, n, k = request["m"], request["n"], request["k"]
    run = product(request["kind"], m, n, k)
    run()
    values, end = [], time.perf_counter() + request["seconds"]
    while not values or time.perf_counter() < end:
        begin = time.perf_counter()
        run()
        values.append(2.0 * m * n * k / (time.perf_counter() - begin) / 1e9)
    return {"values": values, **memory_bytes()}


if __name__ == "__main__":
    serve(lambda: {"version": library()}, answer)
