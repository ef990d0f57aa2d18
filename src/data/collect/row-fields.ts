// Which fields of a row are its text and what is known of it. Layer: data (pure).

import type { Meta } from '../document.ts';
import type { ReadFileOptions } from './read-options.ts';

/** A row of JSONL, CSV or Parquet. */
export type Row = Readonly<Record<string, unknown>>;

/** Names that data sets give their text, most telling first. */
const TEXT_FIELDS = ['text', 'content', 'body', 'raw_content', 'markdown', 'article', 'document', 'passage', 'paragraph', 'code', 'sentence', 'message', 'story', 'contents', 'raw_text', '正文', '内容', '文本'];

/** What is kept, by the names that data sets use for it. */
const META_FIELDS: Readonly<Record<string, readonly string[]>> = {
  title: ['title', 'headline', '标题'],
  author: ['author', 'authors', 'byline', '作者'],
  date: ['date', 'published', 'publish_date', 'date_published', 'timestamp', 'created', 'created_at', '日期'],
  url: ['url', 'link', 'source_url', 'uri'],
  language: ['language', 'lang'],
  label: ['label'],
  id: ['id', 'doc_id'],
};
const LICENCE_FIELDS = ['license', 'licence', 'licenses'];

/** The columns that are the text, out of those that there are; undefined if none fits. */
export function textColumns(columns: readonly string[], options: ReadFileOptions): readonly string[] | undefined {
  if (options.text !== undefined) return options.text.every((name) => columns.includes(topOf(name, columns))) ? options.text : undefined;
  const found = TEXT_FIELDS.map((name) => columns.find((column) => column.trim().toLowerCase() === name)).find((name) => name !== undefined);
  return found !== undefined ? [found] : columns.length === 1 ? [columns[0]!] : undefined;
}

/** `meta.text` is the field `text` of `meta`, unless there is a column of that very name. */
const topOf = (name: string, columns: readonly string[]): string => (columns.includes(name) ? name : name.split('.')[0]!);

/** The columns that are read beside the text. */
export function keptColumns(columns: readonly string[], options: ReadFileOptions): string[] {
  const known = new Set([...Object.values(META_FIELDS).flat(), ...LICENCE_FIELDS]);
  return columns.filter((name) => known.has(name.toLowerCase()) || options.keep.includes(name));
}

/** Text, meta and licence of a row; undefined if its text is missing, empty or no text. */
export function fieldsOf(row: Row, options: ReadFileOptions, columns = textColumns(Object.keys(row), options)): { text: string; meta: Meta; licence?: string } | undefined {
  const texts = columns?.map((name) => textOf(valueAt(row, name)));
  if (texts === undefined || texts.some((text) => text === undefined)) return undefined;
  const text = texts.join('\n\n');
  if (text.trim() === '') return undefined;
  const lower = new Map(Object.keys(row).map((name) => [name.toLowerCase(), name])), meta: Record<string, string | number | boolean> = {};
  const first = (names: readonly string[]): string | number | boolean | undefined => {
    for (const name of names) {
      const own = lower.get(name), value = own === undefined || columns!.includes(own) ? undefined : flat(row[own]);
      if (value !== undefined) return value;
    }
    return undefined;
  };
  for (const [name, names] of Object.entries(META_FIELDS)) {
    const value = first(names);
    if (value !== undefined) meta[name] = value;
  }
  for (const name of options.keep) {
    const value = flat(valueAt(row, name));
    if (value !== undefined) meta[lowerCamel(name)] = value;
  }
  const licence = first(LICENCE_FIELDS);
  return { text, meta, ...(licence === undefined ? {} : { licence: String(licence) }) };
}

function valueAt(row: Row, name: string): unknown {
  if (Object.hasOwn(row, name)) return row[name];
  let value: unknown = row;
  for (const part of name.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, part)) return undefined;
    value = (value as Row)[part];
  }
  return value;
}

/** A string, or a list of strings as paragraphs. */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string') ? value.join('\n\n') : undefined;
}

/** Longest value in meta: more is text, not what is known of it. */
const MAX_META_CHARS = 2000;

function flat(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'string') return value === '' || value.length > MAX_META_CHARS ? undefined : value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? undefined : value.toISOString();
  return Array.isArray(value) && value.every((part) => typeof part === 'string') ? flat(value.join(', ')) : undefined;
}

const lowerCamel = (name: string): string => name.replace(/[^\p{L}\p{N}]+(.)?/gu, (_, next: string | undefined) => next?.toUpperCase() ?? '');
