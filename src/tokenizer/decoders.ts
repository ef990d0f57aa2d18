// Decoders: from the spelling of tokens back to text, one token at a time. Layer: tokenizer (pure).
// A decoder is a chain of steps; a step takes tokens and gives tokens, and may keep some back. Decoding a whole list is the
// same as decoding a stream, except that a stream gives complete characters of byte tokens at once.
// Source: github.com/huggingface/tokenizers 0.23, tokenizers/src/decoders.

import { characterBytes } from './byte-level.ts';

/** What receives tokens, and in the end `flush`. */
export interface DecodeStep {
  push(token: string): void;
  flush(): void;
}

/** Makes a step that hands on to another; `eager` in a stream, where text should come as soon as it can. */
export type Decoder = (next: DecodeStep, eager: boolean) => DecodeStep;

/** A step that changes each token alone. @param change gets whether it is the first */
export function eachToken(change: (token: string, isFirst: boolean) => string): Decoder {
  return (next) => {
    let isFirst = true;
    return {
      push(token) {
        next.push(change(token, isFirst));
        isFirst = false;
      },
      flush() {
        isFirst = true;
        next.flush();
      },
    };
  };
}

/** Byte-level: the characters of all tokens are bytes; a token with other characters stands for itself. */
export function byteLevelDecoder(): Decoder {
  const bytesOf = characterBytes(), encoder = new TextEncoder();
  return (next) => {
    let utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push(token) {
        const bytes = Array.from(token, (character) => bytesOf.get(character));
        const whole = bytes.includes(undefined) ? encoder.encode(token) : Uint8Array.from(bytes as number[]);
        next.push(utf8.decode(whole, { stream: true }));
      },
      flush() {
        next.push(utf8.decode());
        utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
        next.flush();
      },
    };
  };
}

const BYTE = /^<0x([0-9A-Fa-f]{2})>$/;

/** The byte that a token such as `<0x0A>` stands for. */
export function byteOfToken(token: string): number | undefined {
  const found = token.length === 6 ? BYTE.exec(token) : null;
  return found === null ? undefined : parseInt(found[1]!, 16);
}

/**
 * Runs of tokens such as `<0xE4>` become the characters that their bytes spell; a run that is no UTF-8 becomes as many
 * U+FFFD as it has bytes. In a stream what was complete before the fault has already come out.
 */
export function byteFallbackDecoder(): Decoder {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  return (next, eager) => {
    let run: number[] = [];
    const end = (): void => {
      if (run.length === 0) return;
      let text: string;
      try {
        text = decoder.decode(Uint8Array.from(run));
      } catch {
        text = '\ufffd'.repeat(run.length);
      }
      run = [];
      next.push(text);
    };
    return {
      push(token) {
        const byte = byteOfToken(token);
        if (byte === undefined) {
          end();
          next.push(token);
          return;
        }
        run.push(byte);
        if (eager && isComplete(run)) end();
      },
      flush() {
        end();
        next.flush();
      },
    };
  };
}

/** Whether bytes are one whole character. */
function isComplete(run: readonly number[]): boolean {
  const lead = run[0]!, size = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (run.length !== size) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(run));
    return true;
  } catch {
    return false;
  }
}

/** At most `start` of a character off the front of each token, and `stop` off its end. */
export function stripDecoder(content: string, start: number, stop: number): Decoder {
  return eachToken((token) => {
    let from = 0, to = token.length;
    for (let n = 0; n < start && token.startsWith(content, from); n++) from += content.length;
    for (let n = 0; n < stop && to - content.length >= from && token.endsWith(content, to); n++) to -= content.length;
    return token.slice(from, to);
  });
}

/** The same of a whole text that comes in parts: what follows `Fuse`. */
function stripWhole(content: string, start: number, stop: number): Decoder {
  return (next) => {
    let front = start, held = '';
    return {
      push(part) {
        let text = held + part;
        while (front > 0 && text.startsWith(content)) {
          text = text.slice(content.length);
          front--;
        }
        if (text !== '') front = 0;
        let keep = 0;
        while (keep < stop && text.endsWith(content.repeat(keep + 1))) keep++;
        held = content.repeat(keep);
        next.push(text.slice(0, text.length - held.length));
      },
      flush() {
        front = start;
        held = '';
        next.flush();
      },
    };
  };
}

/** A step as read from a file. */
export interface DecoderStep {
  readonly decoder: Decoder;
  /** The same for the parts of one long token; absent if it must see all of it at once. */
  readonly whole?: Decoder;
  /** What comes out is one token. */
  readonly fuses?: boolean;
}

export function stripStep(content: string, start: number, stop: number): DecoderStep {
  return { decoder: stripDecoder(content, start, stop), whole: stripWhole(content, start, stop) };
}

/** The chain of steps. Behind one that fuses, the others see one token, which comes in parts. */
export function decoderChain(steps: readonly DecoderStep[]): Decoder {
  let isFused = false;
  const chain = steps.map(({ decoder, whole, fuses }) => {
    const step = !isFused ? decoder : (whole ?? gathered(decoder));
    isFused ||= fuses === true;
    return step;
  });
  return (next, eager) => chain.reduceRight((after, step) => step(after, eager), next);
}

/** A step that sees its whole input as one token. */
function gathered(decoder: Decoder): Decoder {
  return (next, eager) => {
    const step = decoder(next, eager);
    let all = '';
    return {
      push(part) {
        all += part;
      },
      flush() {
        step.push(all);
        all = '';
        step.flush();
      },
    };
  };
}

/** `▁` becomes a blank; in the first token it goes, unless none was put there. */
export function metaspaceDecoder(sign: string, hasPrefix: boolean): Decoder {
  return eachToken((token, isFirst) => token.replaceAll(sign, isFirst && hasPrefix ? '' : ' '));
}

/** Pieces of words join what stands before them; all others get a blank before them. */
export function wordPieceDecoder(prefix: string, cleansUp: boolean): Decoder {
  return eachToken((token, isFirst) => {
    const part = isFirst ? token : token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    return cleansUp ? CLEANED.reduce((text, [from, to]) => text.replaceAll(from, to), part) : part;
  });
}

const CLEANED = [[' .', '.'], [' ?', '?'], [' !', '!'], [' ,', ','], [" ' ", "'"], [" n't", "n't"], [" 'm", "'m"], [' do not', " don't"], [" 's", "'s"], [" 've", "'ve"], [" 're", "'re"]] as const;

/** What has no decoder: tokens with blanks between. */
export const spaced: Decoder = eachToken((token, isFirst) => (isFirst ? token : ` ${token}`));

/** All of a list at once. */
export function decodeAll(decoder: Decoder, tokens: Iterable<string>): string {
  const parts: string[] = [], step = decoder({ push: (part) => parts.push(part), flush: () => {} }, false);
  for (const token of tokens) step.push(token);
  step.flush();
  return parts.join('');
}
