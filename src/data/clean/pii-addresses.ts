// Personal data that are addresses: e-mail, IP, MAC, bank accounts, plates, passports, licences. Layer: data (pure).

import { isIPv6 } from 'node:net';
import { isIban } from './checksums.ts';
import type { Found } from './pii-kinds.ts';

const LOCAL = /[\p{L}\p{N}._%+'-]{1,64}$/u;
const DOMAIN = /^(?:[\p{L}\p{N}](?:[\p{L}\p{N}-]{0,61}[\p{L}\p{N}])?\.){1,8}(?:\p{L}{2,24}|xn--[a-z0-9-]{2,59})/u;
/** `icon@2x.png` and `name@1.2.js` are files. */
const FILE_ENDING = /\.(?:png|jpe?g|gif|svg|webp|avif|js|mjs|cjs|ts|css|html?|json|py|rb|md|txt|lock|tgz)$/i;
/** Accounts of machines. */
const NO_PERSON = /^(?:git|hg|svn)$/i;
/** Written so that a machine should not read it. */
const OBFUSCATED = /[A-Za-z0-9._%+-]{1,64} ?[[({] ?(?:at|AT|@) ?[\])}] ?(?:[A-Za-z0-9-]{1,63}(?:\.| ?[[({] ?(?:dot|DOT|\.) ?[\])}] ?)){1,4}[A-Za-z]{2,24}/g;

/** E-mail addresses (RFC 5321's plain form, letters of any script). */
export function findEmails(text: string): Found[] {
  const found: Found[] = [];
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    const local = LOCAL.exec(text.slice(Math.max(0, at - 64), at))?.[0].replace(/^[.'%+-]+/, '').replace(/^[\u3000-\u9fff\uff00-\uffef]+(?=[A-Za-z0-9])/, '');
    if (local === undefined || local === '' || local.endsWith('.') || NO_PERSON.test(local)) continue;
    const domain = DOMAIN.exec(text.slice(at + 1, at + 256))?.[0].replace(/(\.[A-Za-z]{2,24})[\u3000-\u9fff].*$/, '$1');
    if (domain === undefined || FILE_ENDING.test(domain)) continue;
    // What stands before the host in `scheme://user:password@host` is a password's matter.
    if (text[at - local.length - 1] === ':' && /:\/\/[^\s/@]{0,64}:$/.test(text.slice(Math.max(0, at - local.length - 80), at - local.length))) continue;
    found.push({ kind: 'email', start: at - local.length, end: at + 1 + domain.length });
  }
  if (/[[({] ?at ?[\])}]/i.test(text)) { for (const match of text.matchAll(OBFUSCATED)) found.push({ kind: 'email', start: match.index, end: match.index + match[0].length }); }
  return found;
}

const IPV4 = /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?![\d]|\.\d)/g;
const IPV6 = /(?<![\w:.])(?:[0-9a-fA-F]{0,4}:){2,7}(?:[0-9a-fA-F]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])/g;
const MAC = /(?<![\w:-])(?:[0-9a-fA-F]{2}([:-]))(?:[0-9a-fA-F]{2}\1){4}[0-9a-fA-F]{2}(?![\w:-])/g;
const VERSION = /(?:\bv|version|ver\.?|release|build|版本|section|§) ?[:：]?\s*$/i;
/** Addresses that name no one: this host, private networks (RFC 1918, RFC 6598), link-local, documentation's netmasks. */
const NOBODY = /^(?:0\.|10\.|127\.|255\.|169\.254\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|22[4-9]\.|2[3-5]\d\.)/;

/** IP and MAC addresses. @param privateOnes also those of private networks */
export function findNetworkAddresses(text: string, privateOnes: boolean): Found[] {
  const found: Found[] = [];
  for (const match of text.matchAll(IPV4)) {
    if (VERSION.test(text.slice(Math.max(0, match.index - 12), match.index)) || (!privateOnes && NOBODY.test(match[0]))) continue;
    found.push({ kind: 'ip', start: match.index, end: match.index + match[0].length });
  }
  if (!text.includes(':') && !text.includes('-')) return found;
  for (const match of text.matchAll(IPV6)) {
    // Times and ratios (`12:30:45`), `::` of C++ and short ones (`a::b`) are none.
    const full = match[0].replace(/::$/, '::').replace(/(?<!:):$/, '');
    if (full.length < 6 || !isIPv6(full) || (!privateOnes && /^(?:fe[89ab]|f[cd]|::1?$)/i.test(full))) continue;
    if ((full.match(/[0-9a-fA-F]+/g)?.length ?? 0) < 3) continue;
    found.push({ kind: 'ip', start: match.index, end: match.index + full.length });
  }
  for (const match of text.matchAll(MAC)) if (!/^(?:00|ff)(?:[:-](?:00|ff)){5}$/i.test(match[0])) found.push({ kind: 'mac', start: match.index, end: match.index + match[0].length });
  return found;
}

const IBAN = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?: ?[A-Za-z0-9]{4}){2,7}(?: ?[A-Za-z0-9]{1,4})?(?![A-Za-z0-9])/g;

/** Bank accounts by IBAN. In a line with more words after the number the shortest reading with a right check counts. */
export function findIbans(text: string): Found[] {
  const found: Found[] = [];
  for (const match of text.matchAll(IBAN)) {
    for (let end = match[0].length; end >= 15; end--) {
      const part = match[0].slice(0, end);
      if (end < match[0].length && match[0][end] !== ' ') continue;
      if (!isIban(part.replaceAll(' ', '').toUpperCase())) continue;
      found.push({ kind: 'iban', start: match.index, end: match.index + end });
      break;
    }
  }
  return found;
}

/** GA 36-2018: province, office, five signs or six (new energy); no I or O. */
const PLATE = /[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-HJ-NP-Z][·• ]?(?:[A-HJ-NP-Z0-9]{4}[A-HJ-NP-Z0-9挂学警港澳]|[DF][A-HJ-NP-Z0-9]\d{4}|\d{5}[DF])(?![A-Za-z0-9])/g;
const PASSPORT = /(?:passport|护照|護照)[^\n]{0,24}?(?<![A-Za-z0-9])((?:[EGDSPHKM]|E[A-HJ-NP-Z])\d{7,8}|[A-Z]{1,2}\d{6,8}|[A-Z]\d{8})(?![A-Za-z0-9])/gi;
const DRIVER = /(?:driv(?:er|ing)(?:['’]?s)? licen[cs]e|驾驶证|驾照)[^\n\d]{0,24}?(?<![A-Za-z0-9])([A-Za-z]{0,3}\d[A-Za-z0-9-]{4,18})(?![A-Za-z0-9])/gi;

/** Plates of Chinese cars; passports and driving licences where a word says so (their numbers have no check). */
export function findPapers(text: string): Found[] {
  const found: Found[] = [];
  for (const match of text.matchAll(PLATE)) if (/\d/.test(match[0].slice(2))) found.push({ kind: 'plate', start: match.index, end: match.index + match[0].length });
  const add = (pattern: RegExp, kind: Found['kind']): void => {
    for (const match of text.matchAll(pattern)) {
      const end = match.index + match[0].length;
      found.push({ kind, start: end - match[1]!.length, end });
    }
  };
  if (/passport|护照|護照/i.test(text)) add(PASSPORT, 'passport');
  if (/driv|驾/i.test(text)) add(DRIVER, 'driver');
  return found;
}
