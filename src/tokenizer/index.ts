// Tokenizers: text to ids and back, training, files. Layer: tokenizer.
// A browser imports the files it needs instead: all but files.ts, chat-template.ts, chat-template-files.ts, chat-template-process.ts, train-parallel.ts are pure.

export { ByteBpe } from './byte-bpe.ts';
export { Characters, trainChars } from './characters.ts';
export { ChatTemplate, type ChatPrompt } from './chat-template.ts';
export type { ChatMessage, Conversation } from './chat-conversation.ts';
export type { ChatPiece } from './chat-template-render.ts';
export { loadChatTemplates } from './chat-template-files.ts';
export { specialTexts, templatesOf, type ChatTemplateSource } from './chat-template-source.ts';
export { loadTiktoken, loadTokenizer, saveTokenizer, SENTENCEPIECE_FILE, TOKENIZER_FILE } from './files.ts';
export { parseSentencePiece } from './sentencepiece.ts';
export { SPLIT_PATTERNS, splitByRegex, type SplitPattern } from './split-pattern.ts';
export { splitByScanner } from './split-scanner.ts';
export { parseTiktoken, type TiktokenOptions } from './tiktoken.ts';
export { TokenDecoder } from './token-decoder.ts';
export type { TokenModel } from './token-model.ts';
export { Tokenizer, type AddedToken, type EncodeOptions, type Encoding } from './tokenizer.ts';
export { formatTokenizer, parseTokenizer } from './tokenizer-json.ts';
export { trainBpe, type TrainBpeOptions, type TrainProgress } from './train-bpe.ts';
export { trainBpeParallel, type TrainParallelOptions } from './train-parallel.ts';
