// The formats of strings, each as an expression of texts that surely have it (not of all that do). Layer: engine (pure).
// Source: JSON Schema validation 2020-12, section 7.3, and the RFCs that it names.

import type { Dfa } from './dfa.ts';
import { regexDfa } from './regex.ts';

const DATE = String.raw`[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))`;
const TIME = String.raw`([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`;
const LABEL = '[a-z0-9]([a-z0-9]|[a-z0-9-]{0,20}[a-z0-9])?';
/** Without "--", which international names give a meaning. */
const HOST = String.raw`[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}(\.[a-z][a-z0-9]{0,19}(-[a-z0-9]{1,20}){0,2}){0,3}`;
const BYTE = '(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `${BYTE}(\\.${BYTE}){3}`;
const HEX = '[0-9a-fA-F]{1,4}';
const PATH = String.raw`(/[A-Za-z0-9._~-]+)*/?`;
const QUERY = String.raw`(\?[A-Za-z0-9._~-]+=[A-Za-z0-9._~-]*(&[A-Za-z0-9._~-]+=[A-Za-z0-9._~-]*)*)?`;
const URI = String.raw`https?://[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}(\.[a-z0-9]{1,20}){0,3}\.[a-z]{2,10}(:[1-9][0-9]{0,3})?${PATH}${QUERY}(#[A-Za-z0-9._~-]*)?`;
const EMAIL = String.raw`[A-Za-z0-9_]+([.+-][A-Za-z0-9_]+)*@${LABEL}(\.${LABEL}){0,2}\.[a-z]{2,10}`;

const FORMATS: Readonly<Record<string, string>> = {
  date: DATE,
  time: TIME,
  'iso-time': TIME,
  'date-time': `${DATE}T${TIME}`,
  'iso-date-time': `${DATE}T${TIME}`,
  duration: 'P([1-9][0-9]{0,3}W|[1-9][0-9]{0,3}D(T[1-9][0-9]{0,3}[HMS])?|[1-9][0-9]{0,3}Y([1-9][0-9]{0,3}M)?|T[1-9][0-9]{0,3}H([1-9][0-9]{0,3}M([1-9][0-9]{0,3}S)?)?|T[1-9][0-9]{0,3}[MS])',
  email: EMAIL,
  'idn-email': EMAIL,
  hostname: HOST,
  'idn-hostname': HOST,
  ipv4: IPV4,
  ipv6: `(${HEX}:){7}${HEX}|(${HEX}:){1,5}(:${HEX}){1,2}|::(${HEX}(:${HEX}){0,5})?`,
  uri: URI,
  iri: URI,
  url: URI,
  'uri-reference': `${URI}|(/[A-Za-z0-9._~-]+)+`,
  'iri-reference': `${URI}|(/[A-Za-z0-9._~-]+)+`,
  'uri-template': String.raw`${URI}(\{[A-Za-z_][A-Za-z0-9_]*\})?`,
  uuid: '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  'json-pointer': '(/([^~/]|~0|~1)*)*',
  'json-pointer-uri-fragment': '#(/[A-Za-z0-9_-]*)*',
  'relative-json-pointer': '(0|[1-9][0-9]{0,3})(#|(/([^~/]|~0|~1)*)*)',
  regex: '[A-Za-z0-9 _]*',
  byte: '([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?',
};

/** Texts of a format; undefined for one that asks nothing of a string, or that nobody knows. */
export function formatDfa(format: string): Dfa | undefined {
  return Object.hasOwn(FORMATS, format) ? regexDfa(FORMATS[format]!) : undefined;
}
