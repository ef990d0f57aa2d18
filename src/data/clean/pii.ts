// Personal data and secrets in a text: found, and masked. Layer: data (pure).
// What patterns and checksums can find. Names and street addresses need a model and are not looked for.

import { z } from 'zod';
import { utf8Bytes } from '../document.ts';
import type { Edit } from '../stage.ts';
import { findEmails, findIbans, findNetworkAddresses, findPapers } from './pii-addresses.ts';
import { PII_KINDS, type Found, type PiiKind } from './pii-kinds.ts';
import { findNumbers } from './pii-numbers.ts';
import { findSecrets } from './pii-secrets.ts';

export { PII_KINDS, type Found, type PiiKind } from './pii-kinds.ts';

export const piiOptions = z.strictObject({
  kinds: z.array(z.enum(PII_KINDS)).default([...PII_KINDS]).describe('what to look for'),
  style: z.enum(['tag', 'shape', 'remove']).default('tag').describe('`tag`: <EMAIL>; `shape`: letters to x, digits to 0; `remove`: nothing is left'),
  countries: z.array(z.string().length(2)).default(['US', 'CN', 'GB']).describe('ISO 3166 countries whose national telephone numbers count without a word beside them'),
  privateAddresses: z.boolean().default(false).describe('also IP addresses of private networks and this host'),
});
export type PiiOptions = z.infer<typeof piiOptions>;

/**
 * Personal data and secrets, in order and without overlap.
 *
 * @example
 * findPersonalData('Mail ann@example.com or ring +44 20 7946 0958'); // [{ kind: 'email', … }, { kind: 'phone', … }]
 */
export function findPersonalData(text: string, options: Partial<PiiOptions> = {}): Found[] {
  const { kinds, countries, privateAddresses } = { ...piiOptions.parse({}), ...options };
  const wanted = new Set<PiiKind>(kinds), found: Found[] = [];
  if (text.includes('@') || /[[({] ?at ?[\])}]/i.test(text)) found.push(...findEmails(text));
  found.push(...findSecrets(text));
  if (/\d/.test(text)) found.push(...findNumbers(text, countries), ...findNetworkAddresses(text, privateAddresses), ...findIbans(text), ...findPapers(text));
  else if (text.includes('::')) found.push(...findNetworkAddresses(text, privateAddresses));
  return withoutOverlap(found.filter(({ kind, start, end }) => wanted.has(kind) && end > start));
}

/** Where two overlap, the kind that comes first in {@link PII_KINDS} stays, of one kind the longer. */
function withoutOverlap(found: readonly Found[]): Found[] {
  const ranked = [...found].sort((a, b) => PII_KINDS.indexOf(a.kind) - PII_KINDS.indexOf(b.kind) || b.end - b.start - (a.end - a.start) || a.start - b.start);
  const kept: Found[] = [];
  for (const one of ranked.sort((a, b) => a.start - b.start || PII_KINDS.indexOf(a.kind) - PII_KINDS.indexOf(b.kind) || b.end - a.end)) {
    const last = kept.at(-1);
    if (last === undefined || one.start >= last.end) kept.push(one);
    else if (PII_KINDS.indexOf(one.kind) < PII_KINDS.indexOf(last.kind)) kept[kept.length - 1] = one;
  }
  return kept;
}

/** The text with what was found in the given style. */
export function maskPersonalData(text: string, found: readonly Found[], style: PiiOptions['style'] = 'tag'): string {
  let masked = '', at = 0;
  for (const { kind, start, end } of found) {
    masked += text.slice(at, start) + (style === 'tag' ? `<${kind.toUpperCase()}>` : style === 'remove' ? '' : shapeOf(text.slice(start, end)));
    at = end;
  }
  return masked + text.slice(at);
}

/** Length, case and punctuation stay; letters and digits do not. */
function shapeOf(text: string): string {
  return text.replace(/\p{Lu}/gu, 'X').replace(/(?!X)\p{L}/gu, 'x').replace(/\p{N}/gu, '0');
}

/** Masks personal data and secrets, and counts `pii.KIND`. */
export const personalData: Edit<PiiOptions> = {
  name: 'personal-data',
  about: 'Masks e-mail addresses, telephone, identity and card numbers, IP addresses, keys and passwords.',
  options: piiOptions,
  edit: (options, context) => (document) => {
    const found = findPersonalData(document.text, options);
    if (found.length === 0) return undefined;
    const counts = new Map<PiiKind, number>();
    for (const { kind } of found) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [kind, count] of counts) context.count(`pii.${kind}`, count);
    const text = maskPersonalData(document.text, found, options.style);
    return { document: { ...document, text, bytes: utf8Bytes(text) }, detail: [...counts].map(([kind, count]) => `${kind} ${count}`).join(', ') };
  },
};
