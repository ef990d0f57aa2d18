// extract: the main text of web pages against Readability.js (with linkedom) and trafilatura, on the same pages in one run:
// the two public evaluations, as they score, with paired intervals; and pages a second from bytes to text on one thread.
// The labelled pages lie beside the checkout (../shared/data/web); without them there is nothing to measure.

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { decodePage, extractPage } from 'athanor/data';
import { ratioOf } from './bench-line.ts';
import { ChildContender, repeated, SharedPeer, type Contender } from './contender.ts';
import { compareShingles, countSegments, pairedInterval, segmentF1, shingleF1, type Counts } from './extraction-score.ts';
import { duel, isAsked, type Bench, type BenchContext } from './harness.ts';
import { peerRequire } from './javascript-peers.ts';
import { PeerError } from './peer-error.ts';
import { checkout, peerScript } from './places.ts';
import { peerEnvironment, python } from './python-peers.ts';

interface LabelledPage {
  readonly file: string;
  readonly bytes: Buffer;
  readonly score: (text: string) => Counts;
}

type Evaluation = { name: string; pages: readonly LabelledPage[]; score: (pages: readonly Counts[]) => number };
type Extract = (bytes: Buffer) => string;

export const extract: Bench = {
  about: 'the main text of web pages against Readability.js and trafilatura: 4-gram F1, segment F1, pages a second',
  async run(context) {
    const folder = join(checkout(), '..', 'shared', 'data', 'web');
    if (!existsSync(folder)) return context.note(`extract: there are no labelled pages in ${folder}, so nothing is measured.`);
    const evaluations = [readArticles(join(folder, 'article-extraction-benchmark')), readSegments(join(folder, 'trafilatura-eval'))];
    const work = mkdtempSync(join(tmpdir(), 'athanor-bench-'));
    const child = new ChildContender({ name: 'trafilatura', command: python(), args: [peerScript('trafilatura_extract.py'), '--serve'], env: peerEnvironment() }), python3 = new SharedPeer(child);
    try {
      for (const evaluation of evaluations) await runQuality(context, evaluation, work, child, python3);
      await runSpeed(context, evaluations.flatMap(({ pages }) => pages), work, python3);
    } finally {
      await python3.close();
      rmSync(work, { recursive: true, force: true });
    }
  },
};

function readArticles(folder: string): Evaluation {
  const truth = JSON.parse(readFileSync(join(folder, 'ground-truth.json'), 'utf8')) as Record<string, { articleBody: string }>;
  const pages = Object.keys(truth).sort().map((id): LabelledPage => {
    const file = join(folder, 'html', `${id}.html.gz`);
    return { file, bytes: gunzipSync(readFileSync(file)), score: (text) => compareShingles(truth[id]!.articleBody, text) };
  });
  return { name: 'articles 4-gram', pages, score: shingleF1 };
}

function readSegments(folder: string): Evaluation {
  const rows = readFileSync(join(folder, 'evaldata.jsonl'), 'utf8').trim().split('\n').map((line) => JSON.parse(line) as { file: string; with: string[]; without: string[] });
  const pages = rows.map((row): LabelledPage => {
    const file = join(folder, 'html', row.file);
    return { file, bytes: readFileSync(file), score: (text) => countSegments(text, row.with, row.without) };
  });
  return { name: 'segments', pages, score: segmentF1 };
}

const ours: Extract = (bytes) => extractPage(decodePage(bytes).html, { markdown: false }).text;

function readability(): Extract {
  try {
    const { Readability } = peerRequire()('@mozilla/readability') as { Readability: new(document: unknown) => { parse(): { textContent: string } | null } };
    const { parseHTML } = peerRequire()('linkedom') as { parseHTML: (html: string) => { document: unknown } };
    return (bytes) => {
      try {
        return new Readability(parseHTML(decodePage(bytes).html).document).parse()?.textContent ?? '';
      } catch {
        return ''; // a page that it fails on has no text
      }
    };
  } catch (error) {
    throw new PeerError('readability', `it is not installed (${(error as Error).message.split('\n')[0]})`);
  }
}

async function runQuality(context: BenchContext, { name, pages, score }: Evaluation, work: string, child: ChildContender, python3: SharedPeer): Promise<void> {
  if (!isAsked(context, name)) return;
  const mine = pages.map((page) => page.score(ours(page.bytes))), value = score(mine);
  const halves = [0, 1].map((half) => score(mine.filter((_, i) => i % 2 === half)).toFixed(4));
  context.note(`extract ${name}: ${value.toFixed(4)} on ${pages.length} pages; by halves ${halves.join(' and ')}`);
  const peers: Record<string, () => Promise<readonly string[]>> = {
    readability: async () => pages.map(({ bytes }) => readability()(bytes)),
    trafilatura: async () => {
      await python3.in({}).start();
      const { facts } = await child.measure(0, { op: 'texts', files: listFiles(pages, work, name) });
      return JSON.parse(String(facts['texts'])) as string[];
    },
  };
  for (const [peer, texts] of Object.entries(peers)) {
    let peerValue: number | null = null;
    try {
      const theirs = (await texts()).map((text, i) => pages[i]!.score(text)), [low, high] = pairedInterval(mine, theirs, score);
      peerValue = score(theirs);
      context.note(`extract ${name}: ${(value - peerValue).toFixed(4)} above ${peer}, 95% of ${low.toFixed(4)} to ${high.toFixed(4)} (paired bootstrap over pages)`);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      context.note(error.message);
    }
    context.report({ bench: 'extract', case: name, value, unit: 'F1', limit: 1, peer, peerValue, ratio: ratioOf('F1', value, peerValue) });
  }
}

function listFiles(pages: readonly LabelledPage[], work: string, name: string): string {
  const path = join(work, `${name.replaceAll(' ', '-')}.json`);
  writeFileSync(path, JSON.stringify(pages.map(({ file }) => file)));
  return path;
}

async function runSpeed(context: BenchContext, pages: readonly LabelledPage[], work: string, python3: SharedPeer): Promise<void> {
  const title = 'speed';
  if (!isAsked(context, title)) return;
  const files = listFiles(pages, work, title);
  await duel(context, { bench: 'extract', case: title, unit: 'pages/s', ours: timed('athanor', pages, () => ours), peers: [timed('readability', pages, readability), python3.in({ op: 'time', files })], rounds: 3, seconds: 1 });
}

/** Once over all pages is one repetition. */
function timed(name: string, pages: readonly LabelledPage[], open: () => Extract): Contender {
  let run: Extract | undefined;
  const once = (): number => {
    const begin = performance.now();
    for (const { bytes } of pages) run!(bytes);
    return (1000 * pages.length) / (performance.now() - begin);
  };
  return {
    name,
    async start() {
      run = open();
      once(); // both are compiled while they run
      return {};
    },
    async measure(seconds) {
      return { values: await repeated(seconds, once), facts: {} };
    },
    close: async () => {},
  };
}
