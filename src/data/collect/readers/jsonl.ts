// JSON Lines: one object a line. Layer: data. See https://jsonlines.org.

import { decodedText, inLines, repaired } from '../decode.ts';
import type { Reader } from '../reader.ts';
import { fieldsOf, type Row } from '../row-fields.ts';

export const jsonl: Reader = {
  name: 'jsonl',
  about: 'JSON Lines, one object a line',
  endings: ['jsonl', 'ndjson', 'jsonlines'],
  types: ['application/jsonl', 'application/x-ndjson', 'application/x-jsonlines'],
  matches: (head) => {
    const end = head.indexOf(10);
    return head[0] === 0x7b && end > 0 && head[head[end + 1] === 13 ? end + 2 : end + 1] === 0x7b && rowOf(head.toString('utf8', 0, end)) !== undefined;
  },
  async *read(content, context) {
    const { file } = content;
    let record = -1;
    for await (const line of inLines(decodedText(content, context), context.budget.limits.recordBytes)) {
      record++;
      if (line === undefined) context.bad({ file, record }, 'too-large', `The line has more than ${context.budget.limits.recordBytes} characters.`);
      else if (line.trim() !== '') {
        const row = rowOf(line), fields = row === undefined ? undefined : fieldsOf(row, context.options);
        if (fields !== undefined) yield { file, record, ...fields, text: repaired(fields.text, context) };
        else if (row === undefined) context.bad({ file, record, bytes: line.length }, 'bad-row', `The line is no JSON object: ${line.slice(0, 80)}`);
        else context.bad({ file, record, bytes: line.length }, 'no-text', `No text in ${wanted(context.options.text)}; the fields are ${Object.keys(row).slice(0, 40).join(', ') || 'none'}.`);
      }
    }
  },
};

/** The fields that were looked for, in words. */
export const wanted = (names: readonly string[] | undefined): string => (names === undefined ? 'a field of a usual name (name one with "text")' : names.map((name) => `"${name}"`).join(', '));

function rowOf(line: string): Row | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Row) : undefined;
  } catch {
    return undefined;
  }
}
