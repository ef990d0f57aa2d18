// llama.cpp as a peer process, through the binary that the npm package node-llama-cpp has inside: prefill, decoding of one
// or several sequences, and logits, of a GGUF file. The package's own binding is called, not its queue above it, so that
// what is timed is llama_decode and hardly more; tokens are given, so sampling is not in it (and logits are).
// node llama-server.js --model FILE --threads N --flash on|off --batch N --seqs N --prompt N

import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import type { Facts, Measurement } from './contender.ts';
import { peerRequire } from './javascript-peers.ts';
import { peakResidentBytes, residentBytes, serveLines, type Request } from './line-server.ts';

/** What is used of the package's binding (its bindings/AddonTypes.d.ts); a number names a row of logits in the batch. */
interface Binding {
  readonly AddonModel: new(path: string, options: object) => { init(): Promise<boolean>; tokenize(text: string, special: boolean): Uint32Array; tokenBos(): number };
  readonly AddonContext: new(model: object, options: object) => Context;
  readonly AddonSampler: new(model: object) => { applyConfig(config: object): void };
}

interface Context {
  init(): Promise<boolean>;
  initBatch(size: number): void;
  addToBatch(seq: number, position: number, tokens: Uint32Array, withLogits: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  removeTokenCellsFromSequence(seq: number, start: number, end: number): boolean;
  sampleToken(row: number, sampler: object, probabilities: boolean, confidence: boolean, logits: boolean): Promise<[number, unknown, unknown, number[]]>;
}

interface Options {
  readonly model: string;
  readonly threads: number;
  readonly flash: boolean;
  /** Most tokens of one llama_decode. */
  readonly batch: number;
  readonly seqs: number;
  /** Tokens of a prompt; decoding goes from here to twice as many, over and over. */
  readonly prompt: number;
}

class Server {
  readonly #options: Options;
  #model!: InstanceType<Binding['AddonModel']>;
  #context!: Context;
  #sampler!: object;
  #place: number;

  constructor(options: Options) {
    this.#options = options;
    this.#place = options.prompt;
  }

  async open(): Promise<Facts> {
    const { model: path, threads, flash, batch, seqs, prompt } = this.#options, from = peerRequire();
    const { getLlama } = await import(pathToFileURL(from.resolve('node-llama-cpp')).href) as { getLlama(options: object): Promise<{ _bindings: Binding; llamaCppRelease: { release: string } }> };
    const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: threads }), { AddonModel, AddonContext, AddonSampler } = llama._bindings;
    const model = new AddonModel(path, { addonExports: llama._bindings, gpuLayers: 0, useMmap: true });
    if (!await model.init()) throw new Error('llama.cpp cannot load the file');
    this.#model = model;
    this.#context = new AddonContext(model, { contextSize: 2 * prompt * seqs, batchSize: Math.max(batch, seqs), sequences: seqs, flashAttention: flash, threads });
    if (!await this.#context.init()) throw new Error('llama.cpp cannot make a context');
    const sampler = new AddonSampler(model);
    sampler.applyConfig({ temperature: 1 });
    this.#sampler = sampler;
    for (let seq = 0; seq < seqs; seq++) await this.prefill(seq);
    return { release: llama.llamaCppRelease.release };
  }

  /** A prompt in pieces, with the logits of its last token. @returns how many tokens */
  async prefill(seq: number): Promise<number> {
    const { prompt, batch } = this.#options;
    this.#context.removeTokenCellsFromSequence(seq, 0, -1);
    for (let start = 0; start < prompt; start += batch) {
      const tokens = Uint32Array.from({ length: Math.min(batch, prompt - start) }, (_, i) => ((start + i) * 31) % 256);
      await this.#decode([[seq, start, tokens]], start + tokens.length === prompt);
    }
    return prompt;
  }

  /** One more token of every sequence. */
  async step(): Promise<number> {
    const { seqs, prompt } = this.#options, place = this.#place;
    if (place === prompt) { for (let seq = 0; seq < seqs; seq++) this.#context.removeTokenCellsFromSequence(seq, prompt, -1); }
    await this.#decode(Array.from({ length: seqs }, (_, seq) => [seq, place, Uint32Array.of((place + seq) % 256)] as const), true);
    this.#place = prompt + ((place + 1 - prompt) % prompt);
    return seqs;
  }

  /** Ids of a text that begins with the token for that. */
  tokenise(text: string): number[] {
    return [this.#model.tokenBos(), ...this.#model.tokenize(text, false)];
  }

  /** Logits after each of some tokens, one by one as one decodes. */
  async logits(ids: readonly number[]): Promise<number[][]> {
    const rows: number[][] = [];
    this.#context.removeTokenCellsFromSequence(0, 0, -1);
    for (const [i, id] of ids.entries()) {
      const [row] = await this.#decode([[0, i, Uint32Array.of(id)]], true);
      const [, , , pairs] = await this.#context.sampleToken(row!, this.#sampler, false, false, true), values: number[] = [];
      for (let j = 0; j < pairs.length; j += 2) values[pairs[j]!] = pairs[j + 1]!; // token, logit, token, logit, …
      rows.push(values);
    }
    return rows;
  }

  async #decode(parts: readonly (readonly [seq: number, position: number, tokens: Uint32Array])[], withLogits: boolean): Promise<number[]> {
    this.#context.initBatch(parts.reduce((sum, [, , tokens]) => sum + tokens.length, 0));
    const rows = parts.map(([seq, position, tokens]) => this.#context.addToBatch(seq, position, tokens, withLogits ? Uint32Array.of(tokens.length - 1) : new Uint32Array(0))[0]!);
    await this.#context.decodeBatch();
    return rows;
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const, { values: flags } = parseArgs({ options: { model: text, threads: text, flash: text, batch: text, seqs: text, prompt: text } });
  const server = new Server({
    model: flags.model ?? '',
    threads: Number(flags.threads ?? 2),
    flash: flags.flash === 'on',
    batch: Number(flags.batch ?? 512),
    seqs: Number(flags.seqs ?? 1),
    prompt: Number(flags.prompt ?? 128),
  });
  await serveLines(() => server.open(), async (seconds, request: Request): Promise<Measurement> => {
    if (typeof request['text'] === 'string') return { values: [], facts: { ids: JSON.stringify(server.tokenise(request['text'])) } };
    if (typeof request['ids'] === 'string') return { values: [], facts: { logits: JSON.stringify(await server.logits(JSON.parse(request['ids']) as number[])) } };
    const values: number[] = [], part = (): Promise<number> => (request['part'] === 'prefill' ? server.prefill(0) : server.step());
    await part(); // a turn of the others has cooled the caches
    const end = performance.now() + 1000 * seconds;
    while (values.length === 0 || performance.now() < end) {
      const begin = performance.now(), n = await part();
      values.push((1000 * n) / (performance.now() - begin));
    }
    return { values, facts: { rss: residentBytes(), peakRss: peakResidentBytes() } };
  });
  process.exit(); // the package's threads
}

await main();
