// tokenizer: training a byte-level BPE vocabulary, and encoding with it, against Hugging Face's tokenizers (Rust, from
// Python; and JavaScript) and gpt-tokenizer. Encoding is on one thread, the same documents again and again, so all that remember pieces (ours, Rust's,
// gpt-tokenizer) have them warm.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTokenizer, saveTokenizer, trainBpeParallel, type Tokenizer } from 'athanor/tokenizer';
import { ChildContender, SharedPeer, type Contender } from './contender.ts';
import { duel, isAsked, type Bench, type BenchContext } from './harness.ts';
import { encoderContender, gptEncoder, huggingFaceEncoder } from './javascript-peers.ts';
import { checkout, peerScript } from './places.ts';
import { peerEnvironment, python } from './python-peers.ts';
import { sampleTexts } from './sample-text.ts';

const TRAIN_BYTES = 30e6;
/** The slowest peer passes once over this in some seconds. */
const ENCODE_BYTES = 4e6;
const VOCABULARY = 8192;
/** Tokenizers of other kinds, small ones of the tests: SentencePiece's BPE without a cut, Unigram, a cascade of cuts, WordPiece. */
const KINDS = ['llama2', 'gemma', 't5', 'deepseek_v3', 'bert'] as const;
const KIND_BYTES = 1e6;

export const tokenizer: Bench = {
  about: 'training a byte-level BPE vocabulary, and encoding, against Hugging Face tokenizers (Rust and JavaScript) and gpt-tokenizer',
  async run(context) {
    const texts = sampleTexts(TRAIN_BYTES), folder = mkdtempSync(join(tmpdir(), 'athanor-bench-'));
    const env = peerEnvironment({ RAYON_NUM_THREADS: String(context.threads) });
    const rust = new SharedPeer(new ChildContender({ name: 'tokenizers', command: python(), args: [peerScript('hf_tokenizers.py'), '--serve'], env }));
    try {
      const trained = await trainOurs(texts, context.threads);
      await runTraining(context, texts, trained, folder, rust);
      await runEncoding(context, texts, folder, rust);
      for (const kind of KINDS) await runKind(context, kind, texts, folder, rust);
    } finally {
      await rust.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

const trainOurs = (texts: readonly string[], threads: number): Promise<Tokenizer> => trainBpeParallel(texts, { vocabSize: VOCABULARY, threads });

async function runTraining(context: BenchContext, texts: readonly string[], trained: Tokenizer, folder: string, rust: SharedPeer): Promise<void> {
  const file = join(folder, 'texts.json'), bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  saveTokenizer(trained, folder);
  writeFileSync(file, JSON.stringify(texts));
  const ours: Contender = {
    name: 'athanor',
    start: async () => ({}),
    async measure() {
      const begin = performance.now();
      await trainOurs(texts, context.threads);
      return { values: [(performance.now() - begin) / 1000], facts: {} };
    },
    close: async () => {},
  };
  const title = `train ${Math.round(bytes / 1e6)}mb-${VOCABULARY}`;
  if (!isAsked(context, title)) return;
  const request = { op: 'train', texts: file, tokenizer: join(folder, 'tokenizer.json'), vocabulary: VOCABULARY };
  await duel(context, { bench: 'tokenizer', case: title, unit: 's', ours, peers: [rust.in(request)], rounds: 3 });
}

async function runEncoding(context: BenchContext, all: readonly string[], folder: string, rust: SharedPeer): Promise<void> {
  await duelEncoding(context, `${ENCODE_BYTES / 1e6}mb-${VOCABULARY}`, { all, bytes: ENCODE_BYTES, path: join(folder, 'tokenizer.json'), folder, rust }, (texts, path) => [
    encoderContender('@huggingface/tokenizers', texts, () => huggingFaceEncoder(path)),
    encoderContender('gpt-tokenizer', texts, gptEncoder),
  ]);
}

/** The other kinds against Rust alone: @huggingface/tokenizers takes time with the square of a text that nothing cuts. */
async function runKind(context: BenchContext, kind: string, all: readonly string[], folder: string, rust: SharedPeer): Promise<void> {
  await duelEncoding(context, kind, { all, bytes: KIND_BYTES, path: join(checkout(), `tests/golden/tokenizer/pipelines/${kind}.json`), folder, rust }, () => []);
}

interface Encoding {
  readonly all: readonly string[];
  /** Texts up to so many are encoded. */
  readonly bytes: number;
  /** The tokenizer.json. */
  readonly path: string;
  readonly folder: string;
  readonly rust: SharedPeer;
}

async function duelEncoding(context: BenchContext, name: string, { all, bytes: most, path, folder, rust }: Encoding, others: (texts: readonly string[], path: string) => Contender[]): Promise<void> {
  const title = `encode ${name}`;
  if (!isAsked(context, title)) return;
  let bytes = 0;
  const texts = all.filter((text) => (bytes += Buffer.byteLength(text)) <= most), file = join(folder, 'encoded.json');
  writeFileSync(file, JSON.stringify(texts));
  const ours = encoderContender('athanor', texts, () => {
    const fresh = loadTokenizer(path);
    return (text) => fresh.encode(text);
  });
  await duel(context, { bench: 'tokenizer', case: title, unit: 'MB/s', seconds: 0.5, ours, peers: [rust.in({ op: 'encode', texts: file, tokenizer: path }), ...others(texts, path)] });
}
