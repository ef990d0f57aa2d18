// athanor data why. Layer: cli.

import { why, type Origin, type Why } from '../../data/index.ts';
import type { Command } from '../command.ts';

export const dataWhy: Command = {
  name: 'data why',
  about: 'Walks from a training token, or a document, back to the file that it is from: source, record, licence, hash, and each\nrule that changed or dropped it, with what the rule saw and its threshold.',
  arguments: [{ name: 'WHAT', about: "a document's id, or a position in the training tokens" }],
  options: { dir: { kind: 'text', value: 'DIR', about: 'the data folder (default: data)' } },
  examples: ['athanor data why 123456 --dir data/notes', 'athanor data why notes/2024/may.md --dir data/notes'],
  run: async (args, io) => {
    const [what] = args.words as [string], found = why(args.text('dir') ?? 'data', /^\d+$/.test(what) ? Number(what) : what);
    for (const one of found) io.result(one, describe(one));
  },
};

function describe(found: Why): string {
  const { document } = found, steps = (document.steps ?? []).map(([rule, detail]) => `  changed by ${rule}: ${detail}`);
  const lines = [
    found.kept ? `${document.id}: document ${found.line} of ${found.side}.jsonl` : `${document.id}: dropped`,
    `  from ${place(document.origin)}`,
    `  licence ${document.licence ?? 'unknown'}`,
    ...steps,
  ];
  if (!found.kept) return [...lines, `  dropped by ${found.document.rule}: ${found.document.detail} (${found.document.bytes} bytes)`].join('\n');
  const { tokens, document: { hash, meta } } = found;
  if (tokens !== undefined) lines.push(`  tokens ${tokens.position} … ${tokens.position + tokens.length - 1} in ${tokens.file}`);
  if (meta !== undefined) lines.push(`  known of it: ${JSON.stringify(meta)}`);
  return [...lines, `  hash ${hash}`].join('\n');
}

function place(origin: Origin | undefined): string {
  if (origin === undefined) return 'an unknown place';
  return `source "${origin.source}", ${origin.file}${origin.record === undefined ? '' : `, record ${origin.record}`}${origin.sha256 === undefined ? '' : ` (SHA-256 ${origin.sha256})`}`;
}
