// A model that can be asked: engine, tokenizer, chat template and what a client may know of it. Layer: serve.

import type { EngineOptions, GenerateOptions, Part } from '../engine/index.ts';
import { Engine } from '../engine/index.ts';
import type { Executor } from '../backends/executor.ts';
import { ChatTemplate, type Tokenizer } from '../tokenizer/index.ts';
import { MARKERS } from './answer-parts.ts';
import { Constraints } from './constraint.ts';
import { makeEmbedder } from './embedder.ts';
import type { OpenModel } from './open-model.ts';

/** What serving needs of an engine; a test may script one. */
export interface TextEngine {
  generate(prompt: readonly number[], options: GenerateOptions): AsyncIterable<Part>;
  close(): Promise<void>;
}

/** Facts that clients show. */
export interface ModelFacts {
  readonly family: string;
  readonly parameters: number;
  /** Most tokens of a sequence, prompt included. */
  readonly contextLength: number;
  /** Bytes of all weights as they are kept. */
  readonly bytes: number;
  readonly weightType: string;
  readonly vocabSize: number;
}

export interface ServedModel {
  readonly name: string;
  readonly engine: TextEngine;
  readonly tokenizer: Tokenizer | undefined;
  readonly template: ChatTemplate | undefined;
  /** Texts of the chat templates. */
  readonly templateText: string;
  readonly stopIds: readonly number[];
  readonly beginId: number | undefined;
  readonly facts: ModelFacts;
  /** Words that begin reasoning or calls and that the tokenizer leaves out of the text, by id. */
  readonly markers: ReadonlyMap<number, string>;
  readonly constraints: Constraints;
  /** Vectors of texts, where the model's hidden states can be had. */
  readonly embed?: (ids: readonly (readonly number[])[], signal: AbortSignal | undefined) => Promise<Float32Array[]>;
  close(): Promise<void>;
}

/** Ends of a turn in the templates in use, for models whose configuration names the end of a text only. */
const TURN_ENDS = ['<|im_end|>', '<|eot_id|>', '<|eom_id|>', '<end_of_turn>', '<|end|>', '<|return|>', '<｜end▁of▁sentence｜>'];

/** Tokens that end an answer: those of the configuration, of the tokenizer, and the ends of a turn that the template writes. */
function endIds(open: Pick<OpenModel, 'stopIds' | 'tokenizer' | 'chatTemplates'>): number[] {
  const { tokenizer, chatTemplates } = open;
  if (tokenizer === undefined || chatTemplates === undefined) return [...open.stopIds];
  const text = [...chatTemplates.templates.values()].join('\n'), eos = chatTemplates.variables['eos_token'];
  const words = [...TURN_ENDS.filter((word) => text.includes(word)), ...(eos === undefined ? [] : [eos])];
  return [...new Set([...open.stopIds, ...words.flatMap((word) => tokenizer.specialTokens.get(word) ?? [])])];
}

/** Special tokens that the text of an answer would hide. */
function markersOf(tokenizer: Tokenizer | undefined): Map<number, string> {
  return new Map(MARKERS.flatMap((word): [number, string][] => {
    const id = tokenizer?.specialTokens.get(word);
    return id === undefined ? [] : [[id, word]];
  }));
}

/** What of an opened model clients are told. */
function factsOf(open: OpenModel, contextLength: number): ModelFacts {
  let parameters = 0, bytes = 0;
  const counts = new Map<string, number>();
  for (const { meta: { shape, dtype } } of open.model.states) {
    const size = (shape as readonly number[]).reduce((product, dim) => product * dim, 1);
    parameters += size;
    bytes += size * (BITS[dtype] ?? BITS[dtype.slice(0, 2)] ?? 32) / 8;
    counts.set(dtype, (counts.get(dtype) ?? 0) + size);
  }
  const [weightType = 'f32'] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  return { family: open.model.family.modelType, parameters, contextLength, bytes: Math.round(bytes), weightType, vocabSize: open.model.dims.vocabSize };
}

/** Bits of a number, roughly for block formats: their first letters say them, and scales add half a bit. */
const BITS: Readonly<Record<string, number>> = { f32: 32, bf16: 16, bf16x2: 16, f16: 16, q8: 8.5, q6: 6.6, q5: 5.5, q4: 4.5, q3: 3.4, q2: 2.6 };

/** How a model is served. */
export interface ServeModelOptions {
  readonly name: string;
  readonly executor: Executor;
  readonly engine?: Partial<EngineOptions>;
}

/** An opened model with an engine of its own; closing it closes the model and the executor. */
export function serveModel(open: OpenModel, options: ServeModelOptions): ServedModel {
  const { executor, name } = options, { tokenizer, chatTemplates } = open;
  const contextLength = options.engine?.maxLength ?? Math.min(2048, open.model.dims.maxPositions), stopIds = endIds(open);
  const engine = new Engine(open.model, { executor, read: open.readStored, stopIds, maxLength: contextLength, ...(tokenizer === undefined ? {} : { tokenizer }), ...options.engine });
  const template = tokenizer === undefined || chatTemplates === undefined ? undefined : new ChatTemplate(chatTemplates, tokenizer);
  return {
    name,
    engine,
    tokenizer,
    template,
    templateText: [...chatTemplates?.templates.values() ?? []].join('\n'),
    stopIds,
    beginId: open.beginId,
    facts: factsOf(open, contextLength),
    markers: markersOf(tokenizer),
    constraints: new Constraints(tokenizer, open.model.dims.vocabSize, stopIds),
    embed: makeEmbedder(open.model, { executor, read: open.readStored, maxLength: contextLength }),
    async close() {
      await engine.close();
      await template?.close();
      await executor.close();
      open.close();
    },
  };
}
