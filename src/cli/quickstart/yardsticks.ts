// What a model's bits per byte are held against: general compressors and an n-gram model, on the same held-out text.
// Layer: cli.

import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { InterruptedError } from '../../base/errors.ts';
import { byteSize } from '../../base/progress.ts';
import { NgramModel, type Corpus } from '../../data/index.ts';
import type { Io } from '../command.ts';

/** One yardstick. `bitsPerByte` is null where it is not installed. */
export interface Yardstick {
  readonly name: string;
  readonly bitsPerByte: number | null;
  readonly note: string;
}

/** zstd looks back 8 MiB at level 19 (2^23, its table of levels); the held-out text needs room there too. */
const ZSTD_WINDOW = 2 ** 23;
const ZSTD_LEVEL = 19;

/** The compressor of the package @toondepauw/node-zstd: Node.js 20 has no zstd of its own. */
type Encoder = new(level: number, dictionary?: Buffer) => { encode(data: Buffer): Promise<Buffer> };

/** Measures all of them on the held-out text, primed on the training text where that is possible. */
export async function measureYardsticks(corpus: Corpus, io: Io): Promise<Yardstick[]> {
  const held = Buffer.from([...corpus.texts('validation')].join('\n')), train = corpus.manifest.files.train.bytes;
  const perByte = (bytes: number): number => (8 * bytes) / held.length;
  io.progress.update(() => 'Yardsticks: gzip, zstd and a 5-gram model on the held-out text');
  const Encoder = await loadZstd(), missing = { bitsPerByte: null, note: 'not measured: the package @toondepauw/node-zstd is not installed' };
  const room = Math.max(0, ZSTD_WINDOW - held.length), primer = Encoder === undefined ? Buffer.alloc(0) : takeEvenly(corpus, room);
  // The compressor works on a thread of its own meanwhile.
  const plain = Encoder && new Encoder(ZSTD_LEVEL).encode(held), primed = Encoder && primer.length > 0 ? new Encoder(ZSTD_LEVEL, primer).encode(held) : undefined;
  const ngram = await trainNgram(corpus, io), bits = [...corpus.texts('validation')].reduce((sum, text) => sum + ngram.bitsOf(Buffer.from(text)), 0);
  const bytes = [...corpus.texts('validation')].reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return [
    { name: 'gzip -9', bitsPerByte: perByte(gzipSync(held, { level: 9 }).length), note: 'nothing known before' },
    { name: `zstd -${ZSTD_LEVEL}`, ...(plain === undefined ? missing : { bitsPerByte: perByte((await plain).length), note: 'nothing known before' }) },
    { name: `zstd -${ZSTD_LEVEL}, primed`, ...(primed === undefined ? (Encoder === undefined ? missing : { bitsPerByte: null, note: 'not measured: the held-out text fills the window' }) : {
      bitsPerByte: perByte((await primed).length),
      note: `with ${byteSize(primer.length)} of the ${byteSize(train)} training text as dictionary, documents taken evenly: all that its window holds`,
    }) },
    { name: '5-gram', bitsPerByte: bits / bytes, note: `of bytes, Witten–Bell, on all ${byteSize(train)} of the training text; ${byteSize(ngram.sizeBytes)} of counts` },
  ];
}

async function loadZstd(): Promise<Encoder | undefined> {
  const name = '@toondepauw/node-zstd'; // not a literal: it may be absent where no binary exists for the platform
  try {
    return ((await import(name)) as { Encoder: Encoder }).Encoder;
  } catch {
    return undefined;
  }
}

/** Every k-th document of the training text, as much as there is room for. */
function takeEvenly(corpus: Corpus, room: number): Buffer {
  const every = Math.max(1, Math.ceil(corpus.manifest.files.train.bytes / Math.max(1, room))), parts: Buffer[] = [];
  let length = 0, i = 0;
  for (const text of corpus.texts('train')) {
    if (i++ % every !== 0 || length >= room) continue;
    const part = Buffer.from(`${text}\n`).subarray(0, room - length);
    parts.push(part);
    length += part.length;
  }
  return Buffer.concat(parts);
}

async function trainNgram(corpus: Corpus, io: Io): Promise<NgramModel> {
  const model = new NgramModel(5), total = corpus.manifest.files.train.bytes;
  let done = 0, paused = performance.now();
  for (const text of corpus.texts('train')) {
    const bytes = Buffer.from(text);
    model.add(bytes);
    done += bytes.length;
    if (performance.now() - paused < 50) continue;
    io.progress.update(() => `Yardsticks: counting 5-grams, ${byteSize(done)} of ${byteSize(total)}`);
    await setImmediate(); // Ctrl-C comes through here
    if (io.signal.aborted) throw new InterruptedError('Stopped before the training began; nothing was left half-written.');
    paused = performance.now();
  }
  return model;
}
