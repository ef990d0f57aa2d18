import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');

/** What tsc says about a file under the repository's own options, one line a message. */
function diagnose(file: string, text?: string): string[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as { config: { compilerOptions: Record<string, unknown> } };
  const { options } = ts.convertCompilerOptionsFromJson({ ...config.compilerOptions, rootDir: root, noEmit: true, incremental: false, tsBuildInfoFile: undefined }, root);
  const host = ts.createCompilerHost(options), read = host.readFile.bind(host), path = join(import.meta.dirname, file);
  host.readFile = (name) => (name === path && text !== undefined ? text : read(name));
  const { getSourceFile } = host;
  host.getSourceFile = (name, ...rest) => (name === path && text !== undefined ? ts.createSourceFile(name, text, ts.ScriptTarget.Latest) : getSourceFile.call(host, name, ...rest));
  const program = ts.createProgram([path], options, host);
  const source = program.getSourceFile(path)!;
  return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(({ messageText, start }) => `line ${source.getLineAndCharacterOfPosition(start ?? 0).line + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
}

describe('the contract of the compiler', () => {
  it('holds in types: what must compile does, what must not does not', () => {
    expect(diagnose('contract.types.ts')).toEqual([]);
  });

  it('is checked: a line that must not compile but does is found', () => {
    const text = "import type { Builder, Tensor } from '../../src/core/index.ts';\nexport const f = (b: Builder, x: Tensor) =>\n  // @ts-expect-error this is right\n  b.one('permute', { perm: [0] }, [x]);\n";
    expect(diagnose('contract.types.ts', text)).toEqual([expect.stringMatching(/line 3: Unused '@ts-expect-error'/)]);
  });
});
