"""Makes tiktoken/ with tiktoken 0.14.0: python make_tiktoken.py
Rank files are the tokens of cl100k.tokenizer.json in its order; expected.json holds the ids that tiktoken gives to the
samples of make_pipelines.py for three patterns (as tiktoken_ext/openai_public.py spells them)."""

import base64, json, pathlib
import tiktoken

HERE = pathlib.Path(__file__).parent
OUT = HERE / "tiktoken"
CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
BEFORE, UPPER, LOWER = r"[^\r\n\p{L}\p{N}]?", r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
PATTERNS = {
    "cl100k": r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s""",
    "o200k": "|".join([f"{BEFORE}{UPPER}*{LOWER}+{CONTRACTIONS}", f"{BEFORE}{UPPER}+{LOWER}*{CONTRACTIONS}", r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"]),
    "gpt2": r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s""",
}


def byte_of():
    own = [*range(0x21, 0x7f), *range(0xa1, 0xad), *range(0xae, 0x100)]
    others = [b for b in range(256) if b not in own]
    return {chr(b): b for b in own} | {chr(256 + i): b for i, b in enumerate(others)}


def main():
    OUT.mkdir(exist_ok=True)
    model, bytes_of = json.loads((HERE / "cl100k.tokenizer.json").read_text()), byte_of()
    special = {token["content"] for token in model["added_tokens"]}
    tokens = [t for t, _ in sorted(model["model"]["vocab"].items(), key=lambda item: item[1]) if t not in special]
    ranks = {bytes(bytes_of[c] for c in token): rank for rank, token in enumerate(tokens)}
    (OUT / "ranks.tiktoken").write_bytes(b"".join(base64.b64encode(t) + b" " + str(r).encode() + b"\n" for t, r in ranks.items()))
    samples = json.loads((HERE / "pipelines" / "expected.json").read_text())["samples"]
    names = {"<s>": len(ranks), "<|end|>": len(ranks) + 5}
    ids = {name: [tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=names).encode(s, allowed_special="all") for s in samples] for name, pattern in PATTERNS.items()}
    (OUT / "expected.json").write_text(json.dumps({"tiktoken": tiktoken.__version__, "patterns": PATTERNS, "special": names, "ids": ids}) + "\n")


main()
