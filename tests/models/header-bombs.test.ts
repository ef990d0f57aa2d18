// Headers that are made to take time or memory, each read by a process of its own whose peak is measured.

import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const scratch = mkdtempSync(join(tmpdir(), 'athanor-bombs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Eight megabytes: enough that a factor of memory shows beside the 64 MB that everything may take. */
const BYTES = 8_000_000;
const repeat = (piece: string): string => piece.repeat(Math.floor(BYTES / piece.length));
const many = (entry: (i: number) => string, each: number): string => `{${Array.from({ length: Math.floor(BYTES / each) }, (_, i) => entry(i)).join(',')}}`;

it.each<[string, string, 'refused' | 'read']>([
  ['nested arrays', `{"a":${repeat('[')}`, 'refused'],
  ['nested objects', `{"a":${repeat('{"a":')}`, 'refused'],
  ['empty objects', `{"a":[${repeat('{},')}{}]}`, 'refused'],
  ['empty arrays in a shape', `{"a":{"dtype":"F32","data_offsets":[0,0],"shape":[${repeat('[],')}[]]}}`, 'refused'],
  ['a shape of many ones', `{"a":{"dtype":"F32","data_offsets":[0,4],"shape":[${repeat('1,')}1]}}`, 'refused'],
  ['a long name', `{"${repeat('n')}":{}}`, 'refused'],
  ['a name of backslashes', `{"${repeat('\\\\')}":{}}`, 'refused'],
  ['a name that never ends', `{"${repeat('\\"')}`, 'refused'],
  ['a long number', `{"a":${repeat('9')}}`, 'refused'],
  ['many tensors', many((i) => `"t${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`, 58), 'read'],
  ['many tensors that share their bytes', many((i) => `"t${i}":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}`, 58), 'refused'],
  ['many metadata', `{"__metadata__":${many((i) => `"key${i}":""`, 13)}}`, 'refused'],
])('WeightFile stays within 2 s and the memory that a header may take for %s', (what, header, outcome) => {
  const path = join(scratch, `${what.replaceAll(' ', '-')}.safetensors`), bytes = Buffer.from(header), fd = openSync(path, 'w');
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  writeSync(fd, length);
  writeSync(fd, bytes);
  ftruncateSync(fd, 8 + bytes.length);
  closeSync(fd);
  const script = new URL('./open-child.mjs', import.meta.url).pathname;
  const result = JSON.parse(execFileSync(process.execPath, [script, path], { encoding: 'utf8' })) as { outcome: string; ms: number; bytes: number; offset?: number };
  expect(result.outcome).toBe(outcome === 'read' ? 'read' : 'FormatError');
  expect(result.ms).toBeLessThan(2000);
  // What is read keeps every tensor's name, shape and place, and V8's young generation takes 48 MB before it collects.
  expect(result.bytes).toBeLessThan(4 * bytes.length + (outcome === 'read' ? 128e6 : 64e6));
  if (outcome === 'refused') expect(result.offset).toBeGreaterThanOrEqual(0);
});
