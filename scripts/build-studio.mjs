// Builds the chat page: studio/ into dist/studio, by vite. An installed package has dist/studio and no sources.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fingerprint, readStamp, writeStamp } from './freshness.mjs';
import { BuildError, ROOT } from './project.mjs';

export async function buildStudio() {
  const root = join(ROOT, 'studio'), outDir = join(ROOT, 'dist', 'studio');
  if (!existsSync(root) || !existsSync(join(ROOT, 'node_modules', 'vite'))) return; // without development packages there is no page
  const now = fingerprint('studio');
  if (readStamp().studio === now && existsSync(join(outDir, 'index.html'))) return;
  const { build } = await import('vite');
  try {
    await build({
      root,
      configFile: false,
      logLevel: 'error',
      base: '/',
      // No inline script and no data in the page: the server's Content-Security-Policy allows neither.
      build: { outDir, emptyOutDir: true, assetsInlineLimit: 0, modulePreload: false, target: 'es2022' },
    });
  } catch (error) {
    throw new BuildError(`The chat page does not build: ${error.message}\nCorrect what is named above, then run \`npm run build\` again.`);
  }
  writeStamp({ studio: now });
}
