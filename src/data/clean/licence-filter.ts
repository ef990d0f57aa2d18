// The rule `licence`: keeps documents whose licence allows it. Layer: data (pure).
// Licences are SPDX expressions (SPDX 2.3, annex D): with OR one allowed side is enough, with AND both must be.

import { z } from 'zod';
import type { Rule } from '../stage.ts';

/** Licences that ask for no more than a notice: those of The Stack's first list that are still given out (arXiv 2211.15533, appendix). */
export const PERMISSIVE_LICENCES: readonly string[] = [
  'MIT',
  'MIT-0',
  'MIT-Modern-Variant',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-2-Clause-Patent',
  'BSD-3-Clause',
  'BSD-3-Clause-Clear',
  '0BSD',
  'ISC',
  'Unlicense',
  'CC0-1.0',
  'CC-BY-3.0',
  'CC-BY-4.0',
  'WTFPL',
  'Zlib',
  'BSL-1.0',
  'Python-2.0',
  'PSF-2.0',
  'PostgreSQL',
  'NCSA',
  'X11',
  'UPL-1.0',
  'BlueOak-1.0.0',
  'Artistic-2.0',
  'AFL-3.0',
  'ECL-2.0',
  'MulanPSL-2.0',
  'Unicode-3.0',
  'Unicode-DFS-2016',
  'curl',
  'libpng-2.0',
  'NTP',
  'HPND',
  'FTL',
  'Ruby',
  'PHP-3.01',
  'W3C',
  'MS-PL',
];

const options = z.strictObject({
  allow: z.array(z.string()).default([...PERMISSIVE_LICENCES]).describe('SPDX identifiers to keep; `*` at the end stands for any rest (`BSD-*`)'),
  deny: z.array(z.string()).default([]).describe('SPDX identifiers to drop, whatever `allow` says'),
  unknown: z.enum(['keep', 'drop']).default('drop').describe('documents without a licence'),
});

/** Allow and deny lists over SPDX expressions. */
export const licenceFilter: Rule<z.infer<typeof options>> = {
  name: 'licence',
  about: 'Keeps documents under given licences (SPDX).',
  options,
  judge: ({ allow, deny, unknown }) => {
    const allowed = matcher(allow), denied = matcher(deny);
    return ({ licence }) => {
      if (licence === undefined || /^(NOASSERTION|NONE|UNLICENSED|unknown|)$/i.test(licence.trim())) return unknown === 'keep' ? undefined : 'the licence is not known';
      return new Expression(licence, (id) => !denied(id) && allowed(id)).isAllowed() ? undefined : `${licence.slice(0, 80)} is not allowed`;
    };
  },
};

/** Upper and lower case are one (SPDX 2.3, annex D.2), and `-only`, `-or-later`, `+` say nothing about whether it may be used. */
function matcher(patterns: readonly string[]): (id: string) => boolean {
  const plain = (id: string): string => id.toLowerCase().replace(/(-only|-or-later|\+)$/, '');
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('*')).map(plain));
  const prefixes = patterns.filter((pattern) => pattern.endsWith('*')).map((pattern) => pattern.slice(0, -1).toLowerCase());
  return (id) => exact.has(plain(id)) || prefixes.some((prefix) => id.toLowerCase().startsWith(prefix));
}

/** Nesting beyond which an expression is no licence but an attack. */
const MAX_DEPTH = 32;

/** Evaluates an SPDX expression; what cannot be read is not allowed. */
class Expression {
  readonly #tokens: readonly string[];
  readonly #test: (id: string) => boolean;
  #at = 0;
  #broken = false;

  constructor(text: string, test: (id: string) => boolean) {
    // npm's older `MIT/Apache-2.0` and `MIT, GPL-2.0` mean a choice.
    this.#tokens = text.replace(/[/,]/g, ' OR ').match(/[()]|[^\s()]+/g) ?? [];
    this.#test = test;
  }

  isAllowed(): boolean {
    const value = this.#any(0);
    return value && !this.#broken && this.#at === this.#tokens.length;
  }

  #any(depth: number): boolean {
    let value = this.#all(depth);
    while (this.#take('OR')) value = this.#all(depth) || value;
    return value;
  }

  #all(depth: number): boolean {
    let value = this.#one(depth);
    while (this.#take('AND')) value = this.#one(depth) && value;
    return value;
  }

  #one(depth: number): boolean {
    if (this.#take('(')) {
      if (depth >= MAX_DEPTH) return this.#break();
      const value = this.#any(depth + 1);
      return this.#take(')') ? value : this.#break();
    }
    const id = this.#tokens[this.#at];
    if (id === undefined || id === ')') return this.#break();
    this.#at++;
    if (this.#take('WITH')) this.#at++; // an exception only ever gives more freedom
    return this.#test(id);
  }

  /** Half an expression (`MIT OR`) might go on with anything. */
  #break(): false {
    this.#broken = true;
    return false;
  }

  #take(token: string): boolean {
    const found = this.#tokens[this.#at]?.toUpperCase() === token;
    if (found) this.#at++;
    return found;
  }
}
