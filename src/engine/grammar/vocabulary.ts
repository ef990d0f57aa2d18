// A vocabulary as a trie of bytes, in the order of a walk, so that a subtree is skipped by one jump. Layer: engine (pure).

/** What constraints know of a tokenizer. */
export interface Vocabulary {
  /** The bytes that a token writes; undefined for a special one, which no constraint allows. */
  bytesOf(id: number): Uint8Array | undefined;
  /** Ids are 0…size-1. */
  readonly size: number;
  /** Tokens that end an answer: allowed where it may end. */
  readonly stopIds: readonly number[];
}

/** Nodes in preorder; node 0 is the root. */
export type TokenTrie = {
  readonly byte: Uint8Array;
  /** The first node behind the subtree. */
  readonly end: Int32Array;
  readonly depth: Uint16Array;
  /** The node's tokens are tokens[first[n]…first[n+1]-1]. */
  readonly first: Int32Array;
  readonly tokens: Int32Array;
  /** Words of a mask. */
  readonly words: number;
  readonly maxDepth: number;
};

const tries = new WeakMap<Vocabulary, TokenTrie>(); // a memo: one trie for each vocabulary

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

/** The trie of a vocabulary, built at the first call. */
export function tokenTrie(vocabulary: Vocabulary): TokenTrie {
  const known = tries.get(vocabulary);
  if (known !== undefined) return known;
  const stops = new Set(vocabulary.stopIds), sorted: { id: number; bytes: Uint8Array }[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    const bytes = stops.has(id) ? undefined : vocabulary.bytesOf(id);
    if (bytes !== undefined && bytes.length > 0) sorted.push({ id, bytes });
  }
  sorted.sort((a, b) => compareBytes(a.bytes, b.bytes));
  const byte = [0], depth = [0], first = [0, 0], end: number[] = [], path = [0], tokens: number[] = [];
  let last: Uint8Array = new Uint8Array(0), maxDepth = 0;
  const close = (to: number): void => {
    while (path.length > to) end[path.pop()!] = byte.length;
  };
  for (const { id, bytes } of sorted) {
    let shared = 0;
    while (shared < last.length && shared < bytes.length && last[shared] === bytes[shared]) shared++;
    close(shared + 1);
    for (let i = shared; i < bytes.length; i++) {
      path.push(byte.length);
      byte.push(bytes[i]!);
      depth.push(i + 1);
      first.push(tokens.length);
    }
    tokens.push(id);
    first[byte.length] = tokens.length;
    maxDepth = Math.max(maxDepth, bytes.length);
    last = bytes;
  }
  close(0);
  const trie = {
    byte: Uint8Array.from(byte),
    end: Int32Array.from(end),
    depth: Uint16Array.from(depth),
    first: Int32Array.from(first),
    tokens: Int32Array.from(tokens),
    words: (vocabulary.size + 31) >>> 5,
    maxDepth,
  };
  tries.set(vocabulary, trie);
  return trie;
}
