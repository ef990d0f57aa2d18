"""Makes the golden files of this folder with Hugging Face tokenizers 0.23.2 (Python 3.11):
    python make.py [PATH OF GPT-2's tokenizer.json]
corpus.txt is written by hand (texts of this project and public-domain lines). For each pattern a tokenizer is trained
on its paragraphs and saved; expected.json holds what it makes of the samples. gpt2.json holds what GPT-2's own
tokenizer makes of them; its 1.4 MB vocabulary is not part of this repository."""

import json, pathlib, sys
from tokenizers import Regex, Tokenizer, __version__, models, pre_tokenizers, decoders, trainers

HERE = pathlib.Path(__file__).parent
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{DIGITS}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
          r"|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|user|>"]
SAMPLES = [
    "", " ", "\n", "a", "Hello, world!", "I've 12345 things; they'LL say it's YOURS.", "  two  blanks   and\ttabs \n\n next",
    "def f(x):\n    return x ** 2  # 平方\n\n\nclass A:\r\n\tpass\r\n", "const π = 3.14159, naïve = `${a}`;",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。", "今天是2024年3月15日，天气晴。我们去吃饭吧！", "「人工智能」（AI）的发展——很快……",
    "👩‍👩‍👧 family 🇨🇳 ❤️ 🎉🎉", "e\u0301 combining \u0928\u092e\u0938\u094d\u0924\u0947 \u0e01\u0e33", "\ufeffBOM \u00a0nbsp\u3000ideographic\u2028line\u0085next",
    "'\u017f 's 'S 'LL 'll'd", "0123456789 ٣٤٥ Ⅷ½ 𝟘𝟙", "<|endoftext|> is text", "x" * 200, "中" * 100, "=" * 77 + "\n" + " " * 33 + "end",
    "a\0b\x7fc", "\U00020000\U0001f9ff\U0010ffff",
]


def train(pattern, special, vocab_size, corpus):
    tokenizer = Tokenizer(models.BPE())
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern == "gpt2")
    digits = {"cl100k": "{1,3}", "cl100k-digits2": "{1,2}", "cl100k-digits1": ""}.get(pattern)
    split = None if pattern == "gpt2" else pre_tokenizers.Split(Regex(CL100K.replace("{DIGITS}", digits)), "isolated")
    tokenizer.pre_tokenizer = byte_level if split is None else pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=special, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False))
    return tokenizer


def main():
    corpus = open(HERE / "corpus.txt", encoding="utf-8", newline="").read().split("\n\n")
    expected = {"tokenizers": __version__, "samples": SAMPLES, "special": SPECIAL, "ids": {}}
    for pattern, vocab_size in [("gpt2", 600), ("cl100k", 700), ("cl100k-digits2", 400), ("cl100k-digits1", 400)]:
        tokenizer = train(pattern, SPECIAL, vocab_size, corpus)
        tokenizer.save(str(HERE / f"{pattern}.tokenizer.json"), pretty=False)
        rows = []
        for sample in SAMPLES:
            # Special tokens are always matched there; ours match them only where allowed.
            rows.append(tokenizer.encode(sample).ids)
        expected["ids"][pattern] = rows
    characters = sorted(set("".join(corpus)))
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(characters)}, merges=[]))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(SPECIAL[:1])
    tokenizer.save(str(HERE / "characters.tokenizer.json"), pretty=False)
    expected["characters"] = [[text, tokenizer.encode(text).ids] for text in (corpus[0], corpus[-1])]
    assert all(tokenizer.decode(ids) == text for text, ids in expected["characters"])
    (HERE / "expected.json").write_text(json.dumps(expected, ensure_ascii=True) + "\n")
    if len(sys.argv) > 1:
        gpt2 = Tokenizer.from_file(sys.argv[1])
        (HERE / "gpt2.json").write_text(json.dumps({"tokenizers": __version__, "ids": [gpt2.encode(s).ids for s in SAMPLES]}) + "\n")


main()
