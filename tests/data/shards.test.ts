import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConfigError, FormatError, StorageError } from '../../src/base/errors.ts';
import { ShardWriter, type ShardOptions } from '../../src/data/shard-writer.ts';
import { TokenShards } from '../../src/data/token-shards.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'athanor-shards-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function write(documents: number[][], options: Partial<ShardOptions> = {}): void {
  const writer = new ShardWriter({ dir, vocabSize: 300, ...options });
  for (const document of documents) writer.add(document, document.length);
  writer.close();
}

function all(shards: TokenShards): number[] {
  const out = new Int32Array(shards.length);
  shards.read(out, 0, shards.length);
  return [...out];
}

const mapFile = (path: string): ArrayBuffer => {
  const bytes = readFileSync(path);
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
};

const shardFile = (): string => join(dir, readdirSync(dir).find((name) => name.endsWith('.bin'))!);

describe('ShardWriter and TokenShards', () => {
  for (const [name, vocabSize, shardTokens] of [['u16 in one file', 300, 1000], ['u32', 100_000, 1000], ['many files', 300, 3]] as const) {
    it(`read() gives back what add() took: ${name}`, () => {
      const documents = [[5, 6, 7], [299], [1, 2, 3, 4, 5, 6, 7, 8, 9]];
      write(documents, { vocabSize, shardTokens, endOfText: 0 });
      const expected = documents.flatMap((d) => [0, ...d]);
      for (const options of [{}, { mapFile }]) {
        const shards = TokenShards.open(dir, options);
        expect(all(shards)).toEqual(expected);
        expect(shards.documents).toBe(3);
        expect(shards.manifest.textBytes).toBe(13);
        const starts = new Int32Array(20);
        expect([...starts.subarray(0, shards.documentStarts(starts, 0, shards.length))]).toEqual([0, 4, 6]);
        expect([...starts.subarray(0, shards.documentStarts(starts, 3, 7))]).toEqual([1, 3]);
        expect([0, 1, 2].map((i) => shards.documentRange(i))).toEqual(
          [{ position: 0, length: 4 }, { position: 4, length: 2 }, { position: 6, length: 10 }],
        );
        shards.close();
        shards.close();
      }
    });
  }

  it('close() writes the same bytes for the same documents', () => {
    const files = (): Record<string, string> => Object.fromEntries(readdirSync(dir).map((name) => [name, readFileSync(join(dir, name), 'hex')]));
    write([[1, 2, 3], [4]], { endOfText: 9 });
    const first = files();
    write([[1, 2, 3], [4]], { endOfText: 9 });
    expect(files()).toEqual(first);
  });

  it('close() replaces an older build, which stays readable until then', () => {
    write([[1, 2, 3]]);
    const writer = new ShardWriter({ dir, vocabSize: 300, shardTokens: 2 });
    writer.add([7, 8, 9]);
    expect(all(TokenShards.open(dir))).toEqual([1, 2, 3]);
    writer.close();
    expect(all(TokenShards.open(dir))).toEqual([7, 8, 9]);
    expect(readdirSync(dir).length).toBe(3);
  });

  it('add() refuses ids outside the vocabulary and keeps nothing of that document', () => {
    const writer = new ShardWriter({ dir, vocabSize: 300 });
    writer.add([1]);
    expect(() => writer.add([2, 300])).toThrow(/300 is not an id of a vocabulary of 300/);
    expect(() => writer.add([-1])).toThrow(ConfigError);
    expect(writer.tokens).toBe(1);
    writer.close();
    expect(all(TokenShards.open(dir))).toEqual([1]);
  });

  it('close() without text is a ConfigError, not an empty folder', () => {
    const writer = new ShardWriter({ dir, vocabSize: 300 });
    writer.add([]);
    expect(() => writer.close()).toThrow(/there was no text/);
    expect(() => TokenShards.open(dir)).toThrow(StorageError);
  });

  it('the constructor refuses impossible sizes and hashes', () => {
    expect(() => new ShardWriter({ dir, vocabSize: 0 })).toThrow(ConfigError);
    expect(() => new ShardWriter({ dir, vocabSize: 10, endOfText: 10 })).toThrow(/end-of-text id/);
    expect(() => new ShardWriter({ dir, vocabSize: 10, shardTokens: 0.5 })).toThrow(ConfigError);
    expect(() => new ShardWriter({ dir, vocabSize: 10, tokenizerHash: 'abc' })).toThrow(/64 hexadecimal/);
  });

  it('open() names path and offset of a truncated, extended, damaged or foreign file', () => {
    const damage: [string, (path: string) => void, RegExp, number][] = [
      ['cut in the header', (p) => truncateSync(p, 60), /ends after 60 bytes/, 60],
      ['cut in the tokens', (p) => truncateSync(p, 131), /131 bytes, and its header promises/, 131],
      ['empty', (p) => truncateSync(p, 0), /ends after 0 bytes/, 0],
      ['longer', (p) => appendFileSync(p, 'x'), /its header promises/, 140],
      ['flipped bit in the content', (p) => flip(p, 129), /does not match its checksum/, 128],
      ['flipped bit in the header', (p) => flip(p, 17), /header is damaged/, 124],
      ['another file', (p) => writeFileSync(p, 'hello '.repeat(100)), /does not begin with "ATHSHARD"/, 0],
      ['a future version', (p) => flip(p, 8), /its version is/, 8],
    ];
    for (const [what, apply, message, offset] of damage) {
      write([[1, 2, 3, 4]]);
      const path = shardFile();
      apply(path);
      let error: unknown;
      try {
        TokenShards.open(dir);
      } catch (e) {
        error = e;
      }
      expect(error, what).toBeInstanceOf(FormatError);
      expect((error as FormatError).message, what).toMatch(message);
      expect((error as FormatError).path).toBe(path);
      expect((error as FormatError).offset, what).toBe(offset);
      rmSync(path);
    }
  });

  it('open() refuses a missing shard, a swapped shard and a bad manifest', () => {
    write([[1, 2, 3]]);
    const path = shardFile(), manifest = join(dir, 'shards.json'), text = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, text.replace(/"contentHash": "[0-9a-f]{4}/g, '"contentHash": "0000'));
    expect(() => TokenShards.open(dir)).toThrow(/not the file that shards.json lists/);
    writeFileSync(manifest, text.replace('"file": "', '"file": "../'));
    expect(() => TokenShards.open(dir)).toThrow(/does not list its shards/);
    writeFileSync(manifest, text.replace('"tokens": 3', '"tokens": 4'));
    expect(() => TokenShards.open(dir)).toThrow(/promises 4 tokens, and the shards hold 3/);
    writeFileSync(manifest, '{');
    expect(() => TokenShards.open(dir)).toThrow(/not valid JSON/);
    writeFileSync(manifest, 'null');
    expect(() => TokenShards.open(dir)).toThrow(FormatError);
    writeFileSync(manifest, text);
    rmSync(path);
    expect(() => TokenShards.open(dir)).toThrow(StorageError);
  });

  it('read() outside the sequence or after close() is a ConfigError', () => {
    write([[1, 2, 3]]);
    const shards = TokenShards.open(dir), out = new Int32Array(8);
    expect(() => shards.read(out, 1, 3)).toThrow(/the sequence has 3/);
    expect(() => shards.read(out, -1, 1)).toThrow(ConfigError);
    expect(() => shards.documentRange(1)).toThrow(/Cannot find document 1/);
    shards.close();
    expect(() => shards.read(out, 0, 1)).toThrow(/closed/);
  });
});

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path);
  bytes[offset]! ^= 4;
  writeFileSync(path, bytes);
}
