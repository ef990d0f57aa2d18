// Sentences with planted personal data and near misses in English and Chinese, for tests. It shares no code with the
// filters: check digits are computed by trying all until the published definition holds, in its own arithmetic.

export type Planted = { text: string; spans: { kind: string; start: number; end: number }[] };
type Item = { kind: string | undefined; value: string };
type Draw = { int(bound: number): number };

const digits = (draw: Draw, n: number): string => Array.from({ length: n }, () => draw.int(10)).join('');
const letters = (draw: Draw, n: number, from = 'abcdefghijkmnopqrstuvwxyz'): string => Array.from({ length: n }, () => from[draw.int(from.length)]!).join('');
const pick = <T>(draw: Draw, from: readonly T[]): T => from[draw.int(from.length)]!;
const two = (n: number): string => String(n).padStart(2, '0');

/** ISO/IEC 7812: alternate digits from the right count double, minus nine above nine. */
function luhnSum(number: string): number {
  return [...number].reverse().reduce((sum, d, i) => sum + (i % 2 ? [0, 2, 4, 6, 8, 1, 3, 5, 7, 9][+d]! : +d), 0) % 10;
}
const closeLuhn = (body: string): string => [...'0123456789'].map((d) => body + d).find((n) => luhnSum(n) === 0)!;
const breakLast = (value: string): string => value.slice(0, -1) + (+value.at(-1)! + 1) % 10;
const spaced = (value: string, sign: string): string => value.replace(/(\d{4})(?=\d)/g, `$1${sign}`);

/** GB 11643: Σ aᵢ · 2^(18-i) ≡ 1 (mod 11), the check digit's weight being 1 and X ten. */
function closeIdentity(body: string): string {
  const sum = [...body].reduce((total, d, i) => total + +d * 2 ** (17 - i) % 11, 0);
  return body + [...'0123456789X'].find((c, value) => (sum + value) % 11 === 1)!;
}
/** ISO 13616 with BigInt: letters as two digits, first four last, remainder 1 by 97. */
function closeIban(country: string, body: string): string {
  const number = (check: string): bigint => BigInt([...body, ...country, ...check].map((c) => (/\d/.test(c) ? c : c.charCodeAt(0) - 55)).join(''));
  return country + Array.from({ length: 97 }, (_, i) => two(i + 2)).find((check) => number(check) % 97n === 1n)! + body;
}
const birthday = (draw: Draw): string => `${1940 + draw.int(70)}${two(1 + draw.int(12))}${two(1 + draw.int(28))}`;
const identity = (draw: Draw): string => closeIdentity(pick(draw, ['110105', '310115', '440305', '510107', '330106', '420111']) + birthday(draw) + digits(draw, 3));
const card = (draw: Draw): string => closeLuhn(pick(draw, ['4' + digits(draw, 14), '5' + (1 + draw.int(5)) + digits(draw, 13), '622202' + digits(draw, 9), '622848' + digits(draw, 12), '37' + digits(draw, 12)]));
const secret = (draw: Draw, n: number): string => letters(draw, n - 2, 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789') + '7q';
const mobile = (draw: Draw): string => '1' + pick(draw, ['38', '59', '86', '77', '99']) + digits(draw, 8);
const octet = (draw: Draw): number => 20 + draw.int(80);

/** Kinds that are planted, each with a way to write it. */
const PLANTS: readonly ((draw: Draw) => Item)[] = [
  (draw) => ({ kind: 'email', value: `${letters(draw, 6)}${pick(draw, ['.', '_', '+', ''])}${letters(draw, 4)}${draw.int(99)}@${letters(draw, 7)}.${pick(draw, ['com', 'org', 'com.cn', 'co.uk', 'io'])}` }),
  (draw) => ({ kind: 'card', value: pick(draw, [(c: string) => c, (c: string) => (c.length === 16 ? spaced(c, ' ') : c), (c: string) => (c.length === 16 ? spaced(c, '-') : c)])(card(draw)) }),
  (draw) => ({ kind: 'identity', value: identity(draw) }),
  (draw) => ({ kind: 'iban', value: pick(draw, [closeIban('DE', digits(draw, 18)), closeIban('GB', letters(draw, 4, 'ABCDEFGH') + digits(draw, 14)), closeIban('FR', digits(draw, 23))]) }),
  (draw) => ({ kind: 'ssn', value: `${100 + draw.int(500)}-${10 + draw.int(89)}-${1000 + draw.int(8999)}` }),
  (draw) => ({ kind: 'phone', value: pick(draw, [mobile(draw), mobile(draw).replace(/(...)(....)/, '$1-$2-'), `+86 ${mobile(draw)}`, `0${pick(draw, ['10', '21', '755'])}-${2 + draw.int(7)}${digits(draw, 7)}`.replace(/(0755-\d{8})/, '$1')]) }),
  (draw) => ({ kind: 'phone', value: pick(draw, [`(${pick(draw, ['212', '415', '617'])}) ${300 + draw.int(600)}-${digits(draw, 4)}`, `+44 20 7946 0${digits(draw, 3)}`, `${pick(draw, ['646', '503'])}-${300 + draw.int(600)}-${digits(draw, 4)}`, `+49 30 ${2 + draw.int(7)}${digits(draw, 6)}`]) }),
  (draw) => ({ kind: 'ip', value: pick(draw, [`${octet(draw)}.${octet(draw)}.${octet(draw)}.${octet(draw)}`, `2001:4860:${digits(draw, 4)}::${1 + draw.int(9)}${digits(draw, 3)}`]) }),
  (draw) => ({ kind: 'mac', value: Array.from({ length: 6 }, () => (17 + draw.int(238)).toString(16).padStart(2, '0')).join(pick(draw, [':', '-'])) }),
  (draw) => ({ kind: 'key', value: pick(draw, [`AKIA${letters(draw, 14, 'ABCDEFGHIJKLMNOP')}37`, `ghp_${secret(draw, 36)}`, `xoxb-${digits(draw, 11)}-${secret(draw, 24)}`, `eyJhbGciOiJIUzI1NiJ9.eyJ${secret(draw, 30)}.${secret(draw, 43)}`]) }),
  (draw) => ({ kind: 'plate', value: `${pick(draw, ['京', '沪', '粤', '川'])}${letters(draw, 1, 'ABCDEFGH')}·${letters(draw, 1, 'ABCDEFGH')}${digits(draw, 4)}` }),
];

/** What looks like personal data and is not: wrong checks, impossible parts, numbers of things. */
const NEAR_MISSES: readonly ((draw: Draw) => Item)[] = [
  (draw) => ({ kind: undefined, value: breakLast(card(draw)) }),
  (draw) => ({ kind: undefined, value: spaced(breakLast(closeLuhn('4' + digits(draw, 14))), ' ') }),
  (draw) => {
    const right = identity(draw);
    return { kind: undefined, value: right.slice(0, 17) + (right.endsWith('3') ? '5' : '3') };
  },
  (draw) => ({ kind: undefined, value: closeIdentity(`11010519${10 + draw.int(89)}13${two(1 + draw.int(28))}${digits(draw, 3)}`) }),
  (draw) => {
    const right = closeIban('DE', digits(draw, 18));
    return { kind: undefined, value: breakLast(right) };
  },
  (draw) => ({ kind: undefined, value: `${pick(draw, ['000', '666', '9' + digits(draw, 2)])}-${10 + draw.int(89)}-${1000 + draw.int(8999)}` }),
  (draw) => ({ kind: undefined, value: `${octet(draw)}.${octet(draw)}.${256 + draw.int(600)}.${octet(draw)}` }),
  (draw) => ({ kind: undefined, value: `v${draw.int(9)}.${draw.int(20)}.${draw.int(20)}.${draw.int(20)}` }),
  (draw) => ({ kind: undefined, value: `20${10 + draw.int(15)}-${two(1 + draw.int(12))}-${two(1 + draw.int(28))} ${two(draw.int(24))}:${two(draw.int(60))}:${two(draw.int(60))}` }),
  (draw) => ({ kind: undefined, value: `icon-${letters(draw, 5)}@2x.png` }),
  (draw) => ({ kind: undefined, value: `@${letters(draw, 6)}/${letters(draw, 5)}` }),
  (draw) => ({ kind: undefined, value: `12${mobile(draw)}` }),
  (draw) => ({ kind: undefined, value: `$${1 + draw.int(9)},${digits(draw, 3)},${digits(draw, 3)}.${digits(draw, 2)}` }),
  (draw) => ({ kind: undefined, value: `3.1415926${digits(draw, 8)}` }),
  (draw) => ({ kind: undefined, value: letters(draw, 40, '0123456789abcdef') }),
  (draw) => ({ kind: undefined, value: `978-7-${digits(draw, 3)}-${digits(draw, 5)}-${draw.int(10)}` }),
  (draw) => ({ kind: undefined, value: `${letters(draw, 6)}::${letters(draw, 5)}` }),
  () => ({ kind: undefined, value: 'password: required' }),
  () => ({ kind: undefined, value: 'token = process.env.API_TOKEN_2024' }),
];

const FRAMES: readonly (readonly [before: string, after: string])[] = [
  ['Please note ', ' for the record.'],
  ['We were given ', ', which is all that we have.'],
  ['The form says: ', ''],
  ['Reference ', ' was found in the log'],
  ['(', ')'],
  ['请记下', '，以后会用到。'],
  ['他留下的是 ', ' 这一条。'],
  ['表格里写着：', '。'],
  ['日志中出现了“', '”，请核对'],
];

/** A sentence: two to four items in frames of both languages. */
export function plantSentence(draw: Draw): Planted {
  const spans: Planted['spans'] = [];
  let text = '';
  for (let n = 2 + draw.int(3); n > 0; n--) {
    const item = pick(draw, draw.int(2) === 0 ? NEAR_MISSES : PLANTS)(draw), [before, after] = pick(draw, FRAMES);
    text += before;
    if (item.kind !== undefined) spans.push({ kind: item.kind, start: text.length, end: text.length + item.value.length });
    text += item.value + after + pick(draw, ['\n', ' ', '\n\n']);
  }
  return { text, spans };
}
