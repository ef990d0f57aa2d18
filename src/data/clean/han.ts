// Simplified or traditional Chinese, or Japanese kanji, by the character sets that each was written in. Layer: data (pure).
// A character of GB 2312 that Big5 lacks is simplified, one of Big5's frequent half that GB 2312 lacks is traditional, one
// of JIS X 0208 that neither has is Japanese (働, 図). The decoders that every JavaScript engine has hold these tables.

const SIMPLIFIED = 1;
const TRADITIONAL = 2;
const JAPANESE = 3;

let kinds: Uint8Array | undefined;

/** How many characters of each kind a text has; most characters are shared and count in none. */
export type HanCounts = { simplified: number; traditional: number; japanese: number };

/** Counts the characters that only one of the three writes. */
export function countHan(text: string): HanCounts {
  kinds ??= hanKinds();
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < text.length; i++) counts[kinds[text.charCodeAt(i)]!]!++;
  return { simplified: counts[SIMPLIFIED]!, traditional: counts[TRADITIONAL]!, japanese: counts[JAPANESE]! };
}

function hanKinds(): Uint8Array {
  const gb = charactersOf('gbk', [0xb0, 0xf7], [[0xa1, 0xfe]]), big5 = charactersOf('big5', [0xa4, 0xf9], [[0x40, 0x7e], [0xa1, 0xfe]]);
  const big5Frequent = charactersOf('big5', [0xa4, 0xc6], [[0x40, 0x7e], [0xa1, 0xfe]]), jis = charactersOf('euc-jp', [0xb0, 0xf4], [[0xa1, 0xfe]]);
  const table = new Uint8Array(0x10000);
  for (const code of jis) if (!gb.has(code) && !big5.has(code)) table[code] = JAPANESE;
  for (const code of gb) if (!big5.has(code)) table[code] = SIMPLIFIED;
  for (const code of big5Frequent) if (!gb.has(code)) table[code] = TRADITIONAL;
  return table;
}

/** Ideographs among the two-byte codes of a legacy encoding. */
function charactersOf(encoding: string, leads: readonly [first: number, last: number], trails: readonly (readonly [first: number, last: number])[]): Set<number> {
  const decoder = new TextDecoder(encoding), found = new Set<number>(), pair = new Uint8Array(2);
  for (let lead = leads[0]; lead <= leads[1]; lead++) {
    for (const [first, last] of trails) {
      for (let trail = first; trail <= last; trail++) {
        pair[0] = lead;
        pair[1] = trail;
        const character = decoder.decode(pair), code = character.charCodeAt(0);
        if (character.length === 1 && code >= 0x4e00 && code < 0xa000) found.add(code);
      }
    }
  }
  return found;
}
