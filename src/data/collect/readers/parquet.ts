// Parquet: the columns that are wanted, row group by row group. Layer: data.
// See https://parquet.apache.org/docs/file-format/.

import { parquetMetadataAsync, parquetReadObjects, type AsyncBuffer, type FileMetaData, type RowGroup } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { FormatError } from '../../../base/errors.ts';
import type { Content, RandomAccess } from '../content.ts';
import { repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import type { Found, ReadContext, Reader } from '../reader.ts';
import { fieldsOf, keptColumns, textColumns, type Row } from '../row-fields.ts';
import { wanted } from './jsonl.ts';

/** Decoded columns of a row group; writers make groups of 128 MiB to 1 GiB. */
const MAX_GROUP_BYTES = 2 ** 32;
/** A footer of more says that it is not one: a million columns take less. */
const MAX_FOOTER_BYTES = 2 ** 28;

export const parquet: Reader = {
  name: 'parquet',
  about: 'Parquet, all its compressions',
  endings: ['parquet', 'pq'],
  types: ['application/vnd.apache.parquet'],
  matches: (head) => head.toString('latin1', 0, 4) === 'PAR1',
  read: readParquet,
};

async function* readParquet(content: Content, context: ReadContext): AsyncGenerator<Found> {
  const { file } = content, access = await content.random(context.budget.limits.heldBytes), buffer = asyncBuffer(access);
  await checkFooter(access);
  const metadata = await parquetMetadataAsync(buffer), names = topColumns(metadata), columns = textColumns(names, context.options);
  if (columns === undefined) throw new FormatError(`No column for the text: ${wanted(context.options.text)} is not among ${names.slice(0, 60).join(', ')}.`, { path: file, offset: 0 });
  const tops = columns.map((name) => (names.includes(name) ? name : name.split('.')[0]!)), read = [...new Set([...tops, ...keptColumns(names, context.options)])];
  let record = 0;
  for (const group of metadata.row_groups) {
    const rows = Number(group.num_rows), first = record;
    checkGroup(group, read, access.byteLength);
    context.budget.expand(decodedBytes(group, read));
    record += rows;
    const found = await parquetReadObjects({ file: buffer, metadata, columns: read, compressors, rowStart: first, rowEnd: first + rows });
    for (const [i, row] of (found as Row[]).entries()) {
      const fields = fieldsOf(row, context.options, columns);
      if (fields !== undefined) yield { file, record: first + i, ...fields, text: repaired(fields.text, context) };
      else context.bad({ file, record: first + i }, 'no-text', `Nothing in ${wanted(columns)}.`);
    }
    if (found.length < rows) throw new RefusedError('damaged', `Rows ${first} to ${first + rows} should be there, and ${found.length} are.`);
  }
}

function asyncBuffer(access: RandomAccess): AsyncBuffer {
  return {
    byteLength: access.byteLength,
    slice: async (start, end) => {
      const bytes = await access.slice(start < 0 ? access.byteLength + start : start, end ?? access.byteLength);
      return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
    },
  };
}

/** The last eight bytes: the footer's length and the mark. Checked here so that no length is believed. */
async function checkFooter(access: RandomAccess): Promise<void> {
  const size = access.byteLength;
  if (size < 12) throw new RefusedError('truncated', `It has ${size} bytes, and a Parquet file at least 12.`);
  const tail = await access.slice(size - 8, size), length = tail.readUInt32LE(0);
  if (tail.toString('latin1', 4) !== 'PAR1') throw new RefusedError('truncated', 'It does not end in the mark of a Parquet file.');
  if (length > size - 12 || length > MAX_FOOTER_BYTES) throw new RefusedError('damaged', `Its footer should have ${length} bytes, in a file of ${size}.`);
}

/** Names of the columns of the first level. */
function topColumns({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  let at = 1;
  const pass = (): void => {
    for (let left = schema[at++]?.num_children ?? 0; left > 0 && at < schema.length; left--) pass();
  };
  while (at < schema.length) {
    names.push(schema[at]!.name);
    pass();
  }
  return names;
}

const chunksOf = (group: RowGroup, read: readonly string[]): RowGroup['columns'] => group.columns.filter(({ meta_data }) => read.includes(meta_data?.path_in_schema[0] ?? ''));
const decodedBytes = (group: RowGroup, read: readonly string[]): number => chunksOf(group, read).reduce((sum, { meta_data }) => sum + Number(meta_data?.total_uncompressed_size ?? 0), 0);

/** Holds a row group to what can be true. @throws {RefusedError} */
function checkGroup(group: RowGroup, read: readonly string[], size: number): void {
  const rows = Number(group.num_rows), bytes = decodedBytes(group, read);
  if (!(rows >= 0 && rows <= 2 ** 31)) throw new RefusedError('damaged', `A row group of ${rows} rows.`);
  if (bytes > MAX_GROUP_BYTES) throw new RefusedError('too-large', `A row group of ${bytes} bytes, and ${MAX_GROUP_BYTES} is the most.`, { need: bytes, have: MAX_GROUP_BYTES });
  for (const { meta_data } of chunksOf(group, read)) {
    const compressed = Number(meta_data?.total_compressed_size ?? 0), start = Number(meta_data?.dictionary_page_offset ?? meta_data?.data_page_offset ?? 0);
    if (compressed < 0 || start < 0 || start + compressed > size) throw new RefusedError('truncated', `A column stands at bytes ${start} to ${start + compressed}, and there are ${size}.`);
    // Run lengths can make many values of few bytes, but a file of strings names each one.
    if (Number(meta_data?.num_values ?? 0) > 2 ** 28) throw new RefusedError('too-large', `A column of ${String(meta_data?.num_values)} values in one row group.`);
  }
}
