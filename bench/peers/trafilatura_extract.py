"""trafilatura as a peer, as its own evaluation calls it: no comments, tables, no formatting, with its fallbacks.

Requests: {"op": "texts", "files": PATH of a JSON list of paths}: answers with the texts as JSON. {"op": "time", "files": PATH}: values
are pages a second, bytes to text on one thread.
"""

import argparse
import functools
import gzip
import json
import time
import warnings

from line_server import serve

warnings.filterwarnings("ignore")
import trafilatura
from trafilatura import extract


@functools.lru_cache(maxsize=1)
def read(path):
    with open(path, encoding="utf-8") as file:
        names = json.load(file)
    return [gzip.open(name).read() if name.endswith(".gz") else open(name, "rb").read() for name in names]


def text_of(page):
    try:
        return extract(page, include_comments=False, include_tables=True, include_formatting=False) or ""
    except Exception:  # a page that it fails on has no text, as in its own evaluation
        return ""


def answer(request):
    pages = read(request["files"])
    if request["op"] == "texts":
        return {"values": [0], "texts": json.dumps([text_of(page) for page in pages])}
    begin = time.perf_counter()
    for page in pages:
        text_of(page)
    return {"values": [len(pages) / (time.perf_counter() - begin)]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--serve", action="store_true", required=True)
    p.parse_args()
    serve(lambda: {"version": trafilatura.__version__}, answer)


if __name__ == "__main__":
    main()
