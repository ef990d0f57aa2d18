// Part of `decode`: how far from exact arithmetic the logits of a quantised model are, ours and llama.cpp's: the mean over
// the tokens of a real text of KL(exact ‖ measured), in nats, where exact is float64 over the same stored weights. The
// model is a real one: $ATHANOR_BENCH_GGUF, or stories260K (https://huggingface.co/ggml-org/models) beside the checkout.

import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeExecutor, ReferenceExecutor, type Executor } from 'athanor/backends';
import { Engine, type EngineOptions } from 'athanor/engine';
import { loadGguf, saveGguf, withWeightTypes, type Mixture, type Model } from 'athanor/models';
import { ratioOf } from './bench-line.ts';
import { llamaProcess } from './decode-gguf.ts';
import { isAsked, type BenchContext } from './harness.ts';
import { PeerError } from './peer-error.ts';
import { checkout } from './places.ts';

const MIXTURES: readonly Mixture[] = ['bf16', 'q8_0', 'q4_0', 'q4_k_m'];
const TEXT =
  'Once upon a time there was a little girl named Lily. She loved to play outside in the park with her dog. One day they saw a big red ball behind the tree. "Can we take it home?" she asked her mother. Her mother smiled and said that they should first look for the child who had lost it. So they walked around the pond, and there sat a boy who was sad. Lily gave him the ball, and he was very happy. They all played together until the sun went down.';
/** Tokens: enough for two digits, few enough for the interpreter in float64. */
const LENGTH = 96;

export async function runDivergence(context: BenchContext): Promise<void> {
  const source = process.env['ATHANOR_BENCH_GGUF'] ?? join(checkout(), '..', 'shared', 'data', 'models', 'stories260k', 'stories260K.gguf');
  const name = source.split(/[\\/]/).at(-1)!.replace(/\.gguf$/, '').toLowerCase(), title = (mixture: Mixture): string => `${name} ${mixture} kl`;
  const asked = MIXTURES.filter((mixture) => isAsked(context, title(mixture)));
  if (asked.length === 0) return;
  if (!existsSync(source)) return context.note(`How exact the formats are is left out: there is no "${source}". ATHANOR_BENCH_GGUF names another model.`);
  const folder = mkdtempSync(join(tmpdir(), 'athanor-bench-'));
  try {
    const ids = await tokenise(source, context);
    for (const mixture of asked) {
      context.note(`decode ${title(mixture)} …`);
      const path = join(folder, `${mixture}.gguf`), { value, peerValue } = await compare(source, path, mixture, ids, context);
      context.report({ bench: 'decode', case: title(mixture), value, unit: 'nats', limit: 0, peer: 'llama.cpp', peerValue, ratio: ratioOf('nats', value, peerValue) });
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The model's own ids of the text, by llama.cpp; without it ids that stand for no text. */
async function tokenise(source: string, context: BenchContext): Promise<number[]> {
  const facts = await ask(source, { text: TEXT }, context);
  const ids = facts === undefined ? Array.from({ length: LENGTH }, (_, i) => 3 + ((i * 37) % 250)) : JSON.parse(String(facts['ids'])) as number[];
  return ids.slice(0, LENGTH);
}

async function compare(source: string, path: string, mixture: Mixture, ids: readonly number[], context: BenchContext): Promise<{ value: number; peerValue: number | null }> {
  const original = loadGguf(source);
  try {
    await saveGguf(path, { model: original.model, read: (state) => original.read(state), mixture });
  } finally {
    original.close();
  }
  const stored = loadGguf(path);
  try {
    const model = withWeightTypes(stored.model, (state) => stored.storedType(state));
    const exact = await logitsOf(stored.model, new ReferenceExecutor(), { read: (state) => stored.read(state) }, ids);
    const ours = await logitsOf(model, NativeExecutor.open({ threads: context.threads }), { read: (state) => stored.readStored(state), cacheDtype: 'bf16' }, ids);
    const facts = await ask(path, { ids: JSON.stringify(ids) }, context), theirs = facts === undefined ? undefined : JSON.parse(String(facts['logits'])) as number[][];
    return { value: meanDivergence(exact, ours), peerValue: theirs === undefined ? null : meanDivergence(exact, theirs) };
  } finally {
    stored.close();
  }
}

/** Logits after each token, one by one as one decodes. Closes the executor. */
async function logitsOf(model: Model, executor: Executor, options: Omit<EngineOptions, 'executor'>, ids: readonly number[]): Promise<Float32Array[]> {
  try {
    const engine = new Engine(model, { executor, maxSeqs: 1, maxTokens: 1, maxLength: LENGTH, ...options }), rows: Float32Array[] = [];
    for await (const [, logits] of engine.logits(ids, 0)) rows.push(logits.slice());
    await engine.close();
    return rows;
  } finally {
    await executor.close();
  }
}

/** Facts of one request to a process of llama.cpp; undefined where it is missing. */
async function ask(path: string, request: Readonly<Record<string, string>>, { threads, note }: BenchContext): Promise<Readonly<Record<string, unknown>> | undefined> {
  const peer = llamaProcess(path, { threads, flash: 'off', batch: 512, seqs: 1, prompt: 128 });
  try {
    await peer.start();
    return (await peer.measure(0, request)).facts;
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    note(error.message);
    return undefined;
  } finally {
    await peer.close();
  }
}

/** Mean KL divergence of rows of logits, in nats. */
export function meanDivergence(exact: readonly ArrayLike<number>[], measured: readonly ArrayLike<number>[]): number {
  return exact.reduce((sum, row, i) => sum + divergence(row, measured[i]!), 0) / exact.length;
}

/** KL(p ‖ q) = Σ p·(log p − log q) of two rows of logits. */
function divergence(p: ArrayLike<number>, q: ArrayLike<number>): number {
  const logP = logSoftmax(p), logQ = logSoftmax(q);
  return logP.reduce((sum, x, i) => sum + Math.exp(x) * (x - logQ[i]!), 0);
}

function logSoftmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits), top = Math.max(...values), lse = top + Math.log(values.reduce((sum, x) => sum + Math.exp(x - top), 0));
  return values.map((x) => x - lse);
}
