import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { StopMatcher } from '../../src/engine/index.ts';

/** All text shown for a text that comes in these pieces. */
function shown(stops: string[], pieces: string[]): { text: string; stopped: boolean } {
  const matcher = new StopMatcher(stops);
  let text = '';
  for (const piece of pieces) {
    const next = matcher.push(piece);
    text += next.text;
    if (next.stopped) return { text, stopped: true };
  }
  return { text: text + matcher.flush(), stopped: false };
}

describe('StopMatcher', () => {
  it('finds a stop that is split over pieces', () => {
    expect(shown(['\n\nUser:'], ['hi', '\n', '\nUs', 'er: no'])).toEqual({ text: 'hi', stopped: true });
    expect(shown(['用户：'], ['你好', '用', '户：再见'])).toEqual({ text: '你好', stopped: true });
    expect(shown(['👋'], ['bye ', '👋'])).toEqual({ text: 'bye ', stopped: true });
  });

  it('gives back what only looked like one', () => {
    expect(shown(['abcd'], ['ab', 'cx', 'abc'])).toEqual({ text: 'abcxabc', stopped: false });
    expect(shown(['aab'], ['aa', 'ab!'])).toEqual({ text: 'a', stopped: true });
  });

  it('stops at the first of several', () => expect(shown(['yy', 'x'], ['ay', 'xyy'])).toEqual({ text: 'ay', stopped: true }));
  it('has no stops by default', () => expect(shown([], ['a', 'b'])).toEqual({ text: 'ab', stopped: false }));
  it('ignores an empty stop', () => expect(shown([''], ['a'])).toEqual({ text: 'a', stopped: false }));

  it('equals cutting the whole text, however it is cut into pieces', () => {
    const letters = fc.array(fc.constantFrom('a', 'b', '字'), { maxLength: 30 }), stop = fc.array(fc.constantFrom('a', 'b', '字'), { minLength: 1, maxLength: 4 });
    fc.assert(fc.property(letters, fc.array(stop, { maxLength: 3 }), fc.array(fc.nat(5), { minLength: 30, maxLength: 30 }), (text, stops, cuts) => {
      const whole = text.join(''), words = stops.map((s) => s.join('')), pieces: string[] = [];
      for (let at = 0, i = 0; at < whole.length; i++) pieces.push(whole.slice(at, at += 1 + cuts[i % cuts.length]!));
      const found = words.map((word) => whole.indexOf(word)).filter((at) => at >= 0);
      // Of two stops the one that ends first wins in a stream; the text before the earliest start is common to both.
      const result = shown(words, pieces);
      expect(result.stopped).toBe(found.length > 0);
      if (found.length === 0) expect(result.text).toBe(whole);
      else expect(words.some((word) => whole.startsWith(result.text + word)), `${whole} ${words.join()}`).toBe(true);
    }));
  });
});
