import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { findPersonalData, maskPersonalData, personalData } from '../../../src/data/clean/pii.ts';
import { plantSentence, type Planted } from './pii-generator.ts';

const SYNTHETIC = join(import.meta.dirname, '../../../../shared/data/ner/pii-synthetic/train.jsonl');

/** Recall and precision over spans that overlap and have the same kind. */
function score(sentences: readonly Planted[]): { recall: number; precision: number; missed: string[]; wrong: string[] } {
  let planted = 0, found = 0;
  const missed: string[] = [], wrong: string[] = [];
  for (const { text, spans } of sentences) {
    const here = findPersonalData(text), agree = (a: { kind: string; start: number; end: number }, b: { kind: string; start: number; end: number }): boolean => a.kind === b.kind && a.start < b.end && b.start < a.end;
    planted += spans.length;
    found += here.length;
    for (const span of spans) if (!here.some((one) => agree(one, span))) missed.push(`${span.kind} ${text.slice(span.start, span.end)} in ${JSON.stringify(text.slice(Math.max(0, span.start - 40), span.end + 10))}`);
    for (const one of here) if (!spans.some((span) => agree(one, span))) wrong.push(`${one.kind} ${text.slice(one.start, one.end)} in ${JSON.stringify(text.slice(Math.max(0, one.start - 40), one.end + 10))}`);
  }
  return { recall: 1 - missed.length / planted, precision: 1 - wrong.length / found, missed, wrong };
}

describe('findPersonalData()', () => {
  it('finds 98% of what a generator plants in two languages, and is right on 95%, with near misses all over', () => {
    const draw = new Random(11, 'pii');
    const { recall, precision, missed, wrong } = score(Array.from({ length: 1500 }, () => plantSentence(draw)));
    expect(recall, missed.slice(0, 10).join('\n')).toBeGreaterThanOrEqual(0.98);
    expect(precision, wrong.slice(0, 10).join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  it.skipIf(!existsSync(SYNTHETIC))("finds 98% and is right on 95% of presidio-research's synthetic sentences", () => {
    const kinds: Record<string, string> = { CREDIT_CARD: 'card', PHONE_NUMBER: 'phone', EMAIL_ADDRESS: 'email', IBAN_CODE: 'iban', US_SSN: 'ssn', IP_ADDRESS: 'ip', US_DRIVER_LICENSE: 'driver' };
    const sentences = readFileSync(SYNTHETIC, 'utf8').trim().split('\n').map((line) => {
      const { text, spans } = JSON.parse(line) as { text: string; spans: { type: string; start: number; end: number }[] };
      return { text, spans: spans.flatMap(({ type, start, end }) => (kinds[type] === undefined ? [] : [{ kind: kinds[type], start, end }])) };
    });
    const { recall, precision, missed, wrong } = score(sentences);
    expect(recall, missed.join('\n')).toBeGreaterThanOrEqual(0.98);
    expect(precision, wrong.join('\n')).toBeGreaterThanOrEqual(0.95);
  });

  const one: [string, string, string][] = [
    ['my password is hunter2!x and', 'password', 'hunter2!x'],
    ['数据库密码：Qwer1234，请勿外传', 'password', 'Qwer1234'],
    ['postgres://app:s3cr3t@db.internal/x', 'password', 's3cr3t'],
    ['api_key = "k3Jd82hQmZp09XvBt5Lw"', 'key', 'k3Jd82hQmZp09XvBt5Lw'],
    ['aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYzY3kq9Lz1p', 'key', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYzY3kq9Lz1p'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----\nend', 'key', '-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----'],
    ['write to ann [at] mail [dot] org today', 'email', 'ann [at] mail [dot] org'],
    ['联系邮箱zhang.wei@qq.com或来电', 'email', 'zhang.wei@qq.com'],
    ['护照号码：E12345678', 'passport', 'E12345678'],
    ['身份证号是110105491231002', 'identity', '110105491231002'],
    ['call 463-612-6138x036 now', 'phone', '463-612-6138x036'],
    ['客服热线：400-820-8820', 'phone', '400-820-8820'],
  ];
  for (const [text, kind, value] of one) it(`finds ${kind} in “${text.slice(0, 30)}”`, () => expect(findPersonalData(text).map(({ kind, start, end }) => [kind, text.slice(start, end)])).toEqual([[kind, value]]));

  const none = [
    '订单号 20240131123456789',
    'ISBN 978-3-16-148410-0',
    'git@github.com:a/b.git',
    'from 1990-2024 there were 123456 of them',
    'std::vector<int> a::b 12:30:45',
    'π = 3.14159265358979',
    '127.0.0.1 and 192.168.0.1',
    'password: string',
    '密码：必填',
    '1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16',
    'sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '0x00ffaa12 + 1e-10',
    '',
  ];
  for (const text of none) it(`finds nothing in “${text.slice(0, 40)}”`, () => expect(findPersonalData(text)).toEqual([]));

  it('stays in bounded time on text made to be slow', () => {
    const begin = performance.now();
    for (const part of ['1 ', '1', '@', 'a.', 'a@', ':', 'password ', '(', '-----BEGIN PRIVATE KEY', 'eyJ', '+1', 'AB12 ', '密码是']) findPersonalData(part.repeat(20_000));
    expect(performance.now() - begin).toBeLessThan(5000);
  });
});

describe('maskPersonalData() and the edit personal-data', () => {
  const text = 'Ann, Ann.Lee1@example.com, +44 20 7946 0958.';
  it('masks by tag, by shape, or takes out', () => {
    const found = findPersonalData(text);
    expect(maskPersonalData(text, found)).toBe('Ann, <EMAIL>, <PHONE>.');
    expect(maskPersonalData(text, found, 'shape')).toBe('Ann, Xxx.Xxx0@xxxxxxx.xxx, +00 00 0000 0000.');
    expect(maskPersonalData(text, found, 'remove')).toBe('Ann, , .');
  });
  it('counts by kind and leaves other documents as they are', () => {
    const counts: string[] = [], context = { seed: 0, drop: () => {}, change: () => {}, count: (name: string, by?: number) => void counts.push(`${name} ${by}`) };
    const edit = personalData.edit(personalData.options.parse({}), context), document = { id: 'a', path: 'a', group: '', text, bytes: text.length };
    expect(edit(document)).toMatchObject({ document: { text: 'Ann, <EMAIL>, <PHONE>.', bytes: 22 }, detail: 'email 1, phone 1' });
    expect(edit({ ...document, text: 'nothing here' })).toBeUndefined();
    expect(counts).toEqual(['pii.email 1', 'pii.phone 1']);
  });
});
