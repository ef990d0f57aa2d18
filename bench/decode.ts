// decode: tokens a second with a cache, first the prompt at once (prefill), then token by token, alone and with others,
// greedily, against PyTorch. Weights are random; they change no time.

import { NativeExecutor, type Peak } from 'athanor/backends';
import { argmax, Decoder, type NewToken } from 'athanor/engine';
import { initialise, type Model } from 'athanor/models';
import { modelCases, modelOf } from './cases.ts';
import { fastestOf, type Contender, type Facts } from './contender.ts';
import { duel, isAsked, type Bench, type BenchContext } from './harness.ts';
import { measurePeak } from './machine-peak.ts';
import { pythonPeer } from './python-peers.ts';

/** Tokens of a prompt; decoding goes from here to twice as many, over and over. */
const PROMPT = 128;
const CASES = ['small-6x384-llama', 'gpt2-124m'];
const PARTS = [{ part: 'prefill', seqs: 1 }, { part: 'decode', seqs: 1 }, { part: 'decode', seqs: 8 }] as const;
type Part = (typeof PARTS)[number];

export const decode: Bench = {
  about: 'prefill, and decoding of one and of eight sequences with a cache, against PyTorch',
  async run(context) {
    const peak = await measurePeak(context.threads);
    for (const name of CASES) {
      for (const part of PARTS) {
        const words = part.part === 'prefill' ? `prefill-${PROMPT}` : part.seqs === 1 ? 'decode' : `decode x${part.seqs}`;
        if (isAsked(context, `${name} fp32 ${words}`)) await runCase(context, peak, name, part, `${name} fp32 ${words}`);
      }
    }
  },
};

async function runCase(context: BenchContext, peak: Peak, name: string, { part, seqs }: Part, title: string): Promise<void> {
  const model = modelOf(modelCases()[name]!), args = ['--case', name, '--threads', String(context.threads), '--seqs', String(seqs), '--prompt', String(PROMPT)];
  const ways = ['eager', 'compile'].map((mode) => withRequest(pythonPeer(`pytorch ${mode}`, 'pytorch_decode.py', [...args, '--mode', mode]), { part }));
  await duel(context, {
    bench: 'decode', case: title, unit: 'tokens/s', ours: ourDecoder(model, context.threads, part, seqs), seconds: 1,
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

function withRequest(child: ReturnType<typeof pythonPeer>, request: Facts): Contender {
  return { name: child.name, start: () => child.start(), measure: (seconds) => child.measure(seconds, request), close: () => child.close() };
}

function ourDecoder(model: Model, threads: number, part: 'prefill' | 'decode', seqs: number): Contender {
  let executor: NativeExecutor | undefined, decoder: Decoder | undefined, place = PROMPT, last = Array.from({ length: seqs }, (_, i) => i);
  const length = 2 * PROMPT, token = (id: number, position: number, seq: number, logits: boolean): NewToken => ({ id, position, seq, slot: seq * length + position, logits });
  const best = (logits: Float32Array, row: number): number => argmax(logits.subarray(row * model.dims.vocabSize, (row + 1) * model.dims.vocabSize));
  const prefill = async (seq: number): Promise<number> => {
    const logits = await decoder!.run(Array.from({ length: PROMPT }, (_, i) => token((i * 31) % model.dims.vocabSize, i, seq, i === PROMPT - 1)));
    last[seq] = best(logits, 0);
    return PROMPT;
  };
  const step = async (): Promise<number> => {
    const logits = await decoder!.run(last.map((id, seq) => token(id, place, seq, true)));
    last = last.map((_, seq) => best(logits, seq));
    place = PROMPT + ((place + 1 - PROMPT) % PROMPT);
    return seqs;
  };
  return {
    name: 'athanor',
    async start() {
      executor = NativeExecutor.open({ threads });
      decoder = new Decoder(model, { executor, read: (state) => initialise(state, 1), maxTokens: PROMPT, maxSeqs: seqs, maxLength: length, slots: seqs * length });
      for (let seq = 0; seq < seqs; seq++) {
        decoder.assign(seq, Int32Array.from({ length }, (_, i) => seq * length + i));
        await prefill(seq);
      }
      return {};
    },
    async measure(seconds) {
      const values: number[] = [], end = performance.now() + 1000 * seconds;
      while (values.length === 0 || performance.now() < end) {
        const begin = performance.now(), n = await (part === 'prefill' ? prefill(0) : step());
        values.push((1000 * n) / (performance.now() - begin));
      }
      return { values, facts: {} };
    },
    close: async () => executor?.close(),
  };
}
