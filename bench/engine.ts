// engine: what serving adds to a decoder. The engine against the bare decoder with the same work (scheduling, sampling and
// all that is between two runs), prompts that share a beginning against cold ones, and speculation against plain decoding.
// Weights are random, so text is noise; an answer that repeats its prompt is made by a constraint that allows nothing else.

import { mapFile, NativeExecutor } from 'athanor/backends';
import { Engine, type Constraint, type EngineOptions, type GenerateOptions } from 'athanor/engine';
import { loadGguf, withWeightTypes, type LoadedModel, type Model } from 'athanor/models';
import { median, ratioOf, type Unit } from './bench-line.ts';
import { decoderContender } from './decoder-contender.ts';
import { withRandomGguf } from './gguf-file.ts';
import { isAsked, type Bench, type BenchContext } from './harness.ts';

const SHAPE = '134m', MIXTURE = 'q4_0', TITLE = `${SHAPE} ${MIXTURE}`;
/** As in `decode`. */
const PROMPT = 128;
const ROUNDS = 3;
const CHAT: GenerateOptions = { temperature: 0.8, topP: 0.95 };

interface Place {
  readonly context: BenchContext;
  readonly model: Model;
  readonly read: LoadedModel['readStored'];
}

export const engine: Bench = {
  about: 'what scheduling, sampling, shared prompts and speculation cost and gain, against the bare decoder and against doing without',
  async run(context) {
    const cases = [...[1, 16].flatMap((seqs) => [`${TITLE} greedy x${seqs}`, `${TITLE} top-p x${seqs}`]), `${TITLE} prefix-1000`, `${TITLE} speculation noise`, `${TITLE} speculation repeats`];
    if (!cases.some((name) => isAsked(context, name))) return;
    context.note(`Writing ${TITLE} …`);
    await withRandomGguf(SHAPE, MIXTURE, async (path) => {
      const loaded = loadGguf(path, { mapFile });
      try {
        const place = { context, model: withWeightTypes(loaded.model, (state) => loaded.storedType(state)), read: loaded.readStored };
        for (const seqs of [1, 16]) {
          if (isAsked(context, `${TITLE} greedy x${seqs}`)) await overhead(place, `${TITLE} greedy x${seqs}`, seqs, { temperature: 0 });
          if (isAsked(context, `${TITLE} top-p x${seqs}`)) await overhead(place, `${TITLE} top-p x${seqs}`, seqs, CHAT);
        }
        if (isAsked(context, `${TITLE} prefix-1000`)) await sharedPrefix(place, `${TITLE} prefix-1000`);
        if (isAsked(context, `${TITLE} speculation noise`)) await speculation(place, `${TITLE} speculation noise`, noise);
        if (isAsked(context, `${TITLE} speculation repeats`)) await speculation(place, `${TITLE} speculation repeats`, repetition);
      } finally {
        loaded.close();
      }
    });
  },
};

async function withEngine<T>({ context, model, read }: Place, options: Partial<EngineOptions>, work: (engine: Engine) => Promise<T>): Promise<T> {
  const executor = NativeExecutor.open({ threads: context.threads }), opened = new Engine(model, { executor, read, cacheDtype: 'bf16', ...options });
  try {
    return await work(opened);
  } finally {
    await opened.close();
    await executor.close();
  }
}

function report({ context }: Place, name: string, unit: Unit, peer: string, ours: readonly number[], theirs: readonly number[]): void {
  const value = median(ours), peerValue = median(theirs);
  context.report({ bench: 'engine', case: name, value, unit, limit: null, peer, peerValue, ratio: ratioOf(unit, value, peerValue) });
}

/** The engine's tokens a second beside those of a decoder that takes the likeliest token of each row and does nothing else. */
async function overhead(place: Place, name: string, seqs: number, sampling: GenerateOptions): Promise<void> {
  const { context: { threads, note }, model, read } = place, bare = decoderContender({ model, read, threads, part: 'decode', seqs, prompt: PROMPT, cacheDtype: 'bf16' });
  note(`engine ${name} …`);
  const ours: number[] = [], theirs: number[] = [];
  try {
    await bare.start();
    await withEngine(place, { maxSeqs: seqs, maxLength: 2 * PROMPT, speculation: 'off' }, async (opened) => {
      for (let round = 0; round < ROUNDS; round++) {
        ours.push(await decodeSpeed(opened, seqs, sampling, round));
        theirs.push(median((await bare.measure(1)).values));
      }
    });
  } finally {
    await bare.close();
  }
  report(place, name, 'tokens/s', 'decoder', ours, theirs);
}

/** Tokens a second by the median step while all are answered. */
async function decodeSpeed(opened: Engine, seqs: number, sampling: GenerateOptions, round: number): Promise<number> {
  const gaps: number[] = [];
  let begun = 0, ended = 0, before = 0;
  await Promise.all(Array.from({ length: seqs }, async (_, seq) => {
    let mine = 0;
    for await (const { ids } of opened.generate(noiseIds(seq + 100 * round, PROMPT), { ...sampling, seed: seq, maxTokens: PROMPT })) {
      if (ids.length === 0) continue;
      if (mine++ === 0) begun++;
      if (seq > 0) continue;
      const now = performance.now();
      if (begun === seqs && ended === 0 && before > 0) gaps.push(now - before);
      before = begun === seqs ? now : 0;
    }
    ended++;
  }));
  return (1000 * seqs) / median(gaps);
}

/** Time to first token of 31 prompts that share 1,000 tokens with one before. */
async function sharedPrefix(place: Place, name: string): Promise<void> {
  place.context.note(`engine ${name} …`);
  await withEngine(place, { maxSeqs: 8 }, async (opened) => {
    const cold: number[] = [], warm: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const shared = noiseIds(round + 1, 1000);
      cold.push(await firstToken(opened, [...shared, 7, 8]));
      for (let i = 0; i < 31; i++) warm.push(await firstToken(opened, [...shared, i + 9, i]));
    }
    report(place, name, 's', 'cold', warm, cold);
  });
}

async function firstToken(opened: Engine, ids: number[]): Promise<number> {
  const begin = performance.now();
  await opened.complete(ids, { temperature: 0, maxTokens: 1 });
  return (performance.now() - begin) / 1000;
}

type Work = (round: number) => { prompt: number[]; options: GenerateOptions };

/** Sampled text without any plan, where each guess is by chance. */
const noise: Work = (round) => ({ prompt: noiseIds(round, PROMPT), options: { ...CHAT, maxTokens: PROMPT } });

/** An answer that quotes the prompt, as editing and summing up do. */
const repetition: Work = (round) => ({ prompt: noiseIds(round, PROMPT), options: { temperature: 0, maxTokens: PROMPT - 3, constraint: new Quoting(noiseIds(round, PROMPT), 3) } });

async function speculation(place: Place, name: string, work: Work): Promise<void> {
  place.context.note(`engine ${name} …`);
  const ours: number[] = [], theirs: number[] = [];
  await withEngine(place, { maxSeqs: 1, speculation: 'ngram' }, (guessing) =>
    withEngine(place, { maxSeqs: 1, speculation: 'off' }, async (plain) => {
      for (let round = 0; round < 2 * ROUNDS; round++) {
        ours.push(await answerSpeed(guessing, work(round)));
        theirs.push(await answerSpeed(plain, work(round)));
      }
      const { draftTokens, acceptedTokens } = guessing.stats();
      place.context.note(`${acceptedTokens} of ${draftTokens} guesses were right`);
    }));
  report(place, name, 'tokens/s', 'plain', ours, theirs);
}

/** Tokens a second after the first one. */
async function answerSpeed(opened: Engine, { prompt, options }: ReturnType<Work>): Promise<number> {
  let tokens = 0, begin = 0;
  for await (const { ids } of opened.generate(prompt, options)) {
    if (tokens === 0) begin = performance.now();
    tokens += ids.length;
  }
  return (1000 * (tokens - 1)) / (performance.now() - begin);
}

const noiseIds = (seed: number, n: number): number[] => Array.from({ length: n }, (_, i) => (Math.imul(seed * 7919 + i + 1, 2654435761) >>> 8) % 32000);

/** Allows one token at each place. */
class Quoting implements Constraint {
  readonly canEnd = false;
  readonly #ids: readonly number[];
  #at: number;

  constructor(ids: readonly number[], at: number) {
    this.#ids = ids;
    this.#at = at;
  }

  fillMask(mask: Uint32Array): void {
    mask.fill(0);
    const id = this.#ids[this.#at]!;
    mask[id >> 5] = 1 << (id & 31);
  }

  accept(): boolean {
    this.#at++;
    return true;
  }

  get mustEnd(): boolean {
    return this.#at === this.#ids.length;
  }

  fork(): Constraint {
    return new Quoting(this.#ids, this.#at);
  }
}
