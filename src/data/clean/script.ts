// Which script a character belongs to, by ranges of blocks. Layer: data (pure).
// Ranges are Unicode 16's Blocks.txt, cut down to letters of living scripts; a table of 64 Ki bytes makes a look-up one load.

/** ISO 15924 codes in the order of their numbers in {@link scriptTable}; 0 is no letter. */
export const SCRIPTS = [
  'Zyyy',
  'Latn',
  'Cyrl',
  'Grek',
  'Arab',
  'Hebr',
  'Deva',
  'Beng',
  'Guru',
  'Gujr',
  'Orya',
  'Taml',
  'Telu',
  'Knda',
  'Mlym',
  'Sinh',
  'Thai',
  'Laoo',
  'Tibt',
  'Mymr',
  'Geor',
  'Ethi',
  'Khmr',
  'Mong',
  'Armn',
  'Hang',
  'Kana',
  'Hani',
] as const;

/** First code unit, last, script. */
const RANGES: readonly (readonly [first: number, last: number, script: typeof SCRIPTS[number]])[] = [
  [0x41, 0x5a, 'Latn'],
  [0x61, 0x7a, 'Latn'],
  [0xaa, 0xaa, 'Latn'],
  [0xba, 0xba, 'Latn'],
  [0xc0, 0xd6, 'Latn'],
  [0xd8, 0xf6, 'Latn'],
  [0xf8, 0x2b8, 'Latn'],
  // Combining marks go with Latin: decomposed Vietnamese and Yoruba are letter and mark.
  [0x300, 0x36f, 'Latn'],
  [0x1e00, 0x1eff, 'Latn'],
  [0x370, 0x3ff, 'Grek'],
  [0x1f00, 0x1fff, 'Grek'],
  [0x400, 0x52f, 'Cyrl'],
  [0x531, 0x587, 'Armn'],
  [0x591, 0x5f4, 'Hebr'],
  [0x610, 0x65f, 'Arab'],
  [0x66e, 0x6ef, 'Arab'],
  [0x6fa, 0x6ff, 'Arab'],
  [0x750, 0x77f, 'Arab'],
  [0x8a0, 0x8ff, 'Arab'],
  [0xfb50, 0xfdff, 'Arab'],
  [0xfe70, 0xfefc, 'Arab'],
  [0x900, 0x963, 'Deva'],
  [0x971, 0x97f, 'Deva'],
  [0x980, 0x9e3, 'Beng'],
  [0x9f0, 0x9f1, 'Beng'],
  [0xa00, 0xa7f, 'Guru'],
  [0xa80, 0xaff, 'Gujr'],
  [0xb00, 0xb7f, 'Orya'],
  [0xb80, 0xbff, 'Taml'],
  [0xc00, 0xc7f, 'Telu'],
  [0xc80, 0xcff, 'Knda'],
  [0xd00, 0xd7f, 'Mlym'],
  [0xd80, 0xdff, 'Sinh'],
  [0xe01, 0xe4e, 'Thai'],
  [0xe80, 0xeff, 'Laoo'],
  [0xf00, 0xfff, 'Tibt'],
  [0x1000, 0x109f, 'Mymr'],
  [0x10a0, 0x10ff, 'Geor'],
  [0x1100, 0x11ff, 'Hang'],
  [0x1200, 0x139f, 'Ethi'],
  [0x1780, 0x17ff, 'Khmr'],
  [0x1820, 0x18aa, 'Mong'],
  [0x3005, 0x3007, 'Hani'],
  [0x3041, 0x309f, 'Kana'],
  [0x30a1, 0x30fa, 'Kana'],
  [0x30fc, 0x30ff, 'Kana'],
  [0x31f0, 0x31ff, 'Kana'],
  [0xff66, 0xff9f, 'Kana'],
  [0x3131, 0x318e, 'Hang'],
  [0xac00, 0xd7a3, 'Hang'],
  [0x3400, 0x4dbf, 'Hani'],
  [0x4e00, 0x9fff, 'Hani'],
  [0xf900, 0xfaff, 'Hani'],
  // High surrogates of planes 2 and 3: all that stands there are ideographs.
  [0xd840, 0xd884, 'Hani'],
];

/** A table made at first use and kept: the same for the life of the process. */
let table: Uint8Array | undefined;

/** For each UTF-16 unit the number of its script in {@link SCRIPTS}. */
export function scriptTable(): Uint8Array {
  if (table === undefined) {
    table = new Uint8Array(0x10000);
    for (const [first, last, script] of RANGES) table.fill(SCRIPTS.indexOf(script), first, last + 1);
  }
  return table;
}
