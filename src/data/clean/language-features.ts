// Features that languages of one script are told apart by: hashed letter trigrams and whole words. Layer: data (pure).
// The generator of the profiles (scripts/language-profiles.mjs) and the identifier share this file: what is counted is what
// is looked up. Four-grams were tried too: no gain on held-out paragraphs at the same size of table.

/** What FNV-1a multiplies by. */
const FNV_PRIME = 0x01000193;

/** Last steps of MurmurHash3: mixes all bits down to the low ones that are kept. */
function bucketOf(hash: number, mask: number): number {
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) & mask;
}

/**
 * Buckets of the trigrams (of each word between boundaries) and words of a text in one script.
 *
 * @param text in lower case
 * @param scripts for each UTF-16 unit its script
 * @param script whose letters count; all else ends a word
 * @param mask number of buckets (a power of two) less one
 * @param out buckets are written here; the text's length · 2 + 2 is always enough
 * @returns how many were written
 */
export function languageFeatures(out: Uint16Array, text: string, scripts: Uint8Array, script: number, mask: number): number {
  let before = 0, last = 1, word = 7, letters = 0, n = 0; // 1 stands for a word's boundary
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 32;
    if (scripts[code] === script) {
      if (letters > 0) out[n++] = bucketOf(Math.imul(Math.imul(before, FNV_PRIME) ^ last, FNV_PRIME) ^ (code + 3), mask);
      letters++;
      word = Math.imul(word ^ code, FNV_PRIME);
      before = last;
      last = code;
    } else {
      if (letters > 0) {
        out[n++] = bucketOf(Math.imul(Math.imul(before, FNV_PRIME) ^ last, FNV_PRIME) ^ 4, mask);
        out[n++] = bucketOf(word, mask);
      }
      before = 0;
      last = 1;
      word = 7;
      letters = 0;
    }
  }
  return n;
}
