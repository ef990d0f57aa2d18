// A hash of 128 bits of a part of a text. Layer: data (pure).
// Four lanes of MurmurHash3's 32-bit step (Appleby, public domain) with different seeds and multipliers, over UTF-16 units:
// a hash of node:crypto costs a microsecond to set up, which is more than a line takes here. Not against an adversary.

/** Writes the hash of text[from, to) into four words. */
export function hashSpan(text: string, from: number, to: number, out: Uint32Array): void {
  let a = 0x9e3779b1, b = 0x85ebca6b, c = 0xc2b2ae35, d = 0x27d4eb2f;
  for (let i = from; i < to; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0xcc9e2d51);
    b = Math.imul(b ^ (code + 0x7f4a), 0x1b873593);
    c = Math.imul(c ^ a ^ (a >>> 15), 0xab0e9789);
    d = Math.imul(d ^ b ^ (b >>> 13), 0x38b34ae5);
  }
  out[0] = finish(a ^ (to - from));
  out[1] = finish(b ^ out[0]);
  out[2] = finish(c ^ out[1]);
  out[3] = finish(d ^ out[2]);
}

function finish(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
