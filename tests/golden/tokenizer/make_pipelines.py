"""Makes pipelines/ with Hugging Face tokenizers 0.23.2 and sentencepiece (Python 3.11): python make_pipelines.py
One small tokenizer for each kind that families in use have, trained on corpus.txt, as they configure it; expected.json
holds what each makes of the samples: ids, offsets (in UTF-16 units), and the text that comes back. `.model` files are
sentencepiece's own, with the ids that it gives."""

import io, json, pathlib
import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
OUT = HERE / "pipelines"
CORPUS = open(HERE / "corpus.txt", encoding="utf-8", newline="").read().split("\n\n")
LINES = [line for text in CORPUS for line in text.split("\n")]
LINES += [line for line in LINES if line.isascii()] * 12  # so that rare ideographs stay outside of sentencepiece's vocabularies
SAMPLES = [
    "", " ", "\n", "a", "Hello, world!", " Hello", "Hello  world   !", "I've 12345 things; they'LL say it's YOURS.", "  two  blanks   and\ttabs \n\n next  ",
    "def f(x):\n    return x ** 2  # 平方\n\n\nclass A:\r\n\tpass\r\n", "const π = 3.14159, naïve = `${a}`; ΑΣ ΣΑΣ. İI",
    "床前明月光，疑是地上霜。举头望明月，低头思故乡。", "今天是2024年3月15日，天气晴。我们去吃饭吧！", "「人工智能」（AI）的发展——很快……ｶﾞ ﬁ ① Ａ",
    "👩‍👩‍👧 family 🇨🇳 ❤️ 🎉🎉", "e\u0301 combining a\u0323\u0301 \u0928\u092e\u0938\u094d\u0924\u0947 \u0e01\u0e33 한국어 \u1112\u1161\u11ab", "\ufeffBOM \u00a0nbsp\u3000ideographic\u2028line\u0085next",
    "'\u017f 's 'S 'LL 'll'd", "0123456789 ٣٤٥ Ⅷ½ 𝟘𝟙", "<s> is <s>text</s> <|end|>  x<|end|> <pad>", "word mask>word<mask> <mask>word <mask>. [MASK]a [MASK] b",
    "x" * 130, "中" * 40, "=" * 40 + "\n" + " " * 20 + "end", "a\0b\x7fc\u200bd\u200ee\u00adf", "\U00020000\U0001f9ff\U0010ffff", "שלום עולם مرحبا بالعالم",
    "the the the▁the ▁ ▁▁x", "<0x41> <0xE4> \ufffd", "don't do not you 're here . really ?",
]


def spm(name, kind, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES), model_writer=out, model_type=kind,
        minloglevel=2, num_threads=1, **options)
    (OUT / f"{name}.model").write_bytes(out.getvalue())
    return sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())


def pieces(sp):
    return [(sp.id_to_piece(i), sp.get_score(i)) for i in range(sp.get_piece_size())]


def spm_merges(sp):
    """As transformers' SentencePieceExtractor: every way to make a token of two, by the rank of what it makes."""
    vocab = {piece: i for i, (piece, _) in enumerate(pieces(sp))}
    merges = []
    for piece, score in pieces(sp):
        local = [(piece[:i], piece[i:]) for i in range(1, len(piece)) if piece[:i] in vocab and piece[i:] in vocab]
        merges += [(pair, score) for pair in sorted(local, key=lambda p: (vocab[p[0]], vocab[p[1]]))]
    return vocab, [pair for pair, _ in sorted(merges, key=lambda m: m[1], reverse=True)]


def charsmap(sp):
    import sentencepiece.sentencepiece_model_pb2 as pb
    proto = pb.ModelProto()
    proto.ParseFromString(sp.serialized_model_proto())
    return proto.normalizer_spec.precompiled_charsmap


def llama(sp, normalizer, pre_tokenizer, decoder, added=(), **model):
    vocab, merges = spm_merges(sp)
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, **model))
    if normalizer: tokenizer.normalizer = normalizer
    if pre_tokenizer: tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoder
    tokenizer.add_special_tokens([AddedToken(t, normalized=False, special=True) for t in ("<unk>", "<s>", "</s>")])
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)])
    return tokenizer


def byte_level(splits, vocab_size, normalizer=None, last=None, added=(), post=None, **model):
    tokenizer = Tokenizer(models.BPE(**model))
    if normalizer: tokenizer.normalizer = normalizer
    last = last or pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, last]) if splits else last
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(
        vocab_size=vocab_size, special_tokens=["<s>", "</s>", "<pad>"], show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tokenizer.add_tokens(list(added))
    if post: tokenizer.post_processor = post
    return tokenizer


def split(pattern):
    return pre_tokenizers.Split(Regex(pattern), "isolated")


def unigram(sp, normalizer, pre_tokenizer, decoder, post, added=(), **options):
    tokenizer = Tokenizer(models.Unigram(pieces(sp), unk_id=sp.unk_id(), **options))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoder
    tokenizer.add_special_tokens([AddedToken(sp.id_to_piece(i), special=True, normalized=False) for i in range(sp.get_piece_size()) if sp.is_control(i) or sp.is_unknown(i)])
    tokenizer.add_tokens(list(added))
    if post: tokenizer.post_processor = post
    return tokenizer


def word_piece(normalizer, pre_tokenizer, decoder, special, post=None):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = normalizer, pre_tokenizer, decoder
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False))
    tokenizer.add_tokens([AddedToken("[MASK]", lstrip=True, special=True, normalized=False)])
    if post: tokenizer.post_processor = post(tokenizer)
    return tokenizer


CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+" + CONTRACTIONS + "?"
         r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*" + CONTRACTIONS + "?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+",
            r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""]
RULES = HERE / "rules.tsv"  # a small table of replacements, written below


def rules():
    pairs = [("\uff21", "A"), ("\ufb01", "fi"), ("\u2460", "1"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("\r", " "), ("\u2028", " "),
             ("\u0085", " "), ("\uff76\uff9e", "\u30ac"), ("\uff76", "\u30ab"), ("e\u0301", "\u00e9"), ("\u00bd", "1/2"), ("\u200b", ""), ("\u00ad", ""),
             ("\u2026", "..."), ("\uff0c", ","), ("\uff01", "!"), ("\u1112\u1161\u11ab", "\ud55c"), ("\U0001d7d8", "0")]
    RULES.write_text("".join(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n" for a, b in pairs))


def build():
    rules()
    bpe = spm("bpe", "bpe", vocab_size=1000, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", remove_extra_whitespaces=False,
              split_digits=True, allow_whitespace_only_pieces=True, user_defined_symbols=["<|end|>", "  "])
    nfkc = spm("unigram", "unigram", vocab_size=900, character_coverage=0.98, normalization_rule_tsv=str(RULES), pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False)
    spm("unigram-bytes", "unigram", vocab_size=1000, byte_fallback=True, character_coverage=0.98, normalization_rule_name="identity", hard_vocab_limit=False)
    RULES.unlink()
    mark, seq, strip = "▁", decoders.Sequence, decoders.Strip(" ", 1, 0)
    back = [decoders.Replace(mark, " "), decoders.ByteFallback(), decoders.Fuse()]
    dummy = normalizers.Sequence([normalizers.Prepend(mark), normalizers.Replace(" ", mark)])
    end = dict(content="<|end|>", normalized=False)
    T = {}
    T["llama2"] = llama(bpe, dummy, None, seq([*back, strip]), byte_fallback=True)
    T["phi3"] = llama(bpe, dummy, None, seq([*back, strip]), [AddedToken(**end, rstrip=True, special=True), AddedToken("</s>x", rstrip=True, normalized=True)], byte_fallback=True)
    T["mistral"] = llama(bpe, None, pre_tokenizers.Metaspace(mark, prepend_scheme="first", split=False), seq([*back, strip]), byte_fallback=True)
    T["gemma"] = llama(bpe, normalizers.Replace(" ", mark), pre_tokenizers.Split(" ", "merged_with_previous"), seq(back), [AddedToken("\n\n", normalized=False), AddedToken("==", normalized=False)], byte_fallback=True)
    T["no-bytes"] = llama(bpe, dummy, None, decoders.Metaspace(mark), [AddedToken("tabs", single_word=True), AddedToken("mask>", lstrip=True, rstrip=True, single_word=True)])
    nospecial = processors.ByteLevel(trim_offsets=True)
    T["deepseek_v3"] = byte_level([split(p) for p in DEEPSEEK], 600, post=processors.Sequence([nospecial, processors.TemplateProcessing(single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 0)])]))
    T["o200k"] = byte_level([split(O200K)], 600, normalizers.NFC(), post=processors.ByteLevel(trim_offsets=False), added=[AddedToken("<|end|>", lstrip=True, normalized=False)])
    T["smollm"] = byte_level([pre_tokenizers.Digits(individual_digits=True)], 500, last=pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True))
    T["roberta"] = byte_level([], 500, last=pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=True), added=[AddedToken("<mask>", lstrip=True, special=True, normalized=False)],
                              post=processors.RobertaProcessing(("</s>", 1), ("<s>", 0), trim_offsets=True, add_prefix_space=True))
    T["odd-splits"] = byte_level([pre_tokenizers.Split(Regex(r"\s+"), "merged_with_next"), pre_tokenizers.Split(Regex("[aeiou]+"), "contiguous"), pre_tokenizers.Split("-", "removed"),
                                  pre_tokenizers.Split(Regex(r"[^\p{N}]+"), "merged_with_previous", invert=True), pre_tokenizers.Punctuation("contiguous")], 400)
    clean = normalizers.Sequence([normalizers.Precompiled(charsmap(nfkc)), normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), mark)])
    T["t5"] = unigram(nfkc, clean, pre_tokenizers.Metaspace(mark, prepend_scheme="always"), decoders.Metaspace(mark, prepend_scheme="always"),
                      processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]), [AddedToken("<mask>", lstrip=True, special=True, normalized=False)])
    T["xlmr"] = unigram(nfkc, normalizers.Sequence([normalizers.Precompiled(charsmap(nfkc)), normalizers.Replace(Regex(" {2,}"), " ")]),
                        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(mark, prepend_scheme="always")]), decoders.Metaspace(mark, prepend_scheme="always"), None)
    T["albert"] = unigram(nfkc, normalizers.Sequence([normalizers.Replace("``", '"'), normalizers.Replace("''", '"'), normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Precompiled(charsmap(nfkc))]),
                          pre_tokenizers.Metaspace(mark, prepend_scheme="first"), decoders.Metaspace(mark, prepend_scheme="first"), None)
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    bert = lambda t: processors.BertProcessing(("[SEP]", t.token_to_id("[SEP]")), ("[CLS]", t.token_to_id("[CLS]")))
    T["bert"] = word_piece(normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer(), decoders.WordPiece(), special, bert)
    T["bert-cased"] = word_piece(normalizers.BertNormalizer(lowercase=False, strip_accents=False, handle_chinese_chars=False), pre_tokenizers.Whitespace(), decoders.WordPiece(cleanup=False), special)
    T["word-forms"] = word_piece(normalizers.Sequence([normalizers.NFKC(), normalizers.Strip(), normalizers.Lowercase()]), pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.WhitespaceSplit()]), decoders.WordPiece(), special)
    return T


def utf16(text, offset):
    return len(text[:offset].encode("utf-16-le", "surrogatepass")) // 2


def main():
    OUT.mkdir(exist_ok=True)
    expected = {"tokenizers": __version__, "sentencepiece": sentencepiece.__version__, "samples": SAMPLES, "pipelines": {}, "models": {}}
    for name, tokenizer in build().items():
        tokenizer.save(str(OUT / f"{name}.json"), pretty=False)
        rows = []
        for text in SAMPLES:
            encoding = tokenizer.encode(text)
            rows.append([encoding.ids, [utf16(text, o) for pair in encoding.offsets for o in pair], tokenizer.decode(encoding.ids, skip_special_tokens=False), tokenizer.decode(encoding.ids)])
        expected["pipelines"][name] = rows
    for path in sorted(OUT.glob("*.model")):
        sp = sentencepiece.SentencePieceProcessor(model_file=str(path))
        expected["models"][path.name] = [[ids, sp.decode(ids)] for ids in (sp.encode(text) for text in SAMPLES)]
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=True, separators=(",", ":")) + "\n")


main()
