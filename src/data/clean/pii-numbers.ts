// Personal data made of digits: cards, identity numbers, telephone numbers. Layer: data (pure).
// One pass finds runs of digits with separators; each run is judged by its digits, its groups, and the words before it.

import { isValidPhoneNumber, type CountryCode } from 'libphonenumber-js';
import { isCard, isChineseIdentity, isLuhn, isOldChineseIdentity, isSocialSecurity } from './checksums.ts';
import type { Found } from './pii-kinds.ts';

/** Digits with separators between them, six digits at least; lines and columns (two blanks, tab) end a number. */
const CANDIDATE = /(?<![\p{Script=Latin}\d_#$€£¥/=&%@-]|\d[.,])(?:\+|\(\+?)?\d(?:[\d]|[ \u00a0().\-–/]{1,2}(?=[\d(])){4,30}[\dXx](?:[ ,]{0,2}(?:x|ext\.?|extension|转|轉|分机)[ .:]?\d{1,6})?(?![\p{Script=Latin}\d_])/giu;
/** How far back a word is looked for that says what a number is; measured on generated forms, a line or two. */
const REACH = 40;

const PHONE_WORD = /(?:\b(?:phones?|tele?|telephone|mobile|cell|call(?:ed|ing)?|fax|desk|office|contact|whatsapp|dial|sms|reach|ring|hotline|registered|phone number is)\b|电话|手机|电 话|联系方式|联系|传真|致电|拨打|座机|热线|電話|手機|聯繫)[^\d]{0,24}$/i;
const CARD_WORD = /(?:\bcc\b|card|visa|maestro|credit|debit|master|卡号|银行卡|信用卡|储蓄卡|银行账[号户]|卡號)[^\d]{0,24}$/i;
const IDENTITY_WORD = /(?:身份证|身份證|证件号|公民身份)[^\d]{0,12}$/;
const SSN_WORD = /(?:\bssn\b|social security)[^\d]{0,24}$/i;
const PASSPORT_WORD = /(?:passport|护照|護照)[^\d]{0,20}$/i;
/** A word that says it is another number: an order, an invoice, a book. */
const OTHER_WORD = /(?:isbn|issn|order|invoice|tracking|serial|version|sku|订单|流水|编号|单号|发票|版本|序列)[^\d]{0,16}$/i;
const PHONE_AFTER = /^[-\\, ]{0,2}(?:office|fax|mobile|desk|home|work|cell)\b/i;

/** Finds numbers that name a person; `countries` are those whose national numbers count without a word beside them. */
export function findNumbers(text: string, countries: readonly string[]): Found[] {
  const found: Found[] = [];
  for (const match of text.matchAll(CANDIDATE)) {
    // A bracket around the whole number is none of its own.
    const end = match.index + match[0].length, start = match.index + (match[0].startsWith('(') && !match[0].includes(')') ? 1 : 0), raw = text.slice(start, end);
    const kind = judge(raw, text.slice(Math.max(0, start - REACH), start), text.slice(end, end + 10), countries);
    if (kind !== undefined) found.push({ kind, start, end });
    else if (raw.length > 22) found.push(...findInGroups(raw, start));
  }
  return found;
}

/** The kind of the number that a candidate is. @param before the text before it */
function judge(raw: string, before: string, after: string, countries: readonly string[]): Found['kind'] | undefined {
  const extension = /[ ,]{0,2}(?:x|ext|转|轉|分机).*$/i.exec(raw.slice(0, -1)) ?? undefined, bare = extension === undefined || extension[0].length < 2 ? raw : raw.slice(0, extension.index);
  const digits = bare.replace(/[^\dXx]/g, ''), groups = bare.match(/\d+/g) ?? [];
  if (isChineseIdentity(digits) && groups.length <= 3) return 'identity';
  if (/[Xx]/.test(digits)) return undefined;
  if (isOldChineseIdentity(digits) && IDENTITY_WORD.test(before)) return 'identity';
  if (!bare.startsWith('+') && areCardGroups(groups) && isCardHere(digits, before)) return 'card';
  if (groups.length === 3 && /^\d{3}[- ]\d{2}[- ]\d{4}$/.test(bare)) return isSocialSecurity(digits) && !OTHER_WORD.test(before) ? 'ssn' : undefined;
  if (digits.length === 9 && isSocialSecurity(digits) && SSN_WORD.test(before)) return 'ssn';
  if (PASSPORT_WORD.test(before) && digits.length === 9 && groups.length === 1) return 'passport';
  if (digits.length < 6 || digits.length > 15 || OTHER_WORD.test(before)) return undefined;
  return isPhone(bare, digits, groups, before, after, extension !== undefined, countries) ? 'phone' : undefined;
}

/** Few digits with a right check are chance, unless a word says card; and beside the word any scheme will do. */
function isCardHere(digits: string, before: string): boolean {
  if (digits.length >= 14 && isCard(digits)) return true;
  return digits.length >= 12 && digits.length <= 19 && isLuhn(digits) && CARD_WORD.test(before);
}

function areCardGroups(groups: readonly string[]): boolean {
  if (groups.length === 1) return true;
  const lengths = groups.map((group) => group.length).join('-');
  return /^4-4-4(-4)?(-[1-4])?$/.test(lengths) || lengths === '4-6-5' || lengths === '4-6-4' || /^6-1[0-3]$/.test(lengths);
}

/** Year first or last, with month and day: a date, not a telephone number. */
const DATE = /^(?:(?:19|20)\d\d[-./ ](?:0?[1-9]|1[0-2])[-./ ](?:0?[1-9]|[12]\d|3[01])|(?:0?[1-9]|[12]\d|3[01])[-./ ](?:0?[1-9]|[12]\d|3[01])[-./ ](?:19|20)\d\d)(?:$|[ .])/;
const NORTH_AMERICA = /^(?:\+?1[-. ]?)?(?:\([2-9]\d\d\) ?|[2-9]\d\d[-. ])[2-9]\d\d[-. ]\d{4}$/;
const CHINA_MOBILE = /^(?:\+?86[- ]?)?1[3-9]\d(?:\d{8}|[- ]\d{4}[- ]\d{4})$/;
const CHINA_LANDLINE = /^(?:\+?86[- ]?)?(?:\(?0(?:10|2\d|[3-9]\d{2})\)?[- ])[2-9]\d{6,7}$|^[48]00[- ]\d{3}[- ]?\d{4}$/;
/** Trunk zero and groups, as most of Europe writes numbers. */
const TRUNK = /^\(?0\d{1,4}\)?(?:[ ./-]\d{2,8}){1,5}$/;

function isPhone(bare: string, digits: string, groups: readonly string[], before: string, after: string, extension: boolean, countries: readonly string[]): boolean {
  if (DATE.test(bare)) return false;
  const isIp = /^\d{1,3}(?:\.\d{1,3}){3}$/.test(bare);
  if (isIp) return false;
  if (bare.startsWith('+')) return isValidPhoneNumber(bare) || digits.length >= 9 && PHONE_WORD.test(before);
  if (CHINA_MOBILE.test(bare)) return true;
  if (NORTH_AMERICA.test(bare) || CHINA_LANDLINE.test(bare)) return true;
  if (PHONE_WORD.test(before) || PHONE_AFTER.test(after) || (extension && digits.length >= 7)) return isPlausible(bare, digits);
  if (groups.length < 2) return false;
  if (TRUNK.test(bare) && digits.length >= (groups.length > 2 ? 9 : 10) && digits.length <= 12) return true;
  // Two groups or single digits are dates, ranges and rows of tables more often than telephone numbers.
  return groups.length >= 3 && groups.every((group) => group.length > 1 && group.length < 6) && groups.length < 6 && digits.length > 8 && !/[.–]/.test(bare) &&
    countries.some((country) => isValidPhoneNumber(bare, country as CountryCode));
}

/** Beside a word for telephone almost any number is one; not a year range, a price, a count with commas. */
function isPlausible(bare: string, digits: string): boolean {
  return digits.length >= 6 && !/^(?:19|20)\d\d[-–](?:19|20)\d\d$/.test(bare) && !/^\d+\.\d+$/.test(bare) && !/^(\d)\1+$/.test(digits);
}

/** Numbers that stand in a row with others (a table of cards): windows of groups of four. */
function findInGroups(raw: string, start: number): Found[] {
  const found: Found[] = [];
  for (const match of raw.matchAll(/(?<!\d)\d{4}([ -])\d{4}\1\d{4}\1\d{4}(?!\d)|(?<!\d)\d{12,19}(?!\d)/g)) {
    const digits = match[0].replace(/\D/g, ''), at = start + match.index;
    if (isChineseIdentity(digits)) found.push({ kind: 'identity', start: at, end: at + match[0].length });
    else if (digits.length >= 14 && isCard(digits)) found.push({ kind: 'card', start: at, end: at + match[0].length });
  }
  return found;
}
