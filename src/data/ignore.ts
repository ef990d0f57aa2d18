// Exclude rules in the language of .gitignore. Layer: data (pure).
// See gitignore(5), "Pattern format". Patterns are matched by hand, not as regular expressions: the time is bounded by
// pattern length × path length (× segments for `**`), whatever a stranger's file says.

/** One line of an ignore file, taken apart. */
type Rule = {
  /** `!`: takes back what an earlier rule excluded. */
  negated: boolean;
  /** Trailing slash: matches folders only. */
  folderOnly: boolean;
  /** Has a slash elsewhere: matched from the file's own folder, else against the last name alone. */
  anchored: boolean;
  segments: string[];
};

/** The rules of one ignore file, or of a list of patterns. */
export class IgnoreRules {
  readonly #rules: Rule[];

  /** @param text lines as in a .gitignore; comments and empty lines are skipped */
  constructor(text: string | readonly string[]) {
    const lines = typeof text === 'string' ? text.replace(/^\ufeff/, '').split(/\r?\n/) : text;
    this.#rules = lines.map(parseRule).filter((rule) => rule !== undefined);
  }

  /**
   * What the last matching rule says.
   *
   * @param path relative to the folder of the rules, with `/` between names, not beginning or ending with one
   * @returns true: excluded; false: taken back; undefined: no rule matches
   */
  match(path: string, isFolder: boolean): boolean | undefined {
    const segments = path.split('/'), name = segments.at(-1)!;
    for (let i = this.#rules.length - 1; i >= 0; i--) {
      const rule = this.#rules[i]!;
      if (rule.folderOnly && !isFolder) continue;
      if (rule.anchored ? matchSegments(rule.segments, segments) : matchName(rule.segments[0]!, name)) return !rule.negated;
    }
    return undefined;
  }
}

function parseRule(line: string): Rule | undefined {
  // Trailing spaces do not count, unless quoted by a backslash.
  let text = line;
  while (text.endsWith(' ') && !isQuoted(text, text.length - 1)) text = text.slice(0, -1);
  if (text === '' || text.startsWith('#')) return undefined;
  const negated = text.startsWith('!');
  if (negated) text = text.slice(1);
  const folderOnly = text.endsWith('/');
  if (folderOnly) text = text.slice(0, -1);
  const anchored = text.includes('/');
  const segments = (text.startsWith('/') ? text.slice(1) : text).split('/');
  return text === '' ? undefined : { negated, folderOnly, anchored, segments };
}

function isQuoted(text: string, index: number): boolean {
  let backslashes = 0;
  while (text[index - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1;
}

/** Matches names one by one; `**` stands for any number of them (at the end: at least one). */
function matchSegments(pattern: readonly string[], path: readonly string[]): boolean {
  let p = 0, s = 0, starPattern = -1, starPath = 0;
  for (;;) {
    if (p < pattern.length && pattern[p] === '**') {
      if (p === pattern.length - 1) return s < path.length;
      starPattern = ++p;
      starPath = s;
    } else if (p < pattern.length && s < path.length && matchName(pattern[p]!, path[s]!)) {
      p++;
      s++;
    } else if (p === pattern.length && s === path.length) {
      return true;
    } else if (starPattern >= 0 && starPath < path.length) {
      p = starPattern;
      s = ++starPath;
    } else {
      return false;
    }
  }
}

/** Matches one name with `*`, `?`, `[…]` and `\`; a star goes back to its last place only, which is enough. */
function matchName(pattern: string, name: string): boolean {
  let p = 0, s = 0, starPattern = -1, starName = 0;
  for (;;) {
    if (pattern[p] === '*') {
      starPattern = ++p;
      starName = s;
      continue;
    }
    if (s === name.length && p === pattern.length) return true;
    const next = s < name.length ? matchOne(pattern, p, name, s) : undefined;
    if (next !== undefined) {
      p = next;
      s += codePointLength(name, s);
    } else if (starPattern >= 0 && starName < name.length) {
      p = starPattern;
      starName += codePointLength(name, starName);
      s = starName;
    } else {
      return false;
    }
  }
}

/** Matches one pattern element with one character. @returns where the pattern goes on, undefined if they differ */
function matchOne(pattern: string, p: number, name: string, s: number): number | undefined {
  const char = String.fromCodePoint(name.codePointAt(s)!);
  if (p >= pattern.length) return undefined;
  switch (pattern[p]) {
    case '?':
      return p + 1;
    case '[':
      return matchClass(pattern, p, char);
    case '\\': {
      const literal = pattern.codePointAt(p + 1);
      if (literal === undefined) return undefined; // a pattern that ends in a backslash is invalid and never matches
      const text = String.fromCodePoint(literal);
      return text === char ? p + 1 + text.length : undefined;
    }
    default:
      return pattern.startsWith(char, p) ? p + char.length : undefined;
  }
}

const POSIX_CLASSES: Record<string, RegExp> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[^ -~\x80-\uffff]/,
  digit: /\d/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** `[abc]`, `[a-z]`, `[!x]`, `[^x]`, `[[:digit:]]`; an unclosed bracket never matches, as in git. */
function matchClass(pattern: string, p: number, char: string): number | undefined {
  let i = p + 1, inside = false;
  const negated = pattern[i] === '!' || pattern[i] === '^';
  if (negated) i++;
  const value = char.codePointAt(0)!;
  for (let first = true; first || pattern[i] !== ']'; first = false) {
    if (i >= pattern.length) return undefined;
    const named = /^\[:([a-z]*):\]/.exec(pattern.slice(i, i + 12));
    if (named) {
      if (POSIX_CLASSES[named[1]!]?.test(char)) inside = true;
      i += named[0].length;
      continue;
    }
    const [low, afterLow] = classMember(pattern, i);
    i = afterLow;
    let high = low;
    if (pattern[i] === '-' && i + 1 < pattern.length && pattern[i + 1] !== ']') [high, i] = classMember(pattern, i + 1);
    if (low === undefined || high === undefined) return undefined;
    if (value >= low && value <= high) inside = true;
  }
  return inside !== negated ? i + 1 : undefined;
}

function classMember(pattern: string, i: number): [number | undefined, number] {
  if (pattern[i] === '\\') i++;
  const value = pattern.codePointAt(i);
  return [value, i + (value === undefined ? 0 : String.fromCodePoint(value).length)];
}

function codePointLength(text: string, index: number): number {
  return text.codePointAt(index)! > 0xffff ? 2 : 1;
}
