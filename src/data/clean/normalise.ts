// The edit `normalise`: broken encoding repaired, one Unicode form, nothing invisible. Layer: data (pure).
// Forms are those of UAX #15; bidirectional controls can make text read otherwise than it runs (CVE-2021-42574), zero-width
// characters hide marks and split words. The joiners U+200C and U+200D stay between letters of scripts that spell with
// them (Persian, Indic), and U+200D in emoji.

import { z } from 'zod';
import { utf8Bytes } from '../document.ts';
import { repairText } from '../repair.ts';
import type { Edit } from '../stage.ts';

const options = z.strictObject({
  repair: z.boolean().default(true).describe('undo UTF-8 read as Windows-1252; line ends to \\n; control characters out'),
  form: z.enum(['NFC', 'NFKC', 'none']).default('NFC').describe('Unicode normal form; NFKC also folds ligatures, superscripts and widths'),
  bidi: z.boolean().default(true).describe('take out bidirectional controls (U+202A … U+202E, U+2066 … U+2069, U+200E, U+200F, U+061C)'),
  zeroWidth: z.boolean().default(true).describe('take out zero-width spaces and joiners that spell nothing, soft hyphens, tags, variation selectors of no emoji'),
  width: z.enum(['keep', 'ascii']).default('keep').describe('`ascii`: full-width letters and digits to ASCII; half-width kana to full'),
  spaces: z.boolean().default(true).describe('no-break and other spaces of Unicode to a space (not the ideographic one)'),
});
type Options = z.infer<typeof options>;

const BIDI = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SPACES = /[\u00a0\u1680\u2000-\u200a\u202f\u205f]/g;
// U+E0000 … U+E007F are tags: invisible ASCII, used to hide instructions in text.
const ZERO_WIDTH = /[\u00ad\u180e\u200b\u2060-\u2064\ufeff]|\udb40[\udc00-\udc7f]/g;
/** A joiner that no letter of a joining script or emoji stands before. */
const STRAY_JOINER = /(?<![\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u18af\p{Extended_Pictographic}\p{Emoji_Modifier}]|\ufe0f|\u200d)[\u200c\u200d]+/gu;
/** Nothing in the text is above ASCII: most steps have nothing to do. */
// oxlint-disable-next-line no-control-regex
const ASCII = /^[\0-\x7f]*$/;

/** Encoding repair and Unicode normalisation. */
export const normalise: Edit<Options> = {
  name: 'normalise',
  about: 'Repairs broken encodings and brings text into one Unicode form without invisible characters.',
  options,
  edit: (chosen, context) => (document) => {
    const { text, steps } = normaliseText(document.text, chosen);
    if (steps.length === 0) return undefined;
    for (const step of steps) context.count(`normalise.${step}`);
    return { document: { ...document, text, bytes: utf8Bytes(text) }, detail: steps.join(', ') };
  },
};

/** The text and which steps changed it. */
export function normaliseText(text: string, chosen: Options): { text: string; steps: string[] } {
  const steps: string[] = [];
  const step = (name: string, after: string): void => {
    if (after !== text) steps.push(name);
    text = after;
  };
  if (chosen.repair) step('repair', repairText(text, { carriageReturns: 0, controls: 0, mojibake: 0 }));
  if (ASCII.test(text)) return { text, steps };
  // A lone surrogate is no character: written as UTF-8 it would become U+FFFD, and the text would differ from its file.
  step('surrogates', text.toWellFormed());
  if (chosen.bidi) step('bidi', text.replace(BIDI, ''));
  if (chosen.zeroWidth) step('zero-width', withoutZeroWidth(text));
  if (chosen.spaces) step('spaces', text.replace(SPACES, ' '));
  if (chosen.width === 'ascii') step('width', foldWidth(text));
  if (chosen.form !== 'none') step(chosen.form, text.normalize(chosen.form));
  return { text, steps };
}

function withoutZeroWidth(text: string): string {
  const bare = text.replace(ZERO_WIDTH, '');
  return bare.includes('\u200c') || bare.includes('\u200d') ? bare.replace(STRAY_JOINER, '') : bare;
}

/** Full-width ASCII letters and digits (not punctuation: ，and ！are Chinese), and half-width kana through NFKC. */
function foldWidth(text: string): string {
  return text
    .replace(/[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]/g, (character) => String.fromCharCode(character.charCodeAt(0) - 0xfee0))
    .replace(/[\uff66-\uff9f]+/g, (kana) => kana.normalize('NFKC'));
}
