// Two columns of text. Layer: cli.

/** Pairs of words and what they mean, in two columns. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.min(34, Math.max(0, ...rows.map(([word]) => word.length)));
  return rows.map(([word, about]) => `  ${word.padEnd(width)}  ${about}`.trimEnd()).join('\n');
}
