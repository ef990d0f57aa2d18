// A linear classifier on disk, and labelled texts to train it from. Layer: data (file access).
// The file: "ATHLIN01", length of the header (u32), the header (JSON: classes, features), bias and weights (f32, little
// endian), and the SHA-256 of all before it. Models are mostly zeros where few texts were seen; they are not compressed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { storageError, writeDurable } from '../../base/durable.ts';
import { FormatError } from '../../base/errors.ts';
import { LinearModel, type Example } from './linear-model.ts';

const MAGIC = 'ATHLIN01';
const HASH_BYTES = 32;
const headerSchema = z.strictObject({
  classes: z.array(z.string()).min(2),
  features: z.strictObject({ bits: z.int().min(1).max(26), wordGrams: z.int().min(1).max(8), letterGrams: z.tuple([z.int().min(0), z.int().min(0).max(16)]) }),
});

/** Writes a model, whole or not at all. @throws {StorageError} with a remedy */
export function saveLinearModel(path: string, model: LinearModel): void {
  const json = Buffer.from(JSON.stringify({ classes: model.classes, features: model.features })), length = Buffer.alloc(4);
  // The numbers begin at a multiple of four, so that they can be read in place.
  const header = Buffer.concat([json, Buffer.alloc((4 - json.length % 4) % 4, ' ')]);
  length.writeUInt32LE(header.length);
  const bytes = (array: Float32Array): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  const chunks = [Buffer.from(MAGIC), length, header, bytes(model.bias), bytes(model.weights)], hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  writeDurable(path, [...chunks, hash.digest()]);
}

/** Reads a model. @throws {FormatError} if it is none, is cut off, or was changed; {StorageError} if it cannot be read */
export function loadLinearModel(path: string): LinearModel {
  const file = readBytes(path), body = file.subarray(0, Math.max(0, file.length - HASH_BYTES));
  const fail = (what: string, offset: number): never => {
    throw new FormatError(`Cannot read the classifier "${path}": ${what}. Train it again, or get another copy.`, { path, offset });
  };
  if (file.toString('latin1', 0, MAGIC.length) !== MAGIC) fail(`it does not begin with ${MAGIC}`, 0);
  if (body.length < 12) fail('it is cut off', file.length);
  if (!createHash('sha256').update(body).digest().equals(file.subarray(body.length))) fail('it is cut off or was changed: its SHA-256 is another', body.length);
  const start = 12 + file.readUInt32LE(8);
  let header: z.infer<typeof headerSchema>;
  try {
    header = headerSchema.parse(JSON.parse(file.toString('utf8', 12, start)));
  } catch (cause) {
    throw new FormatError(`Cannot read the classifier "${path}": its header is not as agreed. Train it again.`, { path, offset: 12, cause });
  }
  const n = header.classes.length, count = n + 2 ** header.features.bits * n;
  if (body.length !== start + 4 * count) fail(`it holds ${body.length - start} bytes of weights instead of ${4 * count}`, start);
  const numbers = new Float32Array(new Uint8Array(body.subarray(start)).buffer);
  return new LinearModel(header.classes, header.features, numbers.slice(n), numbers.slice(0, n));
}

/**
 * Labelled texts out of JSONL: `{"text": …, "label": …}` a line.
 *
 * @throws {FormatError} with the offset of a line that is no such object
 */
export function readExamples(path: string, textField = 'text', labelField = 'label'): Example[] {
  const examples: Example[] = [], lines = readBytes(path).toString('utf8').split('\n');
  let offset = 0;
  for (const [i, line] of lines.entries()) {
    if (line.trim() !== '') {
      const row = parseRow(line), text = row?.[textField], label = row?.[labelField];
      if (typeof text !== 'string' || (typeof label !== 'string' && typeof label !== 'number' && typeof label !== 'boolean')) {
        throw new FormatError(`Cannot read examples from "${path}": line ${i + 1} is no JSON object with a text "${textField}" and a label "${labelField}".`, { path, offset });
      }
      examples.push({ text, label: String(label) });
    }
    offset += Buffer.byteLength(line) + 1;
  }
  return examples;
}

function parseRow(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const row: unknown = JSON.parse(line);
    return typeof row === 'object' && row !== null ? row as Record<string, unknown> : undefined;
  } catch {
    return undefined;
  }
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw storageError('read', path, cause);
  }
}
