// The readers of formats, and which of them a content gets. Layer: data.
// What the bytes say counts first, then what a server said, then the name; text that nobody claims is text.

import { detectEncoding } from '../../encoding.ts';
import type { Content } from '../content.ts';
import type { Reader } from '../reader.ts';
import { bzip2, gzip, zstd } from './compressed.ts';
import { csv } from './csv.ts';
import { docx } from './docx.ts';
import { epub } from './epub.ts';
import { html } from './html.ts';
import { jsonl } from './jsonl.ts';
import { parquet } from './parquet.ts';
import { pdf } from './pdf.ts';
import { tar } from './tar.ts';
import { text } from './text.ts';
import { warc } from './warc.ts';
import { wikipedia } from './wikipedia.ts';
import { zip } from './zip.ts';

/** Every format; the first that matches is taken. */
export const READERS: readonly Reader[] = [gzip, zstd, bzip2, parquet, pdf, epub, docx, zip, tar, warc, wikipedia, html, jsonl, csv, text];

/** The reader for a content; undefined if nobody knows it. */
export function readerFor({ head, name, type }: Content): Reader | undefined {
  const ending = /\.([^./\\]+)$/.exec(name)?.[1]?.toLowerCase() ?? '', media = type?.split(';')[0]!.trim().toLowerCase() ?? '';
  const named = READERS.find((reader) => reader.endings.includes(ending)), typed = media === '' ? undefined : READERS.find((reader) => reader.types?.includes(media));
  const matching = READERS.filter((reader) => reader.matches?.(head) === true);
  // A name or a server may tell two apart that begin alike: JSONL in a .txt stays text only if the name says so.
  const sure = matching.find((reader) => reader !== jsonl) ?? (typed === undefined && named === undefined ? matching[0] : undefined);
  if (sure !== undefined) return sure;
  const chosen = typed === undefined || typed === text ? named ?? typed : typed;
  if (chosen !== undefined && chosen.matches === undefined) return chosen;
  if (chosen === jsonl || chosen === html) return chosen;
  // A name whose bytes say otherwise: text may have any name, a damaged archive has its own.
  return detectEncoding(head) === 'binary' ? chosen : text;
}
