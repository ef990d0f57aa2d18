// The built command line as a child process, as a user has it.

import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const MAIN = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const folders: string[] = [];
afterAll(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

/** A folder that goes when the tests of a file end. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'athanor-e2e-'));
  folders.push(folder);
  return folder;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves once standard output has this many whole lines. */
  lines(count: number): Promise<void>;
}

/** Starts `athanor …`. @param input what standard input holds */
export function start(args: readonly string[], { cwd, input, ...user }: { cwd: string; input?: string | Buffer; uid?: number; gid?: number }): Running {
  if (!existsSync(MAIN)) throw new Error(`"${MAIN}" is not built: run \`npm run build\`.`);
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, ...user, stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '', stderr = '';
  const waiting: (() => void)[] = [];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of waiting) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => undefined); // a command that reads nothing may end first
  child.stdin.end(input ?? '');
  const ended = new Promise<Ended>((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr })));
  return {
    child,
    ended,
    lines: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stdout.split('\n').length > count) resolve();
        };
        waiting.push(look);
        look();
        void ended.then(() => reject(new Error(`it ended before line ${count}: ${stderr}`)));
      }),
  };
}

/** Runs `athanor …` to its end. */
export function athanor(args: readonly string[], options: Parameters<typeof start>[1]): Promise<Ended> {
  return start(args, options).ended;
}

/** Each line of a text as JSON; fails if one is none. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text.split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Record<string, unknown>);
}

export function write(path: string, content: string | Uint8Array): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}

export function read(path: string): string {
  return readFileSync(path, 'utf8');
}

const ENGLISH = ['The miller', 'A quiet river', 'My old neighbour', 'Every sailor', 'The small town', 'Her brother'];
const ENGLISH_ENDS = ['went down to the harbour before the sun was up.', 'kept a lantern by the window all winter long.', 'never spoke of the storm that took the bridge.', 'sold apples and honey at the market on Saturdays.', 'wrote letters that nobody ever answered.'];
const CHINESE = ['春天的早晨', '山里的老人', '那条小河', '城里的孩子们', '我们的老师', '冬天的夜里'];
const CHINESE_ENDS = ['总是安静而明亮，像一面镜子。', '常常想起远方的朋友和旧日的歌。', '慢慢地流过田野，流向大海。', '在灯下读书，一直到很晚。', '看见雪花落在屋顶上，心里很高兴。'];

/** English and Chinese files, different from each other, the same every time. */
export function bilingualFolder(files = 40): string {
  const dir = temporaryFolder();
  for (let f = 0; f < files; f++) {
    const isChinese = f % 2 === 1, [heads, ends] = isChinese ? [CHINESE, CHINESE_ENDS] : [ENGLISH, ENGLISH_ENDS];
    const lines = Array.from({ length: 30 }, (_, i) => {
      const k = (f * 7919 + i * 104729) % 9973;
      return `${heads[k % heads.length]!}${isChinese ? `第${f}年第${k}天` : ` of chapter ${f}, day ${k},`}${isChinese ? '' : ' '}${ends[(k >> 3) % ends.length]!}`;
    });
    write(join(dir, `part-${f % 5}`, `${isChinese ? '章节' : 'chapter'}-${f}.txt`), `${lines.join('\n')}\n`);
  }
  return dir;
}

/** A recipe of seconds. */
export const TINY_RECIPE = `seed: 7
data:
  validationFraction: 0.1
  nearCopies: false
  leakSimilarity: false
tokenizer: { vocabSize: 300 }
model: { preset: quickstart, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 2, num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 64 }
train:
  steps: 12
  batchSize: 2
  contextLength: 32
  schedule: { warmupSteps: 2 }
  validation: { everySteps: 5, batches: 2, finalBatches: 4 }
  checkpoint: { everySteps: 4 }
  samples: { everySteps: 6 }
`;
