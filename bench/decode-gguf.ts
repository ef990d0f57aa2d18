// Part of `decode`: weights in bf16 and in the block formats of GGUF files, against llama.cpp on the same file. Each of
// llama.cpp's ways (flash attention or not, batches of 512 or 128) is tried first, and the fastest takes part.

import { sizeOf, DTYPE_BYTES } from 'athanor/core';
import { mapFile, type Peak } from 'athanor/backends';
import { loadGguf, withWeightTypes, type Mixture, type Model } from 'athanor/models';
import { asking, ChildContender, fastestOf, type Contender, type Facts } from './contender.ts';
import { decoderContender } from './decoder-contender.ts';
import { readMatrices, withRandomGguf, type SHAPES } from './gguf-file.ts';
import { duel, isAsked, type BenchContext } from './harness.ts';
import { peakFlops } from './machine-peak.ts';
import { ownScript } from './places.ts';

interface Part {
  readonly words: string;
  readonly part: 'prefill' | 'decode';
  readonly seqs: number;
  readonly prompt: number;
}

const PREFILL: Part = { words: 'prefill-512', part: 'prefill', seqs: 1, prompt: 512 };
const DECODE: Part = { words: 'decode', part: 'decode', seqs: 1, prompt: 128 };
const BATCHED: readonly Part[] = [4, 16].map((seqs) => ({ ...DECODE, words: `decode x${seqs}`, seqs }));

const CASES: readonly (readonly [shape: keyof typeof SHAPES, mixture: Mixture, parts: readonly Part[]])[] = [
  ...(['bf16', 'q8_0', 'q4_0', 'q4_k_m'] as const).map((mixture) => ['1.1b', mixture, [PREFILL, DECODE, ...BATCHED]] as const),
  ['134m', 'q4_0', [PREFILL, DECODE]],
];

export async function runFormats(context: BenchContext, peak: Peak): Promise<void> {
  for (const [shape, mixture, parts] of CASES) {
    const asked = parts.filter(({ words }) => isAsked(context, `${shape} ${mixture} ${words}`));
    if (asked.length === 0) continue;
    context.note(`Writing ${shape} in ${mixture} …`);
    await withRandomGguf(shape, mixture, async (path) => {
      for (const part of asked) await runPart(context, peak, `${shape} ${mixture} ${part.words}`, path, mixture, part);
    });
  }
}

async function runPart(context: BenchContext, peak: Peak, title: string, path: string, mixture: Mixture, { part, seqs, prompt }: Part): Promise<void> {
  const loaded = loadGguf(path, { mapFile });
  try {
    const model = withWeightTypes(loaded.model, (state) => loaded.storedType(state)), { threads } = context;
    await duel(context, {
      bench: 'decode',
      case: title,
      unit: 'tokens/s',
      seconds: part === 'prefill' ? 2 : 1,
      limit: () => limitOf(model, peak, mixture, { part, seqs, prompt }),
      ours: decoderContender({ model, read: loaded.readStored, threads, part, seqs, prompt, cacheDtype: 'bf16' }),
      peers: [llamaCpp(context, path, { part, seqs, prompt })],
    });
  } finally {
    loaded.close();
  }
}

/** llama.cpp on a file as a process. */
export function llamaProcess(path: string, options: Readonly<Record<string, string | number>>, name = 'llama.cpp'): ChildContender {
  const words = Object.entries({ model: path, ...options }).flatMap(([key, value]) => [`--${key}`, String(value)]);
  return new ChildContender({ name, command: process.execPath, args: [ownScript('llama-server'), ...words] });
}

function llamaCpp({ threads, note }: BenchContext, path: string, { part, seqs, prompt }: Omit<Part, 'words'>): Contender {
  const ways = [{ flash: 'on', batch: 512 }, { flash: 'off', batch: 512 }, ...(part === 'prefill' ? [{ flash: 'off', batch: 128 }] : [])], request: Facts = { part };
  return fastestOf('llama.cpp', ways.map((way) => asking(llamaProcess(path, { ...way, threads, seqs, prompt }, `llama.cpp, flash attention ${way.flash}, batches of ${way.batch}`), request)), { seconds: 1, note });
}

/**
 * Prefill is bound by multiply-adds at the peak of fp32 (of bf16 where the processor has it): products of small integers
 * may pass it. Decoding is bound by reading all weights once a step, or by multiply-adds with many sequences.
 */
function limitOf(model: Model, peak: Peak, mixture: Mixture, { part, seqs, prompt }: Omit<Part, 'words'>): number {
  const matrices = readMatrices(model), sizes = matrices.map(({ meta }) => sizeOf(meta.shape)), head = model.dims.vocabSize * (matrices[0]!.meta.shape[1] as number);
  const all = sizes.reduce((sum, size) => sum + size, 0), bytes = matrices.reduce((sum, { meta }, i) => sum + sizes[i]! * DTYPE_BYTES[meta.dtype], 0);
  const flops = peakFlops(peak, mixture === 'bf16' ? 'bf16' : 'fp32');
  if (part === 'prefill') return (prompt * flops) / (2 * (prompt * (all - head) + head)); // one row of logits
  return Math.min(flops / (2 * all), (seqs * peak.readBytes) / bytes);
}
