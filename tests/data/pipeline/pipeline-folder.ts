// A folder with sources for pipeline tests, and what a build made of them.

import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Random } from '../../../src/base/random.ts';
import { buildPipeline, type BuildOptions } from '../../../src/data/pipeline/build.ts';
import { pipelineSpec, type PipelineSpec } from '../../../src/data/pipeline/spec.ts';
import type { Corpus } from '../../../src/data/corpus.ts';

/** Text of its own for each name: no two are alike. */
export function prose(name: string, words = 200): string {
  const random = new Random(1, name), word = (): string => Array.from({ length: 3 + random.int(6) }, () => String.fromCharCode(97 + random.int(26))).join('');
  return `${Array.from({ length: words }, (_, i) => word() + (i % 12 === 11 ? '.\n' : '')).join(' ')}\n`;
}

export class PipelineFolder {
  readonly dir = mkdtempSync(join(tmpdir(), 'athanor-pipeline-'));

  write(entries: Readonly<Record<string, string | Buffer>>): void {
    for (const [path, text] of Object.entries(entries)) {
      mkdirSync(dirname(join(this.dir, path)), { recursive: true });
      writeFileSync(join(this.dir, path), text);
    }
  }

  spec(section: Partial<Parameters<typeof pipelineSpec>[0]> = {}, seed = 1): PipelineSpec {
    return pipelineSpec({ sources: [{ kind: 'files', name: 'source', path: join(this.dir, 'source') }], validationFraction: 0, split: 'auto', ...section }, seed);
  }

  build(spec: PipelineSpec, name = 'out', options: Partial<BuildOptions> = {}): Promise<Corpus> {
    return buildPipeline(spec, { dir: join(this.dir, name, 'corpus'), work: join(this.dir, name, 'work'), processes: 1, ...options }) as Promise<Corpus>;
  }

  /** Every file of a corpus, by name. */
  bytes(name: string): Record<string, string> {
    const dir = join(this.dir, name, 'corpus');
    return Object.fromEntries(readdirSync(dir).sort().map((file) => [file, readFileSync(join(dir, file), 'latin1')]));
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export const ids = (corpus: Corpus, side: 'train' | 'validation' = 'train'): string[] => [...corpus.documents(side)].map(({ id }) => id);
