// Types of tensors that are only read: the values that ggml gives them, and what is computed with instead.

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { bytesOf, isBlockFormat, sizeOf, toFloat16 } from '../../src/core/index.ts';
import { createModel, decodeWeights, FAMILIES, initialise, loadGguf, parseGguf, saveGguf, withWeightTypes, type WeightType } from '../../src/models/index.ts';
import { decodeForeign, FOREIGN, recodeForeign, type ForeignName } from '../../src/models/gguf-blocks.ts';
import { asBytes } from '../../src/models/weight-types.ts';

const GOLDEN = join(import.meta.dirname, '../golden/block-formats/foreign');
const BLOCKED = (Object.keys(FOREIGN) as ForeignName[]).filter((type) => FOREIGN[type].values > 1), RECODED = ['q5_0', 'iq4_nl', 'q3_k', 'iq4_xs'] as const;
const hashes = JSON.parse(readFileSync(join(GOLDEN, 'decoded.json'), 'utf8')) as Record<string, string>;
const golden = (type: ForeignName): Uint8Array => Uint8Array.from(readFileSync(join(GOLDEN, `${type}.bin`)));
const decode = (type: ForeignName, bytes: Uint8Array): Float32Array => decodeForeign(type, bytes, new Float32Array((bytes.length / FOREIGN[type].bytes) * FOREIGN[type].values));

const scratch = mkdtempSync(join(tmpdir(), 'athanor-gguf-blocks-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('decodeForeign()', () => {
  it.each(BLOCKED)("gives the bits of ggml's for %s", (type) => {
    expect(createHash('sha256').update(asBytes(decode(type, golden(type)))).digest('hex')).toBe(hashes[type]);
  });

  it('gives the nearest f32 of numbers that stand alone', () => {
    const cases = {
      i8: [Int8Array.of(-128, 127, -1), [-128, 127, -1]],
      i16: [Int16Array.of(-32768, 258), [-32768, 258]],
      i32: [Int32Array.of(-5, 16777217), [-5, 16777216]],
      i64: [BigInt64Array.of(-7n, 2n ** 40n), [-7, 2 ** 40]],
      f64: [Float64Array.of(0.1, -1e300), [Math.fround(0.1), -Infinity]],
    } as const;
    for (const [type, [stored, expected]] of Object.entries(cases)) expect([...decode(type as ForeignName, new Uint8Array(stored.buffer))], type).toEqual(expected);
  });
});

describe('recodeForeign()', () => {
  it.each(RECODED)('keeps the grid of %s', (type) => {
    const { computed } = FOREIGN[type], values = decode(type, golden(type)), blocks = recodeForeign(type, golden(type), bytesOf({ shape: [values.length], dtype: computed }))!;
    const back = decodeWeights(computed, blocks, new Float32Array(values.length));
    expect(isBlockFormat(computed)).toBe(true);
    const bound = type === 'iq4_xs' ? 2 ** -11 : 0; // steps are rounded to f16 there
    expect(values.findIndex((v, i) => !(Math.abs(back[i]! - v) <= Math.abs(v) * bound))).toBe(-1);
  });

  it('leaves to others what it cannot hold', () => {
    const block = golden('iq4_xs').slice(0, 136), large = toFloat16(60000);
    block.set([large & 255, large >> 8, 0, 0, 0, 0, 0, 0]); // times scales of −32
    expect(recodeForeign('iq4_xs', block, 272)).toBeUndefined();
    expect(recodeForeign('q2_k', golden('q2_k'), 24 * 512)).toBeUndefined();
  });
});

const MODEL = createModel(FAMILIES.llama!, { ...FAMILIES.llama!.tiny, hidden_size: 256, intermediate_size: 256, num_hidden_layers: 1, num_attention_heads: 4, num_key_value_heads: 2, head_dim: 64 } as never);

/** A file of the model whose matrices have another type, and the bytes of each: the golden blocks again and again. */
async function written(type: ForeignName): Promise<{ path: string; blocks: Map<string, Uint8Array> }> {
  const path = join(scratch, `${type}.gguf`), { code, values, bytes } = FOREIGN[type];
  await saveGguf(path, { model: MODEL, read: (state) => initialise(state, 3), mixture: 'f32' });
  const file = readFileSync(path), { tensors } = parseGguf({ path, size: file.length, read: (out, at) => out.set(file.subarray(at, at + out.length)) });
  const blocks = new Map<string, Uint8Array>(), header = file.subarray(0, Math.min(...[...tensors.values()].map(({ begin }) => begin))), parts: Uint8Array[] = [header];
  let offset = 0;
  for (const { name, shape, begin, end } of tensors.values()) {
    const named = Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(name.length)).buffer), Buffer.from(name)]), place = header.indexOf(named) + named.length + 4 + 8 * shape.length;
    let data: Uint8Array = file.subarray(begin, end);
    if (shape.length === 2) {
      const all = golden(type), size = (sizeOf(shape) / values) * bytes;
      data = Uint8Array.from({ length: size }, (_, i) => all[i % all.length]!);
      blocks.set(name, data);
      header.writeUInt32LE(code, place);
    }
    header.writeBigUInt64LE(BigInt(offset), place + 4);
    const padding = (32 - (data.length % 32)) % 32;
    parts.push(data, new Uint8Array(padding));
    offset += data.length + padding;
  }
  writeFileSync(path, Buffer.concat(parts));
  return { path, blocks };
}

describe('loadGguf()', () => {
  it.each(BLOCKED)('reads matrices of %s, for computing in the nearest type', async (type) => {
    const { path, blocks } = await written(type), file = loadGguf(path), { computed } = FOREIGN[type] as { computed: WeightType };
    const typed = withWeightTypes(file.model, file.storedType).states.find(({ id }) => id.endsWith('.mlp.down.weight'))!, values = decode(type, blocks.get('blk.0.ffn_down.weight')!);
    expect(typed.meta.dtype).toBe(computed);
    expect(Buffer.compare(asBytes(file.read(typed)), asBytes(values))).toBe(0);
    const back = decodeWeights(computed, asBytes(file.readStored(typed)), new Float32Array(values.length)), bound = computed === 'bf16' ? 2 ** -8 : 2 ** -11;
    expect(values.findIndex((v, i) => !(Math.abs(back[i]! - v) <= Math.abs(v) * bound))).toBe(-1);
    file.close();
  });

  it('refuses rows that are no whole blocks, naming the tensor', async () => {
    const { path } = await written('q2_k'), file = readFileSync(path), at = file.indexOf('blk.0.ffn_down.weight') + 21 + 4;
    file.writeBigUInt64LE(255n, at);
    writeFileSync(path, file);
    expect(() => loadGguf(path)).toThrow(/"blk.0.ffn_down.weight" has rows of 255 values, no multiple of the 256 in a block of q2_k/);
  });
});
