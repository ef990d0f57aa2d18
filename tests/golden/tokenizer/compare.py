"""Compares ids with Hugging Face tokenizers in Rust: python compare.py < LINES
Each line is JSON: {"tokenizer": PATH, "text": TEXT, "ids": [...]}. Prints what differs; ends with how many were compared."""

import json, sys
from tokenizers import Tokenizer

known, lines, wrong, size = {}, 0, 0, 0
for line in sys.stdin:
    row = json.loads(line)
    tokenizer = known.setdefault(row["tokenizer"], None) or Tokenizer.from_file(row["tokenizer"])
    known[row["tokenizer"]] = tokenizer
    ids = tokenizer.encode(row["text"]).ids
    lines, size = lines + 1, size + len(row["text"].encode())
    if ids != row["ids"]:
        at = next(i for i, (a, b) in enumerate(zip(ids + [-1], row["ids"] + [-1])) if a != b)
        wrong += 1
        if wrong < 40:
            print(row["tokenizer"].split("/")[-1], at, "want", [tokenizer.id_to_token(i) for i in ids[at - 2:at + 6]], "got", [tokenizer.id_to_token(i) for i in row["ids"][at - 2:at + 6]])
print(f"{lines} texts, {size} bytes, {wrong} differ")
