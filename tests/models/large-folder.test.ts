// A folder of 1 GB: its first tensor is there at once, and reading all of it takes its size in memory, not twice that.
// The file is sparse, so that it is made at once and takes no disk.

import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { mapFile, NativeExecutor } from '../../src/backends/native/index.ts';
import { sizeOf } from '../../src/core/index.ts';
import { createModel, FAMILIES, loadModel } from '../../src/models/index.ts';
import { configText, weightName } from '../../src/models/family.ts';

const folder = mkdtempSync(join(tmpdir(), 'athanor-large-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const family = FAMILIES['llama']!, MODEL = createModel(family, { ...family.tiny, vocab_size: 1000, hidden_size: 1024, intermediate_size: 2816, num_hidden_layers: 20, num_attention_heads: 16, num_key_value_heads: 16, head_dim: 64, tie_word_embeddings: true } as typeof family.tiny);

/** The model's tensors as zeros, but for the first number of the first. */
function writeSparse(): number {
  const header: Record<string, object> = {};
  let end = 0;
  for (const { id, meta } of MODEL.states) {
    const begin = end, shape = meta.shape as number[];
    header[weightName(family, id)!.name] = { dtype: 'F32', shape, data_offsets: [begin, end += 4 * sizeOf(shape)] };
  }
  const unpadded = JSON.stringify(header), text = unpadded.padEnd(Math.ceil(unpadded.length / 8) * 8), file = openSync(join(folder, 'model.safetensors'), 'w');
  writeSync(file, Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(text.length)).buffer), Buffer.from(text), Buffer.from(Float32Array.of(1.5).buffer)]));
  ftruncateSync(file, 8 + text.length + end);
  closeSync(file);
  writeFileSync(join(folder, 'config.json'), configText(family, { model_type: 'llama', ...MODEL.config }));
  return end;
}

function isBuilt(): boolean {
  try {
    void NativeExecutor.open({ threads: 1 }).close();
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!isBuilt())('loadModel() of 1 GB, mapped (skipped without the native core)', () => {
  it('has the first tensor at once, and memory once', () => {
    const bytes = writeSparse(), resident = (): number => process.memoryUsage.rss();
    expect(bytes).toBeGreaterThan(1e9);
    expect(statSync(join(folder, 'model.safetensors')).blocks * 512).toBeLessThan(1e7);
    const before = resident(), began = performance.now();
    const loaded = loadModel(folder, { mapFile }), [first] = loaded.model.states;
    expect(loaded.read(first!)[0]).toBe(1.5);
    const ms = performance.now() - began, afterFirst = resident() - before;
    let sum = 0;
    for (const state of loaded.model.states) {
      const values = loaded.read(state);
      for (let i = 0; i < values.length; i += 16384) sum += values[i]!; // Linux maps 64 kB at a fault
    }
    const whole = resident() - before;
    console.log(`first tensor of ${(bytes / 1e9).toFixed(2)} GB: ${ms.toFixed(0)} ms, ${(afterFirst / 1e6).toFixed(0)} MB more resident; all: ${(whole / 1e6).toFixed(0)} MB`);
    expect(sum).toBe(1.5);
    expect(ms).toBeLessThan(5000); // 0.4 s beside eight other jobs on two cores
    expect(afterFirst).toBeLessThan(1e8); // the tensor has 4 MB
    expect(whole).toBeLessThan(1.2 * bytes);
    loaded.close();
  });
});
