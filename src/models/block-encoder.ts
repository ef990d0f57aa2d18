// Blocks of weights made by an executor, on all its threads: the native core is some fifty times as fast as `encodeBlocks`,
// and gives the same bits. Layer: models (pure).

import type { Executor, ProgramHandle } from '../backends/executor.ts';
import { BLOCKS, checkScales, checkValues, compile, GraphBuilder, type QuantisedFormat, wholeBlocks } from '../core/index.ts';

/** Values as the bytes of a format, in ggml's order. @throws {NumericsError} (as a rejection) as `encodeBlocks` does */
export type EncodeBlocks = (format: QuantisedFormat, values: Float32Array) => Promise<Uint8Array>;

/** Values of one run: what the executor's copies of them cost in memory is bounded. */
const RUN_VALUES = 2 ** 20;

/**
 * An encoder that works on an executor. Programs are compiled when a format is first asked for; `close` forgets them.
 *
 * @example
 * const encoder = new BlockEncoder(executor);
 * const bytes = await encoder.encode('q4_k', weights); // weights.length is a multiple of 256
 */
export class BlockEncoder {
  readonly #executor: Executor;
  readonly #handles = new Map<QuantisedFormat, ProgramHandle>();

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  /**
   * @param values whole blocks
   * @throws {ShapeError} if they are not
   * @throws {NumericsError} for NaN and infinity, and for values so large that a scale passes f16 (65504)
   */
  async encode(format: QuantisedFormat, values: Float32Array): Promise<Uint8Array> {
    const blocks = wholeBlocks(format, values), block = BLOCKS[format], handle = this.#handleOf(format), most = RUN_VALUES / block.values;
    checkValues(format, values);
    const out = new Uint8Array(blocks * block.bytes);
    for (let from = 0; from < blocks; from += most) {
      const n = Math.min(most, blocks - from);
      const { bytes } = await this.#executor.run(handle, { values: values.subarray(from * block.values, (from + n) * block.values) }, { dims: { blocks: n } });
      out.set(bytes as Uint8Array, from * block.bytes);
    }
    return checkScales(format, out, blocks);
  }

  #handleOf(format: QuantisedFormat): ProgramHandle {
    const known = this.#handles.get(format);
    if (known !== undefined) return known;
    const b = new GraphBuilder(), { values } = BLOCKS[format];
    const x = b.input('values', { shape: [{ dim: 'blocks', max: RUN_VALUES / values }, values], dtype: 'f32' });
    const handle = this.#executor.load(compile(b.finish({ bytes: b.one('quantise', { format }, [x]) }), { target: this.#executor.target() }));
    this.#handles.set(format, handle);
    return handle;
  }

  close(): void {
    for (const handle of this.#handles.values()) this.#executor.unload(handle);
    this.#handles.clear();
  }
}
