// Documents into rows with little padding: best fit decreasing. Layer: data (pure).
// Ding et al. 2024, "Fewer truncations improve language modeling" (arXiv 2404.10830, section 3): a document is cut only where
// it is longer than a row; the pieces, longest first, each go to the row in which they leave the least room.

/** Rows of pieces, in flat arrays: row r has pieces rows[r] … rows[r + 1] - 1. */
export type Packing = { readonly rows: Uint32Array; readonly positions: Float64Array; readonly lengths: Uint32Array };

/**
 * Packs documents. The result depends on nothing but the arguments.
 *
 * @param starts position of each document's first token, ascending
 * @param end position after the last token
 * @param capacity tokens of a row, T
 */
export function packBestFit(starts: ArrayLike<number>, end: number, capacity: number): Packing {
  const pieces = cutPieces(starts, end, capacity), count = pieces.lengths.length;
  const order = byLength(pieces.lengths, capacity), room = new Rooms(capacity), rowOf = new Uint32Array(count), used: number[] = [];
  for (const piece of order) {
    const length = pieces.lengths[piece]!, found = room.take(length), row = found ?? used.push(0) - 1;
    rowOf[piece] = row;
    used[row]! += length;
    room.give(row, capacity - used[row]!);
  }
  // Pieces of a row in the order of the text, by counting.
  const rows = new Uint32Array(used.length + 1);
  for (let i = 0; i < count; i++) rows[rowOf[i]! + 1]!++;
  for (let row = 0; row < used.length; row++) rows[row + 1]! += rows[row]!;
  const at = rows.slice(), positions = new Float64Array(count), lengths = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const to = at[rowOf[i]!]!++;
    positions[to] = pieces.positions[i]!;
    lengths[to] = pieces.lengths[i]!;
  }
  return { rows, positions, lengths };
}

function cutPieces(starts: ArrayLike<number>, end: number, capacity: number): { positions: number[]; lengths: number[] } {
  const positions: number[] = [], lengths: number[] = [];
  for (let i = 0; i < starts.length; i++) {
    const to = i + 1 < starts.length ? starts[i + 1]! : end;
    for (let from = starts[i]!; from < to; from += capacity) {
      positions.push(from);
      lengths.push(Math.min(capacity, to - from));
    }
  }
  return { positions, lengths };
}

/** Longest first, equal ones in their order: a counting sort. */
function byLength(lengths: readonly number[], capacity: number): Uint32Array {
  const counts = new Uint32Array(capacity + 2), order = new Uint32Array(lengths.length);
  for (const length of lengths) counts[capacity - length + 1]!++;
  for (let i = 0; i <= capacity; i++) counts[i + 1]! += counts[i]!;
  for (const [i, length] of lengths.entries()) order[counts[capacity - length]!++] = i;
  return order;
}

/** Rows by the room that they have left; a bit for each room that some row has, so that the next larger is found by words. */
class Rooms {
  readonly #rows: number[][];
  readonly #bits: Uint32Array;

  constructor(capacity: number) {
    this.#rows = Array.from({ length: capacity + 1 }, () => []);
    this.#bits = new Uint32Array((capacity >> 5) + 1);
  }

  give(row: number, room: number): void {
    if (room === 0) return;
    this.#rows[room]!.push(row);
    this.#bits[room >> 5]! |= 1 << (room & 31);
  }

  /** Takes out a row with the least room that is at least `length`. */
  take(length: number): number | undefined {
    for (let word = length >> 5; word < this.#bits.length; word++) {
      let bits = this.#bits[word]!;
      if (word === length >> 5) bits &= -1 << (length & 31);
      if (bits === 0) continue;
      const room = word * 32 + 31 - Math.clz32(bits & -bits), rows = this.#rows[room]!, row = rows.pop()!;
      if (rows.length === 0) this.#bits[word]! &= ~(1 << (room & 31));
      return row;
    }
    return undefined;
  }
}
