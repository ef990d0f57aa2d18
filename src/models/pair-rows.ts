// The order of rows that llama.cpp's rotary operator wants. Layer: models.

/**
 * Rows of a head as llama.cpp's rotary operator wants them: it turns neighbouring channels, ours the two halves of a head.
 * Row (h, i, half) there is row (h, half, i) here (`permute` in convert_hf_to_gguf.py).
 *
 * @param bytes rows of equal size
 * @param toPairs the direction: from halves to pairs, or back
 */
export function pairRows(bytes: Uint8Array, nRows: number, nHeads: number, toPairs: boolean): Uint8Array {
  const size = bytes.length / nRows, headSize = nRows / nHeads, half = headSize / 2, out = new Uint8Array(bytes.length);
  for (let row = 0; row < nRows; row++) {
    const head = Math.floor(row / headSize), within = row % headSize, paired = headSize * head + 2 * (within % half) + Math.floor(within / half);
    const [from, to] = toPairs ? [row, paired] : [paired, row];
    out.set(bytes.subarray(from * size, (from + 1) * size), to * size);
  }
  return out;
}
