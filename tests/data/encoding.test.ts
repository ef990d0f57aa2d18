import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { detectEncoding, StreamDecoder } from '../../src/data/encoding.ts';
import { repairText, undoDoubleEncoding } from '../../src/data/repair.ts';

const CHINESE = '中文信息处理是自然语言处理的一个分支。我们在这里写一段简单的文字，用来测试编码的检测。今天天气很好，我们去公园散步。';
const ENGLISH = 'The quick brown fox jumps over the lazy dog, and nobody minds. It happened on a Tuesday.\n';
/** Encoding, bytes (by another program's encoder), text. */
const LEGACY: [string, string, string][] = [
  ['gb18030', 'd6d0cec4d0c5cfa2b4a6c0edcac7d7d4c8bbd3efd1d4b4a6c0edb5c4d2bbb8f6b7d6d6a7a1a3bdf1ccecccecc6f8badcbac3a3acced2c3c7c8a5b9abd4b0c9a2b2bda1a3', '中文信息处理是自然语言处理的一个分支。今天天气很好，我们去公园散步。'],
  ['big5', 'a4b5a4d1a4d1aef0abdca66ea141a7daadcca568a4bdb6e9b4b2a842a141acdda8eca446abdca668aae1a143a4a4a4e5b8eab054b342b27aac4fa6dbb54dbb79a8a5b342b27aaabaa440add3a4c0a4e4a143', '今天天氣很好，我們去公園散步，看到了很多花。中文資訊處理是自然語言處理的一個分支。'],
  ['shift_jis', '93fa967b8cea82cc95b68fcd82c582b7814282b182ea82cd95b68e9a8352815b836882cc94bb92e882f083658358836782b782e982bd82df82cc8365834c8358836782c582b781428da193fa82cd82a282a293568b4382c582b782cb8142', '日本語の文章です。これは文字コードの判定をテストするためのテキストです。今日はいい天気ですね。'],
  ['windows-1252', Buffer.from('Le café est très bon à Paris, où l\x92été dernier nous avons mangé des crêpes.', 'latin1').toString('hex'), 'Le café est très bon à Paris, où l’été dernier nous avons mangé des crêpes.'],
];

const utf16be = (text: string): Buffer => Buffer.from(text, 'utf16le').swap16();

function decode(bytes: Buffer, chunk = bytes.length): { text: string; invalid: number; encoding: string } {
  const decoder = new StreamDecoder(detectEncoding(bytes.subarray(0, 65536)));
  let text = '';
  for (let at = 0; at < bytes.length; at += chunk) text += decoder.write(bytes.subarray(at, at + chunk));
  text += decoder.end();
  return { text, invalid: decoder.counts.invalidSequences, encoding: decoder.counts.encoding };
}

describe('detectEncoding() and StreamDecoder', () => {
  it('take UTF-8 with and without a mark', () => {
    for (const text of [CHINESE, ENGLISH, `${ENGLISH}😀`]) {
      expect(decode(Buffer.from(text)).text).toBe(text);
      expect(decode(Buffer.from(`\ufeff${text}`)).text).toBe(text);
    }
    expect(detectEncoding(Buffer.from(ENGLISH))).toBe('ascii');
    expect(detectEncoding(Buffer.alloc(0))).toBe('ascii');
  });

  it('take UTF-16 of both orders, with and without a mark, English and Chinese', () => {
    for (const text of [CHINESE, ENGLISH, CHINESE + ENGLISH]) {
      for (const mark of ['', '\ufeff']) {
        expect(decode(Buffer.from(mark + text, 'utf16le'))).toMatchObject({ text, invalid: 0, encoding: 'utf-16le' });
        expect(decode(utf16be(mark + text))).toMatchObject({ text, invalid: 0, encoding: 'utf-16be' });
      }
    }
  });

  for (const [encoding, hex, text] of LEGACY) {
    it(`take ${encoding}`, () => {
      const bytes = Buffer.from(hex, 'hex');
      expect(detectEncoding(bytes)).toBe(encoding);
      const decoded = decode(bytes, 3);
      expect(decoded).toMatchObject({ text, invalid: 0 });
    });
  }

  it('write() gives the same text for any cut into chunks', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(CHINESE, ENGLISH, '😀', 'é', '\ufffd'), { minLength: 1, maxLength: 6 }), fc.integer({ min: 1, max: 9 }), fc.constantFrom('utf8', 'utf16le'), (parts, chunk, encoding) => {
      const text = parts.join('').replaceAll('\ufffd', encoding === 'utf8' ? '\ufffd' : ''), bytes = Buffer.from(`\ufeff${text}`, encoding as BufferEncoding);
      expect(decode(bytes, chunk)).toMatchObject({ text, invalid: 0 });
    }), { numRuns: 60, seed: 1 });
  });

  it('replace and count what is not UTF-8, wherever it stands', () => {
    const broken = Buffer.concat([Buffer.from(CHINESE), Buffer.from([0xff, 0x41, 0xe4, 0xb8]), Buffer.from(`\ufffd${CHINESE}`), Buffer.from([0xe4])]);
    for (const chunk of [1, 2, 7, 1000]) {
      expect(decode(broken, chunk)).toEqual({ text: `${CHINESE}\ufffdA\ufffd\ufffd${CHINESE}\ufffd`, invalid: 3, encoding: 'utf-8' });
    }
    expect(decode(Buffer.from('plain text with \xff\xfe\x80 in it, and more', 'latin1'))).toMatchObject({ invalid: 3, encoding: 'utf-8' });
  });

  it('decide late where the beginning is ASCII', () => {
    const ascii = Buffer.alloc(100_000, 'plain words\n'), legacy = Buffer.from(LEGACY[0]![1], 'hex');
    const decoder = new StreamDecoder(detectEncoding(ascii));
    expect(decoder.write(ascii) + decoder.write(legacy) + decoder.end()).toBe(ascii.toString() + LEGACY[0]![2]);
  });

  it('know binary files from text with a stray control character', () => {
    const random = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255));
    expect(detectEncoding(random)).toBe('binary');
    expect(detectEncoding(Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x3e, 0]))).toBe('binary');
    expect(detectEncoding(Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]))).toBe('binary');
    expect(detectEncoding(Buffer.alloc(1000))).toBe('binary');
    expect(detectEncoding(Buffer.from(`${ENGLISH.repeat(5)}\0${ENGLISH}`))).toBe('ascii');
    expect(detectEncoding(Buffer.from(`${CHINESE.repeat(5)}\0`))).toBe('utf-8');
    expect(detectEncoding(Buffer.from([0xff, 0xfe, 0, 0, 0x41, 0, 0, 0]))).toBe('binary');
  });
});

describe('repairText()', () => {
  const counts = (): Parameters<typeof repairText>[1] => ({ carriageReturns: 0, controls: 0, mojibake: 0 });

  it('makes line ends uniform and takes controls and inner marks out, counting texts', () => {
    const total = counts();
    expect(repairText('a\r\nb\rc\n', total)).toBe('a\nb\nc\n');
    expect(repairText('a\0b\x1b\tc\ufeffd\x7f', total)).toBe('ab\tcd');
    expect(repairText('fine 文字\n', total)).toBe('fine 文字\n');
    expect(total).toEqual({ carriageReturns: 1, controls: 1, mojibake: 0 });
  });

  it('undoes double-encoded UTF-8, English, French and Chinese', () => {
    const wrong = (text: string): string => new TextDecoder('windows-1252').decode(Buffer.from(text), { stream: true });
    expect(undoDoubleEncoding(Buffer.from(CHINESE).toString('latin1'))).toBe(CHINESE);
    for (const text of ['“Quotes” — and a dash… it’s', 'Le café, déjà été, naïve à Noël', CHINESE]) {
      const total = counts();
      expect(repairText(wrong(text), total)).toBe(text);
      expect(total.mojibake).toBe(1);
    }
  });

  it('leaves honest text alone', () => {
    for (const text of ['«PORTÉ» et «FERMÉ»', 'Ã is a letter, and so is Â.', CHINESE, 'naïve café déjà', 'São Paulo, Ângela, Ídolo']) {
      expect(undoDoubleEncoding(text)).toBe(undefined);
      expect(repairText(text, counts())).toBe(text);
    }
  });
});
