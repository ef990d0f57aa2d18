// CSV and TSV with a line of names. Layer: data. See RFC 4180; the delimiter is read from the first line.

import { parse } from 'csv-parse';
import { FormatError } from '../../../base/errors.ts';
import type { Content } from '../content.ts';
import { decodedText, repaired } from '../decode.ts';
import { RefusedError } from '../limits.ts';
import type { Found, ReadContext, Reader } from '../reader.ts';
import { fieldsOf, textColumns, type Row } from '../row-fields.ts';
import { wanted } from './jsonl.ts';

export const csv: Reader = {
  name: 'csv',
  about: 'tables with commas, semicolons or tabs, and a line of names',
  endings: ['csv', 'tsv', 'tab'],
  types: ['text/csv', 'text/tab-separated-values'],
  read: readTable,
};

async function* readTable(content: Content, context: ReadContext): AsyncGenerator<Found> {
  const { file } = content, most = context.budget.limits.recordBytes;
  let decoded = '', names: string[] | undefined, columns: readonly string[] | undefined, record = 0, bad = 0;
  const source = decodedText(content, context)[Symbol.asyncIterator]();
  while (!decoded.includes('\n') && decoded.length <= most) {
    const { value, done } = await source.next();
    if (done === true) break;
    decoded += value;
  }
  const parser = parse({
    bom: true,
    delimiter: /\.t(sv|ab)$/i.test(content.name) ? '\t' : delimiterOf(decoded.slice(0, decoded.indexOf('\n') >>> 0)),
    max_record_size: most,
    skip_empty_lines: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      bad++;
      record++;
      context.bad({ file, record: record - 1 }, 'bad-row', `${error?.message ?? 'It cannot be parsed'}.`);
    },
  });
  const fed = feed(parser, decoded, source);
  try {
    for await (const values of parser as AsyncIterable<string[]>) {
      if (names === undefined) {
        names = values.map((name, i) => name.trim() || `column${i + 1}`);
        columns = textColumns(names, context.options);
        if (columns === undefined) throw new FormatError(`No column for the text: ${wanted(context.options.text)} is not among ${names.slice(0, 60).join(', ')}.`, { path: file, offset: 0 });
        continue;
      }
      const row: Row = Object.fromEntries(values.map((value, i) => [names![i]!, value])), fields = fieldsOf(row, context.options, columns);
      if (fields !== undefined) yield { file, record, ...fields, text: repaired(fields.text, context) };
      else context.bad({ file, record }, 'no-text', `Nothing in ${wanted(columns)}.`);
      record++;
    }
    await fed;
  } finally {
    parser.destroy();
    await fed.catch(() => undefined);
  }
  if (names !== undefined && record === 0) throw new RefusedError('empty', 'It has a line of names and no rows.');
  if (names === undefined && bad === 0) throw new FormatError('It has no line of names.', { path: file, offset: 0 });
}

/** Gives the parser its text at the rate that it takes it. */
async function feed(parser: ReturnType<typeof parse>, first: string, source: AsyncIterator<string>): Promise<void> {
  try {
    for (let text = first;;) {
      if (parser.destroyed) return;
      if (text !== '' && !parser.write(text))
        await new Promise<void>((resolve) => {
          const go = (): void => {
            parser.off('drain', go).off('close', go);
            resolve();
          };
          parser.on('drain', go).on('close', go);
        });
      const { value, done } = await source.next();
      if (done === true) break;
      text = value;
    }
    parser.end();
  } catch (error) {
    parser.destroy(error as Error);
    throw error;
  }
}

/** The delimiter that the first line has most of outside quotes. */
function delimiterOf(line: string): string {
  const bare = line.replace(/"(?:[^"]|"")*"/g, '');
  let best = ',', most = 0;
  for (const delimiter of [',', '\t', ';', '|']) {
    const count = bare.split(delimiter).length;
    if (count > most) [best, most] = [delimiter, count];
  }
  return best;
}
