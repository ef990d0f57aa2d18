// Train a tokenizer on a few texts, look at its tokens, and get the text back.
// Run after `npm run build`: node examples/01-tokenize.ts (Node.js 22.18 or later reads TypeScript).

import { trainBpe } from 'athanor/tokenizer';

const texts = ['The river runs to the sea. The rain runs to the river.', '河水流向大海，雨水流向河水。'];
const tokenizer = await trainBpe(texts, { vocabSize: 290, specialTokens: ['<|endoftext|>'] });

for (const text of ['the river', '河水', 'unseen: ☂']) {
  const ids = [...tokenizer.encode(text)];
  console.log(JSON.stringify(text), '→', ids.join(' '), '→', JSON.stringify(tokenizer.decode(ids)));
}
