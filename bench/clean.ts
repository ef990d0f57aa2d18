// clean: MB/s of each filter on one core, over prose in English and Chinese (documents of about 4 kB); language
// identification against franc and eld where they are installed (ATHANOR_PEERS).

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { adult, c4Quality, FairnessCounter, finewebQuality, findPersonalData, gopherQuality, gopherRepetition, identifyLanguage, normalise, toxicity, type Document, type Edit, type Rule, type StageContext } from 'athanor/data';
import type { Contender } from './contender.ts';
import { duel, isAsked, type Bench } from './harness.ts';
import { peerRequire } from './javascript-peers.ts';
import { PeerError } from './peer-error.ts';
import { checkout } from './places.ts';
import { sampleTexts } from './sample-text.ts';

const DOCUMENT_UNITS = 4000;
const BYTES = 4e6;
type Judge = (document: Document) => unknown;

const context: StageContext = { seed: 0, drop: () => {}, change: () => {}, count: () => {} };
const ruleJudge = <O>(rule: Rule<O>): Judge => rule.judge(rule.options.parse({}));
const editJudge = <O>(edit: Edit<O>): Judge => edit.edit(edit.options.parse({}), context);

export const clean: Bench = {
  about: 'cleaning documents: language, the published filters, personal data, normalisation; MB/s of one core',
  async run(bench) {
    const documents = proseDocuments(), counter = new FairnessCounter();
    const cases: Record<string, Judge> = {
      language: ({ text }) => identifyLanguage(text),
      normalise: editJudge(normalise),
      'gopher quality': ruleJudge(gopherQuality),
      'gopher repetition': ruleJudge(gopherRepetition),
      'c4 quality': editJudge(c4Quality),
      'fineweb quality': ruleJudge(finewebQuality),
      'personal data': ({ text }) => findPersonalData(text),
      toxicity: ruleJudge(toxicity),
      adult: ruleJudge(adult),
      fairness: ({ text }) => counter.add(text),
    };
    for (const [name, judge] of Object.entries(cases)) {
      if (!isAsked(bench, name)) continue;
      const peers = name === 'language' ? [detector('franc', (module) => module['franc'] as Detect, documents), detector('eld', (module) => (module['eld'] as { detect: Detect }).detect, documents)] : [];
      await duel(bench, { bench: 'clean', case: name, unit: 'MB/s', ours: contender('athanor', documents, async () => judge), peers, rounds: 3 });
    }
  },
};

type Detect = (text: string) => unknown;

function detector(name: string, of: (module: Record<string, unknown>) => Detect, documents: readonly Document[]): Contender {
  return contender(name, documents.slice(0, 300), async () => {
    try {
      const folder = (peerRequire().resolve.paths(name) ?? []).map((path) => join(path, name)).find((path) => existsSync(path)) ?? '';
      const { main, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { main?: string; exports?: unknown };
      const entry = typeof exports === 'string' ? exports : main ?? 'index.js', detect = of(await import(pathToFileURL(join(folder, entry)).href) as Record<string, unknown>);
      return ({ text }) => detect(text);
    } catch (error) {
      throw new PeerError(name, `it is not installed (${(error as Error).message.split('\n')[0]})`);
    }
  });
}

function contender(name: string, documents: readonly Document[], open: () => Promise<Judge>): Contender {
  const bytes = documents.reduce((sum, document) => sum + document.bytes, 0);
  let judge: Judge = () => undefined;
  return {
    name,
    async start() {
      judge = await open();
      return {};
    },
    async measure() {
      const begin = performance.now();
      for (const document of documents) judge(document);
      return { values: [bytes / 1e3 / (performance.now() - begin)], facts: {} };
    },
    close: async () => {},
  };
}

/** Books and Chinese articles where `../shared` has them, else documentation out of node_modules. */
function proseDocuments(): Document[] {
  const root = join(checkout(), '../shared/data/text'), documents: Document[] = [];
  const add = (text: string): void => {
    for (let at = 0; at < text.length; at += DOCUMENT_UNITS) {
      const part = text.slice(at, at + DOCUMENT_UNITS);
      documents.push({ id: `${documents.length}`, path: `${documents.length}.txt`, group: '', text: part, bytes: Buffer.byteLength(part) });
    }
  };
  if (existsSync(root)) {
    for (const name of readdirSync(join(root, 'books-en')).filter((name) => name.endsWith('.txt')).slice(0, 4)) add(readFileSync(join(root, 'books-en', name), 'utf8'));
    const articles = readdirSync(join(root, 'zh-oiwiki')).find((name) => name.endsWith('.jsonl'))!;
    for (const row of readFileSync(join(root, 'zh-oiwiki', articles), 'utf8').trim().split('\n')) add((JSON.parse(row) as { text: string }).text);
  } else {
    for (const text of sampleTexts(BYTES)) add(text);
  }
  return documents;
}
