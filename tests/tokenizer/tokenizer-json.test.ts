import { describe, expect, test } from 'vitest';
import { FormatError } from '../../src/base/errors.ts';
import { formatTokenizer, parseTokenizer, trainBpe } from '../../src/tokenizer/index.ts';

const tokenizer = await trainBpe(['the cat sat on the mat 春眠不觉晓'], { vocabSize: 270, specialTokens: ['<|end|>'] });
const good = formatTokenizer(tokenizer);
type Json = Record<string, any>; // test data is bent on purpose

/** The good file, changed. */
function bent(change: (json: Json) => void): string {
  const json = JSON.parse(good) as Json;
  change(json);
  return JSON.stringify(json);
}

test('formatTokenizer() and parseTokenizer() are inverse', () => {
  expect(formatTokenizer(parseTokenizer(good))).toBe(good);
});

describe('parseTokenizer() refuses', () => {
  test.each<[string, string, RegExp]>([
    ['what is no JSON', good.slice(0, 100), /not JSON/],
    ['an empty file', '', /not JSON/],
    ['an array', '[]', /should be an object, but is \[\]/],
    ['null', 'null', /should be an object/],
    ['a missing model', '{}', /model should be an object/],
    ['a token given twice', good.replace('"vocab":{', '"vocab":{"!":1,'), /"!" is given twice/],
    ['a key given twice, escaped', good.replace('"vocab":{', '"vocab":{"\\u0021":1,'), /"!" is given twice/],
    ['an id given twice', bent((j) => {
      j.model.vocab['new'] = 5;
    }), /model\.vocab gives the id 5 to two tokens/],
    ['a negative id', bent((j) => {
      j.model.vocab['!'] = -1;
    }), /model\.vocab\.! should be a token id/],
    ['a huge id', bent((j) => {
      j.model.vocab['!'] = 1e12;
    }), /should be a token id/],
    ['a fractional id', bent((j) => {
      j.model.vocab['!'] = 1.5;
    }), /should be a token id/],
    ['an id as text', bent((j) => {
      j.model.vocab['!'] = '1';
    }), /should be a token id.*"1"/],
    ['a vocabulary that is a list', bent((j) => {
      j.model.vocab = [];
    }), /model\.vocab should be an object/],
    ['merges that are no list', bent((j) => {
      j.model.merges = {};
    }), /model\.merges should be an array/],
    ['a merge of unknown tokens', bent((j) => {
      j.model.merges[3] = ['qq', 'a'];
    }), /model\.merges\[3\] names the token "qq", which the vocabulary lacks/],
    ['a merge to an unknown token', bent((j) => {
      j.model.merges[0] = ['q', 'q'];
    }), /makes the token "qq"/],
    ['a merge named __proto__', bent((j) => {
      j.model.merges[0] = ['__proto__', 'a'];
    }), /"__proto__"/],
    ['a merge of three', bent((j) => {
      j.model.merges[0] = 'a b c';
    }), /merges\[0\] should be two tokens/],
    ['a merge of numbers', bent((j) => {
      j.model.merges[0] = [1, 2];
    }), /merges\[0\]\[0\] should be a string/],
    ['another model', bent((j) => {
      j.model.type = 'WordLevel';
    }), /model\.type is "WordLevel", which is not supported/],
    ['a Unigram vocabulary that is an object', bent((j) => {
      j.model.type = 'Unigram';
    }), /model\.vocab should be an array/],
    ['a Unigram score that is no number', bent((j) => {
      j.model = { type: 'Unigram', unk_id: 0, vocab: [['a', 0], ['b', '1']] };
    }), /model\.vocab\[1\] should be a token and its score/],
    ['a WordPiece without a token for the unknown', bent((j) => {
      j.model.type = 'WordPiece';
    }), /unk_token is missing/],
    ['byte fallback that is no truth value', bent((j) => {
      j.model.byte_fallback = 1;
    }), /byte_fallback should be true or false/],
    ['dropout', bent((j) => {
      j.model.dropout = 0.1;
    }), /dropout/],
    ['a suffix', bent((j) => {
      j.model.end_of_word_suffix = '</w>';
    }), /end_of_word_suffix/],
    ['an unknown token that is none', bent((j) => {
      j.model.unk_token = '<unk>';
    }), /unk_token is "<unk>"/],
    ['a pattern that looks back', bent((j) => {
      j.pre_tokenizer.pretokenizers[0].pattern.Regex = '(a)\\1';
    }), /Regex is "\(a\)\\\\1", which is not supported/],
    ['a pattern of nothing', bent((j) => {
      j.pre_tokenizer.pretokenizers[0].pattern.Regex = 'a*';
    }), /can match nothing/],
    ['a pattern that repeats without end', bent((j) => {
      j.pre_tokenizer.pretokenizers[0].pattern.Regex = '(a{1,900}){1,900}';
    }), /more than 2000 states/],
    ['a pattern nested without end', bent((j) => {
      j.pre_tokenizer.pretokenizers[0].pattern.Regex = '('.repeat(5000);
    }), /nested deeper than/],
    ['another pre-tokenizer', bent((j) => {
      j.pre_tokenizer = { type: 'UnicodeScripts' };
    }), /pre_tokenizer\.type is "UnicodeScripts"/],
    ['pre-tokenizers nested without end', good.replace('"pre_tokenizer":', `"pre_tokenizer":${'{"type":"Sequence","pretokenizers":['.repeat(20)}null${']}'.repeat(20)},"other":`), /deeper than 8/],
    ['another behaviour', bent((j) => {
      j.pre_tokenizer.pretokenizers[0].behavior = 'Doubled';
    }), /behavior/],
    ['another normalizer', bent((j) => {
      j.normalizer = { type: 'Nmt' };
    }), /normalizer\.type is "Nmt"/],
    ['a table of replacements that lies', bent((j) => {
      j.normalizer = { type: 'Precompiled', precompiled_charsmap: '////f2E=' };
    }), /precompiled_charsmap claims a table/],
    ['another decoder', bent((j) => {
      j.decoder = { type: 'CTC' };
    }), /decoder\.type/],
    ['another post-processor', bent((j) => {
      j.post_processor = { type: 'Other' };
    }), /post_processor\.type/],
    ['added tokens that are no list', bent((j) => {
      j.added_tokens = {};
    }), /added_tokens should be an array/],
    ['an added token twice', bent((j) => {
      j.added_tokens.push(j.added_tokens[0]);
    }), /added_tokens\[1\] repeats/],
    ['an added token on a taken id', bent((j) => {
      j.added_tokens.push({ id: 7, content: '<x>', special: true });
    }), /added_tokens\[1\] gives the id 7/],
    ['two added tokens on one id', bent((j) => {
      j.added_tokens.push({ id: 900, content: '<x>' }, { id: 900, content: '<y>' });
    }), /gives the id 900/],
    ['an added token without text', bent((j) => {
      j.added_tokens[0].content = '';
    }), /content is empty/],
    ['a flag that is no truth value', bent((j) => {
      j.added_tokens[0].lstrip = 'yes';
    }), /lstrip/],
  ])('%s', (_, json, message) => {
    expect(() => parseTokenizer(json, 'folder/tokenizer.json')).toThrow(FormatError);
    expect(() => parseTokenizer(json, 'folder/tokenizer.json')).toThrow(message);
    expect(() => parseTokenizer(json, 'folder/tokenizer.json')).toThrow(/^Cannot read "folder\/tokenizer.json": /);
  });
});

describe('parseTokenizer() reads', () => {
  test('merges as text, as older files have them', () => {
    const old = parseTokenizer(bent((j) => {
      j.model.merges = j.model.merges.map((pair: string[]) => pair.join(' '));
    }));
    expect(formatTokenizer(old)).toBe(good);
  });

  test('a file without model type, version, and optional parts', () => {
    const short = parseTokenizer(bent((j) => {
      for (const key of ['version', 'truncation', 'padding', 'normalizer', 'post_processor']) delete j[key];
      for (const key of ['type', 'dropout', 'unk_token', 'ignore_merges']) delete j.model[key];
    }));
    expect(formatTokenizer(short)).toBe(good);
  });

  test("the template of a file, alone or after ByteLevel as in Llama 3's", () => {
    const template = {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '<|end|>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '<|end|>': { id: '<|end|>', ids: [0], tokens: ['<|end|>'] } },
    };
    for (const processor of [template, { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template] }]) {
      const framed = parseTokenizer(bent((j) => {
        j.post_processor = processor;
      }));
      expect([...framed.encode('the')]).toEqual([0, ...tokenizer.encode('the')]);
    }
  });

  test('added tokens that are not special: matched in any text', () => {
    const more = parseTokenizer(bent((j) => {
      j.added_tokens.push({ id: 500, content: '    ', special: false });
    }));
    expect([...more.encode('a    b')]).toEqual([...tokenizer.encode('a'), 500, ...tokenizer.encode('b')]);
    expect(more.decode(more.encode('a    b'))).toBe('a    b');
    expect(more.vocabSize).toBe(501);
    expect(() => more.decode([400])).toThrow(/400/);
    expect(formatTokenizer(parseTokenizer(formatTokenizer(more)))).toBe(formatTokenizer(more));
  });

  test('ignore_merges: a piece that is a token is taken whole', () => {
    const whole = parseTokenizer(bent((j) => {
      j.model.vocab['zzz'] = 270;
      j.model.ignore_merges = true;
    }));
    expect([...whole.encode('zzz')]).toEqual([270]);
    expect([...parseTokenizer(bent((j) => {
      j.model.vocab['zzz'] = 270;
    })).encode('zzz')]).toHaveLength(3);
    expect([...whole.encode('<|end|>')]).not.toContain(0);
  });

  test('a normalizer NFC, and a blank put in front', () => {
    expect(parseTokenizer(bent((j) => {
      j.normalizer = { type: 'NFC' };
    })).encode('e\u0301')).toEqual(tokenizer.encode('é'));
    const prefixed = parseTokenizer(bent((j) => {
      j.pre_tokenizer = { type: 'ByteLevel', add_prefix_space: true };
    }));
    expect(prefixed.decode(prefixed.encode('the'))).toBe(' the');
    expect(prefixed.decode(prefixed.encode(' the'))).toBe(' the');
  });

  test('a vocabulary without all bytes: an error that names the byte, or its unknown token', () => {
    const lacking = (j: Json): void => {
      delete j.model.vocab['z'];
    };
    expect(() => parseTokenizer(bent(lacking)).encode('az')).toThrow(/0x7a/);
    const withUnknown = parseTokenizer(bent((j) => {
      lacking(j);
      j.model.unk_token = '!';
    }));
    expect(withUnknown.decode(withUnknown.encode('az'))).toBe('a!');
  });
});
