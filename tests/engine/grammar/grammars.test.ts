// Regular expressions, GBNF and tool calls as constraints: what is taken, masks against acceptance, errors and bombs.

import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { compileGrammar, compileRegex, compileSchema, compileTools } from '../../../src/engine/grammar/index.ts';
import { accepts } from '../../../src/engine/grammar/dfa.ts';
import { regexDfa } from '../../../src/engine/grammar/regex.ts';
import { idsOf, maskOf, smallVocabulary, takes, walk } from './walks.ts';

const vocabulary = smallVocabulary();

describe('regexDfa()', () => {
  const SOURCES = ['a|b*c', '^ab$|^$', 'a{2,3}?b+', '[^a-c]x', String.raw`\d+\.\d{2}`, String.raw`^\w+\s\S$`, '(?:ab|a)(c|bcd)', 'a.c', '^^a$$', '(^a|b)c$', 'x(?<year>[0-9])', String.raw`\u0061\x62`, '[a\\-z]', '(a*)*b', '中+[文字]', 'a$b', '[]', '[^]'];

  it.each(SOURCES)('%s finds what JavaScript finds', (source) => {
    const random = new Random(3, source), found = regexDfa(source, true), whole = regexDfa(source), pattern = new RegExp(source, 'u'), all = new RegExp(`^(?:${source})$`, 'u');
    for (let n = 0; n < 400; n++) {
      const text = Array.from({ length: random.int(7) }, () => [...'abcdxz019. _-\n中文字A'][random.int(19)]).join('');
      expect([text, accepts(found, text)]).toEqual([text, pattern.test(text)]);
      expect([text, accepts(whole, text)]).toEqual([text, all.test(text)]);
    }
  });

  it.each([['(?=a)', 'looking around'], ['(?<!a)b', 'looking around'], [String.raw`(a)\1`, 'back reference'], [String.raw`\bword`, 'word boundary'], ['(', '"(" without'], ['a{3,1}', 'count'], [String.raw`\p{Nonsense}`, 'unknown property']])('%s is refused by name', (source, name) => {
    expect(() => regexDfa(source)).toThrow(name);
  });

  it('refuses bombs before they fill memory', () => {
    expect(() => regexDfa('((a{1000}){1000}){1000}')).toThrow(/states/);
    expect(() => regexDfa(`${'('.repeat(5000)}a${')'.repeat(5000)}`)).toThrow(/nested/);
    expect(() => regexDfa('(a|b)*a(a|b){30}')).toThrow(/states/);
  });
});

describe('a constraint', () => {
  const GRAMMARS = {
    regex: () => compileRegex(String.raw`(中文?|é|[a-c]{2,4})(, (中|\d+))*!`, vocabulary),
    gbnf: () => compileGrammar('root ::= "[" ws (item ("," ws item)*)? "]"\nitem ::= root | [0-9]+ | "中" | "\\"" [^"]* "\\""\nws ::= " "*', vocabulary),
    schema: () => compileSchema({ type: 'object', properties: { name: { type: 'string' }, list: { type: 'array', items: {} } } }, vocabulary),
  };

  it.each(Object.entries(GRAMMARS))('of a %s allows in its mask exactly what it accepts', (_, make) => {
    const grammar = make(), random = new Random(5, 'mask');
    for (let round = 0; round < 6; round++) {
      const constraint = grammar.start();
      for (let n = 0; n < 25 && !constraint.mustEnd; n++) {
        const ids = idsOf(maskOf(constraint, vocabulary)), accepted: number[] = [];
        for (let id = 0; id < vocabulary.size; id++) if (constraint.fork().accept(id)) accepted.push(id);
        expect(ids).toEqual(accepted);
        const going = ids.filter((id) => id !== vocabulary.stop);
        expect(constraint.accept(going[random.int(going.length)]!)).toBe(true);
      }
    }
  });

  it('stays where it is after a token that is not allowed, and forks go their own ways', () => {
    const constraint = compileRegex('ab|ac', vocabulary).start();
    expect([constraint.accept(0x62), constraint.accept(vocabulary.special), constraint.accept(-1), constraint.accept(1e9), constraint.accept(vocabulary.stop)]).toEqual([false, false, false, false, false]);
    expect(constraint.accept(0x61)).toBe(true);
    const other = constraint.fork();
    expect([other.accept(0x62), other.mustEnd, constraint.canEnd, constraint.accept(0x63), constraint.mustEnd]).toEqual([true, true, false, true, true]);
    expect(idsOf(maskOf(other, vocabulary))).toEqual([vocabulary.stop]);
    expect([other.accept(vocabulary.stop), other.accept(0x61), other.mustEnd]).toEqual([true, false, true]);
  });

  it('fills masks that are longer or shorter than the vocabulary', () => {
    const constraint = compileRegex('a', vocabulary).start(), long = new Uint32Array(100).fill(-1), short = new Uint32Array(4);
    constraint.fillMask(long);
    constraint.fillMask(short);
    expect([idsOf(long), idsOf(short)]).toEqual([[0x61], [0x61]]);
  });
});

describe('compileGrammar()', () => {
  const ARITHMETIC = 'root ::= expr "\\n"? # comment\nexpr ::= term ([-+*/] term)*\nterm ::= num | "(" expr ")"\nnum ::= [0-9]{1,3}\n';

  it('takes what its rules say', () => {
    const grammar = compileGrammar(ARITHMETIC, vocabulary);
    expect(['1', '1+2*(3-4)', '((((7))))\n', '', '1+', '1234', '()', '(1'].map((text) => takes(grammar, text))).toEqual([true, true, true, false, false, false, false, false]);
  });

  it('reads alternatives over lines, negated sets, escapes, any character and counts', () => {
    const grammar = compileGrammar('root ::= a\n  | b\na ::= [^x-z\\n] . "\\t\\x41\\u4e2d"\nb ::= "q"{2} "r"{1,} (\n "s"\n)?', vocabulary);
    expect(['a😀\tA中', 'x.\tA中', 'qqr', 'qqrrs', 'qr'].map((text) => takes(grammar, text))).toEqual([true, false, true, true, false]);
  });

  it('follows right recursion without end, and nested recursion to a bounded depth that always closes', () => {
    const flat = compileGrammar('root ::= "a" root | "b"', vocabulary), deep = compileGrammar('root ::= "[" root "]" | "x"', vocabulary);
    expect(takes(flat, `${'a'.repeat(5000)}b`)).toBe(true);
    expect(takes(deep, `${'['.repeat(30)}x${']'.repeat(30)}`)).toBe(true);
    const constraint = deep.start();
    let depth = 0;
    while (depth < 10_000 && constraint.accept(0x5b)) depth++;
    expect(depth).toBeLessThan(200);
    expect(idsOf(maskOf(constraint, vocabulary))).toEqual([0x78]);
    constraint.accept(0x78);
    for (let n = 0; n < depth; n++) expect(constraint.accept(0x5d)).toBe(true);
    expect(constraint.mustEnd).toBe(true);
  });

  it('ends all its walks', () => {
    const grammar = compileGrammar(ARITHMETIC, vocabulary), random = new Random(1, 'walk');
    for (let n = 0; n < 20; n++) expect(takes(grammar, walk(grammar, vocabulary, random).text)).toBe(true);
  });

  it.each([['root ::= missing', /no rule "missing"/], ['a ::= "x"', /no rule "root"/], ['root ::= "x', /ends inside/], ['root ::= "x" )', /character 13/], ['root ::= root "a" | "b"', /left recursion/], ['root ::= a | "x"\na ::= b? root\nb ::= "b"', /left recursion/], ['root ::= "a" root', /nothing satisfies/], [
    'root ::= (("a"{9999}){9999})',
    /states/,
  ], ['root ::= "a"\nroot ::= "b"', /twice/]])('%s is refused', (source, message) => {
    expect(() => compileGrammar(source, vocabulary)).toThrow(message);
  });
});

describe('compileTools()', () => {
  const TOOLS = [{ name: 'weather', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } }, { name: 'now' }];
  const HERMES = { begin: '<tool_call>{"name": "', middle: '", "arguments": ', end: '}</tool_call>' };

  it('allows text, then calls whose arguments satisfy their schemas', () => {
    const grammar = compileTools(TOOLS, vocabulary, { ...HERMES, choice: 'auto' });
    const call = '<tool_call>{"name": "weather", "arguments": {"city": "北京"}}</tool_call>';
    expect(['just text < with <tool', '', call, `so: ${call}`, `${call}\n${call}`, `${call} and text`, call.replace('city', 'town'), call.replace('weather', 'rain')].map((text) => takes(grammar, text))).toEqual([true, true, true, true, true, false, false, false]);
  });

  it('demands a call, one of a name, or one only', () => {
    const required = compileTools(TOOLS, vocabulary, { ...HERMES, choice: 'required', parallel: false }), named = compileTools(TOOLS, vocabulary, { ...HERMES, choice: { name: 'now' } });
    const call = '<tool_call>{"name": "now", "arguments": {}}</tool_call>';
    expect([takes(required, call), takes(required, `text ${call}`), takes(required, call + call), takes(named, call), takes(named, call.replace('now', 'weather'))]).toEqual([true, false, false, true, false]);
    expect(() => compileTools(TOOLS, vocabulary, { ...HERMES, choice: { name: 'none' } })).toThrow('no tool "none"');
  });
});
