// Keys, tokens and passwords. Layer: data (pure).
// Forms of keys are those that their issuers publish so that scanners can find them; passwords are found by the words
// before them. A placeholder (`<password>`, `${TOKEN}`, `xxxx`) is no secret.

import type { Found } from './pii-kinds.ts';

const KEYS = new RegExp(
  [
    '(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z2-7]{16}', // AWS access key ids
    'gh[pousr]_[A-Za-z0-9]{36,255}',
    'github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}',
    'xox[abeoprs]-[A-Za-z0-9-]{10,250}',
    'xapp-\\d-[A-Za-z0-9-]{20,}',
    'sk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{20,200}',
    '[rs]k_(?:live|test)_[A-Za-z0-9]{16,99}', // model providers; Stripe
    'AIza[A-Za-z0-9_-]{35}',
    'ya29\\.[A-Za-z0-9_-]{20,}', // Google
    'glpat-[A-Za-z0-9_-]{20}',
    'npm_[A-Za-z0-9]{36}',
    'hf_[A-Za-z0-9]{34}',
    'pypi-AgEI[A-Za-z0-9_-]{50,}',
    'SG\\.[A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{43}',
    'LTAI[A-Za-z0-9]{12,26}',
  ].map((form) => `(?:${form})`).join('|').replace(/^/, '(?<![A-Za-z0-9_])(?:').replace(/$/, ')(?![A-Za-z0-9_])'),
  'g',
);
const JWT = /(?<![A-Za-z0-9_])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{10,}/g;
const SLACK_HOOK = /https:\/\/hooks\.slack\.com\/services\/T[A-Z0-9]+\/B[A-Z0-9]+\/([A-Za-z0-9]+)/g;
const URL_PASSWORD = /[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@"'<>]{0,64}:([^\s/@"'<>]{1,128})@/gi;
const ASSIGNED = /(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth|credentials?|密码|口令|密钥|密碼)(?:[_-]?(?:id|key|access[_-]?key|token))?["'’]?\s{0,3}(?:[:=：]|=>|:=|is|was|是|为|為)\s{0,3}["'‘“]?([^\s"'’”,;，。；、<>(){}[\]]{6,200})/gi;
const PASSWORD_WORD = /^(?:pass|pwd|密码|口令|密碼)/i;
const PLACEHOLDER = /^(?:[x*•.#_-]+|.*(?:example|placeholder|changeme|your[-_]?|redacted|process\.env|os\.environ|getenv|undefined|required|optional|string|null|true|false).*|[$%<{].*|\*+.*)$/i;

/** Characters of the longest private key in PEM: RSA of 16,384 bits has 12,800. */
const LONGEST_KEY = 20_000;
/** The least bits a character that a random key has (hex has 4, base64 6; words of a language have 2 to 3 in so short a text). */
const MIN_ENTROPY = 3.2;

/** Finds keys, tokens, private keys and passwords. */
export function findSecrets(text: string): Found[] {
  const found: Found[] = [];
  const add = (kind: Found['kind'], start: number, length: number): void => void found.push({ kind, start, end: start + length });
  for (const match of text.matchAll(KEYS)) if (/\d/.test(match[0]) && entropy(match[0]) > 2.5) add('key', match.index, match[0].length);
  if (text.includes('eyJ')) { for (const match of text.matchAll(JWT)) add('key', match.index, match[0].length); }
  if (text.includes('hooks.slack')) { for (const match of text.matchAll(SLACK_HOOK)) add('key', match.index + match[0].length - match[1]!.length, match[1]!.length); }
  findPrivateKeys(text, add);
  if (text.includes('://')) {
    for (const match of text.matchAll(URL_PASSWORD)) if (!PLACEHOLDER.test(match[1]!)) add('password', match.index + match[0].length - 1 - match[1]!.length, match[1]!.length);
  }
  for (const match of text.matchAll(ASSIGNED)) {
    const value = match[1]!.replace(/[.!?:]$/, '');
    if (PASSWORD_WORD.test(match[0]) ? isPassword(value) : isRandom(value)) add(PASSWORD_WORD.test(match[0]) ? 'password' : 'key', match.index + match[0].length - match[1]!.length, value.length);
  }
  return found;
}

/** From `-----BEGIN … PRIVATE KEY-----` to its end, or as far as the lines are base64. */
function findPrivateKeys(text: string, add: (kind: Found['kind'], start: number, length: number) => void): void {
  for (let at = text.indexOf('PRIVATE KEY'), next = 0; at >= 0; at = text.indexOf('PRIVATE KEY', Math.max(at + 1, next))) {
    const begin = /-----BEGIN [A-Z0-9 ]{0,20}$/.exec(text.slice(Math.max(0, at - 40), at));
    if (begin === null) continue;
    const start = Math.max(0, at - 40) + begin.index, block = text.slice(at, at + LONGEST_KEY), end = block.indexOf('-----END ');
    const tail = end < 0 ? -1 : block.indexOf('-----', end + 9), cut = block.search(/\n(?![A-Za-z0-9+/=\s]{20,})/);
    next = at + (tail >= 0 ? tail + 5 : cut >= 0 ? cut : block.length);
    add('key', start, next - start);
  }
}

/** A value after “password”: letters alone are a word of the sentence (`password: required`). */
function isPassword(value: string): boolean {
  return !PLACEHOLDER.test(value) && /\p{L}/u.test(value) && /[\d!@#$%^&*+=?~|-]/.test(value) && !/^[a-z]+[-_]?[a-z]+$/i.test(value) && !/[\u3000-\u9fff]/.test(value);
}

function isRandom(value: string): boolean {
  return value.length >= 16 && /\d/.test(value) && /[A-Za-z]/.test(value) && /^[\w+/=.~-]+$/.test(value) && !PLACEHOLDER.test(value) && entropy(value) >= MIN_ENTROPY;
}

/** Shannon's entropy of the characters, in bits. */
function entropy(value: string): number {
  const counts = new Map<string, number>();
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= count / value.length * Math.log2(count / value.length);
  return bits;
}
