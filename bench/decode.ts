// decode: tokens a second with a cache, first the prompt at once (prefill), then token by token, alone and with others,
// against PyTorch in fp32 and against llama.cpp in the formats of GGUF files. Weights are random; they change no time.

import type { Peak } from 'athanor/backends';
import { initialise, type Model } from 'athanor/models';
import { modelCases, modelOf } from './cases.ts';
import { asking, fastestOf } from './contender.ts';
import { runFormats } from './decode-gguf.ts';
import { decoderContender } from './decoder-contender.ts';
import { runDivergence } from './divergence.ts';
import { duel, isAsked, type Bench, type BenchContext } from './harness.ts';
import { measurePeak } from './machine-peak.ts';
import { pythonPeer } from './python-peers.ts';

/** Tokens of a prompt; decoding goes from here to twice as many, over and over. */
const PROMPT = 128;
const CASES = ['small-6x384-llama', 'gpt2-124m'];
const PARTS = [{ part: 'prefill', seqs: 1 }, { part: 'decode', seqs: 1 }, { part: 'decode', seqs: 8 }] as const;
type Part = (typeof PARTS)[number];

export const decode: Bench = {
  about: 'prefill, and decoding of one or several sequences with a cache, against PyTorch and llama.cpp; and how exact the formats are',
  async run(context) {
    const peak = await measurePeak(context.threads);
    for (const name of CASES) {
      for (const part of PARTS) {
        const words = part.part === 'prefill' ? `prefill-${PROMPT}` : part.seqs === 1 ? 'decode' : `decode x${part.seqs}`;
        if (isAsked(context, `${name} fp32 ${words}`)) await runCase(context, peak, name, part, `${name} fp32 ${words}`);
      }
    }
    await runFormats(context, peak);
    await runDivergence(context);
  },
};

async function runCase(context: BenchContext, peak: Peak, name: string, { part, seqs }: Part, title: string): Promise<void> {
  const model = modelOf(modelCases()[name]!), args = ['--case', name, '--threads', String(context.threads), '--seqs', String(seqs), '--prompt', String(PROMPT)];
  const ways = ['eager', 'compile'].map((mode) => asking(pythonPeer(`pytorch ${mode}`, 'pytorch_decode.py', [...args, '--mode', mode]), { part }));
  await duel(context, {
    bench: 'decode',
    case: title,
    unit: 'tokens/s',
    seconds: 1,
    ours: decoderContender({ model, read: (state) => initialise(state, 1), threads: context.threads, part, seqs, prompt: PROMPT }),
    limit: () => limitOf(model, peak, part, seqs),
    peers: [fastestOf('pytorch', ways, { seconds: 1, note: context.note })],
  });
}

/** Prefill is bound by multiply-adds; decoding by reading all weights once a step, or by multiply-adds with many sequences. */
function limitOf(model: Model, peak: Peak, part: 'prefill' | 'decode', seqs: number): number {
  // A gpt2 model's positions are looked up, not multiplied; a tied table is the output projection.
  const used = model.states.filter(({ id }) => id !== 'positions.weight').reduce((n, { meta }) => n + meta.shape.reduce<number>((a, b) => a * (b as number), 1), 0);
  const compute = peak.f32Flops / (2 * used), reading = (seqs * peak.readBytes) / (4 * used);
  return part === 'prefill' ? compute : Math.min(compute, reading);
}
