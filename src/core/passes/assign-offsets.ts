// assignOffsets: packs buffers with known lifetimes into one arena. Largest first, each at the lowest offset that is free
// during its life (Sekiyama et al. 2018, arXiv 1804.10001, best-fit heuristic; a few percent above the lower bound here).

/** Every buffer starts on a cache line, so that vectors do not straddle two. */
export const ALIGNMENT = 64;

interface Block {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
  offset: number;
}

/** Sets every block's offset. @returns bytes of the arena */
export function assignOffsets(blocks: readonly Block[]): number {
  const placed: Block[] = [];
  let arena = 0;
  const bySize = blocks.map((block, i) => ({ block, i })).sort((a, b) => b.block.bytes - a.block.bytes || a.i - b.i);
  for (const { block } of bySize) {
    if (block.bytes === 0) continue;
    const rivals = placed.filter((other) => other.first <= block.last && block.first <= other.last).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const rival of rivals) {
      if (offset + block.bytes <= rival.offset) break;
      offset = Math.max(offset, Math.ceil((rival.offset + rival.bytes) / ALIGNMENT) * ALIGNMENT);
    }
    block.offset = offset;
    placed.push(block);
    arena = Math.max(arena, offset + block.bytes);
  }
  return Math.ceil(arena / ALIGNMENT) * ALIGNMENT;
}
