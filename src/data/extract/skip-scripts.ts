// A page without its scripts, styles and comments: half of its characters, which the tokenizer would go through one by one
// for nothing. Layer: data.

const KEPT_SCRIPT = /ld\+json|math\/(?:tex|mml)/i;
/** An opening tag longer than this is no tag. */
const MAX_TAG = 4096;

/**
 * Leaves the tags of scripts and styles and takes out what is in them, but JSON-LD and mathematics. What has no end is left
 * to the tokenizer. Linear: each character is searched once for each of the three ends at most.
 */
export function skipScripts(html: string): string {
  const parts: string[] = [], ends = new Map<string, RegExp>();
  const starts = /<!--|<(?:script|style)(?=[\s>/])/gi;
  let from = 0, none = '';
  for (let found = starts.exec(html); found !== null; found = starts.exec(html)) {
    const start = found[0].toLowerCase(), at = found.index;
    if (none.includes(start)) continue;
    let begin: number, end: number;
    if (start === '<!--') {
      begin = at;
      end = html.indexOf('-->', at + 2); // `<!-->` is a whole comment
      if (end >= 0) end += 3;
    } else {
      begin = html.indexOf('>', at) + 1;
      if (begin === 0 || begin - at > MAX_TAG) continue;
      end = endOf(html, start, begin, ends);
      if (end >= 0 && KEPT_SCRIPT.test(html.slice(at, begin))) begin = end;
    }
    if (end < 0) {
      none += `${start} `; // nor has any later one
      continue;
    }
    if (begin > from) parts.push(html.slice(from, begin));
    from = end;
    starts.lastIndex = end;
  }
  return parts.length === 0 ? html : parts.join('') + html.slice(from);
}

function endOf(html: string, start: string, begin: number, ends: Map<string, RegExp>): number {
  let pattern = ends.get(start);
  if (pattern === undefined) ends.set(start, pattern = new RegExp(`</${start.slice(1)}(?=[\\s>/])`, 'gi'));
  pattern.lastIndex = begin;
  return pattern.exec(html)?.index ?? -1;
}
