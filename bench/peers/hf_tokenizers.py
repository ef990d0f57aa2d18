"""Hugging Face's tokenizers (Rust) as a peer, on the same text and the same tokenizer.json.

Requests: {"op": "encode", "texts": PATH of a JSON list, "tokenizer": PATH}: values are MB/s in a batch on one thread, without
offsets (its fastest way). {"op": "train", "texts": PATH, "tokenizer": PATH, "vocabulary": …}: one training, values are
seconds; as many threads as RAYON_NUM_THREADS.
"""

import argparse
import functools
import json
import os
import time

from line_server import serve

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers


@functools.lru_cache(maxsize=1)
def read(path):
    with open(path, encoding="utf-8") as file:
        texts = json.load(file)
    return texts, sum(len(text.encode()) for text in texts)


def train(request):
    texts, _ = read(request["texts"])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = Tokenizer.from_file(request["tokenizer"]).pre_tokenizer  # the same pieces
    trainer = trainers.BpeTrainer(vocab_size=request["vocabulary"], show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    begin = time.perf_counter()
    tokenizer.train_from_iterator(texts, trainer)
    return {"values": [time.perf_counter() - begin]}


def encode(request):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    (texts, size), tokenizer = read(request["texts"]), Tokenizer.from_file(request["tokenizer"])
    values, end, count = [], time.perf_counter() + request["seconds"], 0
    while not values or time.perf_counter() < end:
        begin = time.perf_counter()
        count = sum(len(encoding.ids) for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        values.append(size / (time.perf_counter() - begin) / 1e6)
    return {"values": values, "tokens": count}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--serve", action="store_true", required=True)
    p.parse_args()
    serve(lambda: {"version": tokenizers.__version__}, lambda r: train(r) if r["op"] == "train" else encode(r))


if __name__ == "__main__":
    main()
