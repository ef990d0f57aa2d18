// Byte-level spelling: how tokenizer.json writes tokens that are bytes, not text. Layer: tokenizer (pure).
// Printable bytes stand for themselves, the others for U+0100 upwards in order (a blank is Ġ, a line feed Ċ).
// Source: bytes_to_unicode in github.com/openai/gpt-2 src/encoder.py; the same in Hugging Face's ByteLevel.

/** Whether the byte, read as Latin-1, is written as itself. */
function standsForItself(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
}

/** The character that stands for each byte. */
export function byteCharacters(): string[] {
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(standsForItself(byte) ? byte : 0x100 + others++));
}

/** The byte that each character stands for. */
export function characterBytes(): Map<string, number> {
  return new Map(byteCharacters().map((character, byte) => [character, byte]));
}

/** The bytes that a byte-level token stands for; undefined if a character of it stands for none. */
export function bytesOfToken(token: string, bytes: ReadonlyMap<string, number>): Uint8Array | undefined {
  const out = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = bytes.get(token[i]!);
    if (byte === undefined) return undefined;
    out[i] = byte;
  }
  return out;
}
