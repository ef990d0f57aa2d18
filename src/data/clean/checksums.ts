// Check digits of numbers that name a person or an account. Layer: data (pure).

/** Luhn's check (ISO/IEC 7812-1, annex B): from the right every second digit doubled, digits summed, a multiple of 10. */
export function isLuhn(digits: string): boolean {
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48, doubled = digit * 2;
    sum += i % 2 === 0 ? digit : doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}

/** First digits (ISO/IEC 7812 issuer identification) and lengths of card schemes. */
const SCHEMES: readonly (readonly [first: number, last: number, lengths: readonly number[]])[] = [
  [4, 4, [13, 16, 18, 19]], // Visa
  [51, 55, [16]],
  [2221, 2720, [16]], // Mastercard
  [34, 34, [15]],
  [37, 37, [15]], // American Express
  [300, 305, [14, 16]],
  [36, 36, [14, 15, 16, 17, 18, 19]],
  [38, 39, [14, 16]], // Diners Club
  [1800, 1800, [15]],
  [2131, 2131, [15]],
  [3528, 3589, [16, 17, 18, 19]], // JCB
  [6011, 6011, [16, 19]],
  [644, 659, [16, 19]], // Discover, and RuPay
  [62, 62, [16, 17, 18, 19]],
  [81, 81, [16, 17, 18, 19]],
  [9558, 9558, [16, 19]], // UnionPay, and ICBC's older cards
  [2200, 2204, [16, 17, 18, 19]], // Mir
  [50, 50, [12, 13, 14, 15, 16, 17, 18, 19]],
  [56, 58, [12, 13, 14, 15, 16, 17, 18, 19]],
  [60, 60, [12, 13, 14, 15, 16, 17, 18, 19]],
  [63, 63, [12, 13, 14, 15, 16, 17, 18, 19]],
  [67, 69, [12, 13, 14, 15, 16, 17, 18, 19]], // Maestro
];

/** Whether digits are a payment or bank card: a scheme's first digits and length, and Luhn's check. */
export function isCard(digits: string): boolean {
  if (digits.length < 12 || digits.length > 19) return false;
  const known = SCHEMES.some(([first, last, lengths]) => {
    const prefix = Number(digits.slice(0, String(first).length));
    return prefix >= first && prefix <= last && lengths.includes(digits.length);
  });
  return known && isLuhn(digits) && !/^(\d)\1+$/.test(digits);
}

/** Lengths of IBANs by country (SWIFT's registry). */
const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  ('AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 ' +
    'IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 ' +
    'SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20').split(' ').map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Whether a text without spaces is an IBAN: its country's length, and the remainder 1 by 97 (ISO 13616, ISO 7064 MOD 97-10). */
export function isIban(text: string): boolean {
  if (IBAN_LENGTHS[text.slice(0, 2)] !== text.length) return false;
  let remainder = 0;
  for (const character of text.slice(4) + text.slice(0, 4)) {
    const value = Number.parseInt(character, 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
}

/** GB 11643-1999: weights of the first 17 digits, and the check character by the sum's remainder by 11 (ISO 7064 MOD 11-2). */
const RESIDENT_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const RESIDENT_CHECKS = '10X98765432';
/** First two digits: provinces (GB/T 2260), Taiwan, Hong Kong, Macau, and foreigners' residence permits. */
const PROVINCES = /^(1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]|91|93)/;

/** Whether 18 characters are a Chinese resident identity number: province, day of birth, check character. */
export function isChineseIdentity(text: string): boolean {
  if (!/^\d{17}[\dXx]$/.test(text) || !PROVINCES.test(text) || !isDay(text.slice(6, 14))) return false;
  const sum = RESIDENT_WEIGHTS.reduce((total, weight, i) => total + weight * (text.charCodeAt(i) - 48), 0);
  return RESIDENT_CHECKS[sum % 11] === text[17]!.toUpperCase();
}

/** Whether 15 digits are a Chinese identity number of before 1999: no check digit, but a province and a day of birth. */
export function isOldChineseIdentity(digits: string): boolean {
  return digits.length === 15 && PROVINCES.test(digits) && isDay(`19${digits.slice(6, 12)}`);
}

function isDay(digits: string): boolean {
  const year = Number(digits.slice(0, 4)), month = Number(digits.slice(4, 6)), day = Number(digits.slice(6, 8));
  return year >= 1880 && year <= 2099 && month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}

/** Whether nine digits can be a US social security number: no area 000, 666 or 9xx, no group 00, no serial 0000 (SSA, since 2011). */
export function isSocialSecurity(digits: string): boolean {
  return /^(?!000|666|9)\d{3}(?!00)\d{2}(?!0000)\d{4}$/.test(digits);
}
