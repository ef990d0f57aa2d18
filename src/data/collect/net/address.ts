// Which network addresses may be fetched from: public ones. Layer: data (pure).
// Ranges are those of the IANA special-purpose registries (RFC 6890 and after) and the addresses at which clouds answer
// with credentials. An IPv6 address that carries an IPv4 address is judged by that one too.

import { isIP } from 'node:net';

type Range = readonly [prefix: readonly number[], bits: number, what: string];

const IPV4: readonly Range[] = [
  [[0], 8, 'this network'],
  [[10], 8, 'private'],
  [[100, 64], 10, 'carrier-grade NAT'],
  [[127], 8, 'loopback'],
  [[169, 254], 16, 'link-local or metadata'],
  [[172, 16], 12, 'private'],
  [[192, 0, 0], 24, 'protocol assignments'],
  [[192, 0, 2], 24, 'documentation'],
  [[192, 88, 99], 24, '6to4 relay'],
  [[192, 168], 16, 'private'],
  [[198, 18], 15, 'benchmarks'],
  [[198, 51, 100], 24, 'documentation'],
  [[203, 0, 113], 24, 'documentation'],
  [[224], 4, 'multicast'],
  [[240], 4, 'reserved or broadcast'],
  [[168, 63, 129, 16], 32, 'metadata'], // Azure's, in public space
];

const IPV6: readonly Range[] = [
  [[0x20, 0x01, 0x0d, 0xb8], 32, 'documentation'],
  [[0x20, 0x01, 0, 0], 23, 'protocol assignments or Teredo'],
  [[0x3f, 0xff], 20, 'documentation'],
];

/** Where an IPv4 address stands in an IPv6 address: the prefix that says so, and the first of its four bytes. */
const EMBEDDED: readonly (readonly [prefix: readonly number[], at: number, what: string])[] = [
  [[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 12, 'IPv4-mapped'], // RFC 4291, 2.5.5.2
  [[0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0], 12, 'IPv4-translated'], // RFC 2765
  [[0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0], 12, 'NAT64'], // RFC 6052
  [[0x20, 0x02], 2, '6to4'], // RFC 3056
];

/**
 * Why an address is not for strangers' data, or undefined if it is public.
 *
 * @param address an IPv4 or IPv6 address in any textual form; anything else is refused
 */
export function whyNotPublic(address: string): string | undefined {
  const bytes = addressBytes(address);
  if (bytes === undefined) return 'no address';
  if (bytes.length === 4) return nameOf(bytes, IPV4);
  for (const [prefix, at, what] of EMBEDDED) {
    if (!prefix.every((byte, i) => bytes[i] === byte)) continue;
    const inner = nameOf(bytes.slice(at, at + 4), IPV4);
    return inner === undefined ? undefined : `${inner} (${what})`;
  }
  if (bytes.slice(0, 15).every((byte) => byte === 0)) return bytes[15] === 1 ? 'loopback' : bytes[15] === 0 ? 'unspecified' : 'reserved';
  if (bytes[0] === 0xff) return 'multicast';
  if ((bytes[0]! & 0xfe) === 0xfc) return 'private';
  if (bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) return 'link-local';
  if ((bytes[0]! & 0xe0) !== 0x20) return 'reserved'; // only 2000::/3 is assigned to the public network
  // ISATAP (RFC 5214): the interface's half ends in an IPv4 address.
  if ((bytes[8]! & 0xfd) === 0 && bytes[9] === 0 && bytes[10] === 0x5e && bytes[11] === 0xfe) {
    const inner = nameOf(bytes.slice(12), IPV4);
    if (inner !== undefined) return `${inner} (ISATAP)`;
  }
  return nameOf(bytes, IPV6);
}

function nameOf(bytes: readonly number[], ranges: readonly Range[]): string | undefined {
  return ranges.find(([prefix, bits]) => hasPrefix(bytes, prefix, bits))?.[2];
}

function hasPrefix(bytes: readonly number[], prefix: readonly number[], bits: number): boolean {
  for (let i = 0; i * 8 < bits; i++) {
    const left = bits - i * 8, mask = left >= 8 ? 0xff : (0xff << (8 - left)) & 0xff;
    if (((bytes[i] ?? 0) & mask) !== ((prefix[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** The bytes of an address: 4 or 16; undefined if the text is none. A zone (`%eth0`) is no part of a public address. */
export function addressBytes(text: string): number[] | undefined {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text, version = isIP(bare);
  if (version === 4) return bare.split('.').map(Number);
  if (version !== 6 || bare.includes('%')) return undefined;
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(bare);
  const plain = dotted === null ? bare : `${dotted[1]}${hex(dotted[2]!, dotted[3]!)}:${hex(dotted[4]!, dotted[5]!)}`;
  const [head = '', tail] = plain.split('::'), left = groups(head), right = tail === undefined ? [] : groups(tail);
  const middle = tail === undefined ? [] : new Array<number>(8 - left.length - right.length).fill(0);
  return [...left, ...middle, ...right].flatMap((group) => [group >> 8, group & 0xff]);
}

const hex = (a: string, b: string): string => ((Number(a) << 8) | Number(b)).toString(16);
const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));

/** What a user allows beyond the public network: names (`localhost`), addresses, and ranges (`10.0.0.0/8`). */
export class AllowedHosts {
  readonly #names = new Set<string>();
  readonly #ranges: { bytes: number[]; bits: number }[] = [];

  constructor(entries: readonly string[]) {
    for (const entry of entries) {
      const [text = '', length] = entry.split('/'), bytes = addressBytes(text);
      if (bytes === undefined) this.#names.add(entry.toLowerCase());
      else this.#ranges.push({ bytes, bits: length === undefined ? bytes.length * 8 : Number(length) });
    }
  }

  hasName(host: string): boolean {
    return this.#names.has(host.toLowerCase());
  }

  hasAddress(address: string): boolean {
    const bytes = addressBytes(address);
    return bytes !== undefined && this.#ranges.some((range) => range.bytes.length === bytes.length && hasPrefix(bytes, range.bytes, range.bits));
  }
}
