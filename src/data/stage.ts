// What a stage of a data recipe is, and the two small forms that most are written in. Layer: data (pure).
// A stage sees a stream of documents and says what it does with each: nothing leaves a corpus without a reason. Stages of
// scope `document` decide by one document at a time, so that processes can share the work; those of scope `corpus` see all.

import type { z } from 'zod';
import type { Document, Documents } from './document.ts';

/** A stream of documents in, a stream of documents out. */
export type Stage = (documents: Documents) => AsyncIterable<Document>;

/** What a stage is given, and where it says what it did. */
export type StageContext = {
  /** Of the recipe: everything random is drawn from it and a document's id. */
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** `document` is left out. `reason` names the rule; `detail` has what was seen and the threshold: `mean word length 12.3 > 10`. */
  drop(document: Document, reason: string, detail: string): void;
  /** `document` was changed by the rule `reason`; `removedBytes` of its text are gone. */
  change(document: Document, reason: string, detail: string, removedBytes: number): void;
  /** Adds to a counter of the report: `language.zh`, `pii.email`. */
  count(name: string, by?: number): void;
};

/** A kind of stage: what a recipe names. One file each, one line in the list of stages. */
export type StageKind<Options = unknown> = {
  /** As a recipe writes it, in kebab case. */
  readonly name: string;
  /** One sentence, shown by `--help`. */
  readonly about: string;
  readonly scope: 'document' | 'corpus';
  /** A strict object with a default and a description for each option. */
  readonly options: z.ZodType<Options>;
  /** Files that the result depends on beside the options: where one changed, parts are made anew. */
  files?(options: Options): readonly string[];
  /** @throws {ConfigError} if the options do not fit together, or a file that they name is not there */
  start(options: Options, context: StageContext): Stage | Promise<Stage>;
  /** How a stage of scope `corpus` shares its work; the runner then uses this and not `start`. */
  readonly phases?: CorpusPhases<Options>;
};

/**
 * A stage of scope `corpus` in two steps: each part of the corpus is looked at alone, by any process, and then one process
 * decides from what was learnt. Texts stay where they are; a decision is applied when a part is next read.
 */
export type CorpusPhases<Options> = {
  /** Writes what it must know of a part to `file`. The same documents and options give the same bytes. */
  index(options: Options, part: AsyncIterable<Numbered>, file: string, context: PhaseContext): Promise<void>;
  /** Calls `context.settle` for what changes, in the order of parts and of documents in them. */
  decide(options: Options, parts: readonly IndexedPart[], context: DecideContext): Promise<void>;
};

/** A document and its place in its part, which later decisions do not change. */
export type Numbered = { readonly n: number; readonly document: Document; readonly hash: string };

/** What both phases may use. */
export type PhaseContext = {
  readonly seed: number;
  /** Bytes that the phase may hold at a time. */
  readonly memory: number;
  readonly signal?: AbortSignal | undefined;
};

/** A part of the corpus with its index. */
export type IndexedPart = {
  /** What `index` wrote. */
  readonly file: string;
  /** Of another corpus, which is finished: compared with, never changed. */
  readonly settled: boolean;
  readonly documents: number;
  /** Reads document `n` again. */
  document(n: number): Document;
};

/** Where decisions go. */
export type DecideContext = PhaseContext & {
  /** A folder for working files, removed afterwards. */
  readonly scratch: string;
  settle(part: number, decision: Decision): void;
  /** Says how far it is and lets other events in. @throws {InterruptedError} */
  step(done: number, total: number): Promise<void>;
};

/** What becomes of document `n`: it is dropped, or spans of its text are cut out, [from, to) in UTF-16 units, ascending. */
export type Decision = { readonly n: number; readonly reason: string; readonly detail: string; readonly cut?: readonly (readonly [from: number, to: number])[] };

/** Keeps or drops: `judge` returns undefined to keep, or what it saw and the threshold that it crossed. */
export type Rule<Options> = Omit<StageKind<Options>, 'scope' | 'start'> & {
  judge(options: Options): (document: Document) => string | undefined;
};

/** Changes a text or what is known of it: `edit` returns undefined to leave the document as it is. */
export type Edit<Options> = Omit<StageKind<Options>, 'scope' | 'start'> & {
  edit(options: Options, context: StageContext): (document: Document) => Edited | undefined;
};

/** A changed document. Without `detail` nothing was lost and nothing is recorded (a language was noted, say). */
export type Edited = { readonly document: Document; readonly detail?: string };

/** The stage that a rule stands for. */
export function ruleStage<Options>(rule: Rule<Options>): StageKind<Options> {
  const { judge, ...kind } = rule;
  return {
    ...kind,
    scope: 'document',
    start(options, context) {
      const verdict = judge(options);
      return async function*(documents) {
        for await (const document of documents) {
          const detail = verdict(document);
          if (detail === undefined) yield document;
          else context.drop(document, rule.name, detail);
        }
      };
    },
  };
}

/** The stage that an edit stands for. A text of which nothing is left is dropped. */
export function editStage<Options>(edit: Edit<Options>): StageKind<Options> {
  const { edit: make, ...kind } = edit;
  return {
    ...kind,
    scope: 'document',
    start(options, context) {
      const change = make(options, context);
      return async function*(documents) {
        for await (const document of documents) {
          const edited = change(document);
          if (edited === undefined) yield document;
          else if (edited.document.text.trim() === '' && document.text.trim() !== '') context.drop(document, edit.name, edited.detail ?? 'nothing is left');
          else {
            if (edited.detail !== undefined) context.change(document, edit.name, edited.detail, Math.max(0, document.bytes - edited.document.bytes));
            yield edited.document;
          }
        }
      };
    },
  };
}
