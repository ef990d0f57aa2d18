// A part as the decisions of later stages leave it. Layer: data (file access).
// Stages that see the whole corpus write decisions beside the parts, one JSON line a document; a view applies them when the
// part is read, so that a corpus is not copied for every such stage.

import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { storageError } from '../../base/durable.ts';
import { utf8Bytes, type Document } from '../document.ts';
import { ContentKey } from '../exact-copies.ts';
import type { Decision, Numbered } from '../stage.ts';
import { partPaths, PartReader, readLines, type PartHead, type Step } from './part-file.ts';

/** A part and the decisions over it, oldest first. JSON-able: it travels between processes. */
export type View = {
  readonly dir: string;
  readonly key: string;
  /** Documents in the part's file. */
  readonly documents: number;
  /** What the part's file holds, as a hash. */
  readonly sha256: string;
  readonly decisions: readonly { readonly file: string; readonly stage: string }[];
};

/** A document of a view, with the steps that led to it. */
export type ViewedDocument = Numbered & { readonly steps: readonly Step[] };

/** Identity of what a view shows. */
export function viewHash(view: View): string {
  const hash = createHash('sha256').update(view.sha256);
  for (const { file, stage } of view.decisions) hash.update(stage).update(readDecisions(file));
  return hash.digest('hex');
}

function readDecisions(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw storageError('read the decisions', file, cause);
  }
}

/** Decisions of one file by document. */
export function decisionsOf(file: string): Map<number, Decision> {
  const lines = readDecisions(file).toString().split('\n');
  return new Map(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Decision).map((decision) => [decision.n, decision]));
}

/** Cuts spans out of a text. */
export function cutSpans(text: string, cut: readonly (readonly [number, number])[]): string {
  let from = 0, left = '';
  for (const [start, end] of cut) {
    left += text.slice(from, start);
    from = Math.max(from, end);
  }
  return left + text.slice(from);
}

/** What decisions leave of a document, or undefined. */
class Settled {
  readonly #key = new ContentKey();
  readonly #tables: readonly { stage: string; table: Map<number, Decision> }[];

  constructor(view: View) {
    this.#tables = view.decisions.map(({ file, stage }) => ({ stage, table: decisionsOf(file) }));
  }

  isDropped(n: number): boolean {
    return this.#tables.some(({ table }) => table.has(n) && table.get(n)!.cut === undefined);
  }

  isCut(n: number): boolean {
    return this.#tables.some(({ table }) => table.get(n)?.cut !== undefined);
  }

  /** @param text the text, or the bytes of its JSON, which are parsed when it is asked for: much needs heads only */
  apply(n: number, head: PartHead, text: string | Buffer): ViewedDocument {
    const { hash, language: _, steps = [], ...rest } = head, own: Step[] = [...steps], cuts: Decision['cut'][] = [];
    for (const { stage, table } of this.#tables) {
      const decision = table.get(n);
      if (decision?.cut === undefined) continue;
      cuts.push(decision.cut);
      own.push([ruleName(stage, decision.reason), decision.detail]);
    }
    if (cuts.length === 0) return { n, hash, steps: own, document: typeof text === 'string' ? { ...rest, text } : lazyDocument(rest, text) };
    const left = cuts.reduce<string>((sum, cut) => cutSpans(sum, cut!), typeof text === 'string' ? text : (JSON.parse(text.toString()) as string));
    return { n, hash: this.#key.of(left), steps: own, document: { ...rest, text: left, bytes: utf8Bytes(left) } };
  }
}

function lazyDocument(rest: Omit<Document, 'text'>, json: Buffer): Document {
  let text: string | undefined;
  return {
    ...rest,
    get text(): string {
      return text ??= JSON.parse(json.toString()) as string;
    },
  };
}

/** `stage/reason`, or the stage alone where a rule is a whole stage. */
export function ruleName(stage: string, reason: string): string {
  return reason === stage ? stage : `${stage}/${reason}`;
}

/** The documents of a view, in order. */
export function* readView(view: View): Generator<ViewedDocument> {
  const settled = new Settled(view);
  for (const { n, head, text } of readLines(partPaths(view.dir, view.key).data)) {
    if (!settled.isDropped(n)) yield settled.apply(n, JSON.parse(head.toString()) as PartHead, Buffer.from(text));
  }
}

/** A document on its way to a file: its text still as JSON. */
export type RawDocument = { readonly n: number; readonly head: Omit<Document, 'text'>; readonly hash: string; readonly language?: string | undefined; readonly steps: readonly Step[]; readonly json: Buffer };

/** The same with texts as JSON, which are parsed only where something was cut. A buffer is good until the next document. */
export function* readRaw(view: View): Generator<RawDocument> {
  const settled = new Settled(view);
  for (const { n, head, text } of readLines(partPaths(view.dir, view.key).data)) {
    if (settled.isDropped(n)) continue;
    const known = JSON.parse(head.toString()) as PartHead;
    if (settled.isCut(n)) {
      const { document: { text: left, ...rest }, hash, steps } = settled.apply(n, known, text);
      yield { n, head: rest, hash, language: known.language, steps, json: Buffer.from(JSON.stringify(left)) };
    } else {
      const { hash, language, steps = [], ...rest } = known;
      yield { n, head: rest, hash, language, steps, json: text };
    }
  }
}

/** Reads documents of a view by number, until it is closed. */
export class ViewReader {
  readonly #part: PartReader;
  readonly #settled: Settled;

  constructor(view: View) {
    this.#part = new PartReader(view.dir, view.key, statSync(partPaths(view.dir, view.key).data).size);
    this.#settled = new Settled(view);
  }

  /** All but the text, as the part has it. */
  head(n: number): PartHead {
    return this.#part.head(n);
  }

  document(n: number): Document {
    const { head, text } = this.#part.read(n);
    return this.#settled.apply(n, head, text).document;
  }

  close(): void {
    this.#part.close();
  }
}
