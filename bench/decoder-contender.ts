// Ours in benches of generation: a decoder with a cache, its prompt at once or one token after the other, greedily.

import { NativeExecutor } from 'athanor/backends';
import { argmax, Decoder, type DecoderOptions, type NewToken } from 'athanor/engine';
import type { Model } from 'athanor/models';
import type { Contender } from './contender.ts';

export interface GenerationOptions {
  readonly model: Model;
  readonly read: DecoderOptions['read'];
  readonly threads: number;
  readonly part: 'prefill' | 'decode';
  readonly seqs: number;
  /** Tokens of a prompt; decoding goes from here to twice as many, over and over. */
  readonly prompt: number;
  readonly compute?: 'f32' | 'bf16';
  readonly cacheDtype?: 'f32' | 'bf16';
}

/** Values are tokens a second; reading the weights is not in them. */
export function decoderContender({ model, read, threads, part, seqs, prompt, ...types }: GenerationOptions): Contender {
  let executor: NativeExecutor | undefined, decoder: Decoder | undefined, place = prompt, last = Array.from({ length: seqs }, (_, i) => i);
  const length = 2 * prompt, token = (id: number, position: number, seq: number, logits: boolean): NewToken => ({ id, position, seq, slot: seq * length + position, logits });
  const best = (logits: Float32Array, row: number): number => argmax(logits.subarray(row * model.dims.vocabSize, (row + 1) * model.dims.vocabSize));
  const prefill = async (seq: number): Promise<number> => {
    const logits = await decoder!.run(Array.from({ length: prompt }, (_, i) => token((i * 31) % model.dims.vocabSize, i, seq, i === prompt - 1)));
    last[seq] = best(logits, 0);
    return prompt;
  };
  const step = async (): Promise<number> => {
    const logits = await decoder!.run(last.map((id, seq) => token(id, place, seq, true)));
    last = last.map((_, seq) => best(logits, seq));
    place = prompt + ((place + 1 - prompt) % prompt);
    return seqs;
  };
  return {
    name: 'athanor',
    async start() {
      executor = NativeExecutor.open({ threads });
      decoder = new Decoder(model, { executor, read, maxTokens: prompt, maxSeqs: seqs, maxLength: length, slots: seqs * length, ...types });
      for (let seq = 0; seq < seqs; seq++) {
        decoder.assign(seq, Int32Array.from({ length }, (_, i) => seq * length + i));
        await prefill(seq);
      }
      return {};
    },
    async measure(seconds) {
      const values: number[] = [], once = (): Promise<number> => (part === 'prefill' ? prefill(0) : step());
      await once(); // a turn of the others has cooled the caches
      const end = performance.now() + 1000 * seconds;
      while (values.length === 0 || performance.now() < end) {
        const begin = performance.now(), n = await once();
        values.push((1000 * n) / (performance.now() - begin));
      }
      return { values, facts: {} };
    },
    close: async () => executor?.close(),
  };
}
