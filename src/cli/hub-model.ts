// Models of a hub, as the environment says: endpoint, token, cache. Layer: cli.
// The names of variables are those of Hugging Face's own tools.

import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { byteSize, duration } from '../base/progress.ts';
import { ConfigError } from '../base/errors.ts';
import { fetchModel, type CachedModel } from '../models/hub.ts';
import { parseHubName } from '../models/hub-name.ts';
import type { Io } from './command.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Fetches what `hub:…` names, or opens the copy in the cache. */
export async function openHubModel(word: string, io: Io, env: Environment = process.env): Promise<CachedModel> {
  const name = parseHubName(word), home = env['HF_HOME'] ?? join(env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  const begun = performance.now();
  let first: number | undefined;
  try {
    return await fetchModel(name, {
      endpoint: endpointOf(env),
      token: tokenOf(env, home),
      cache: env['HF_HUB_CACHE'] ?? join(home, 'hub'),
      offline: /^(1|on|yes|true)$/i.test(env['HF_HUB_OFFLINE'] ?? ''),
      signal: io.signal,
      note: (text) => io.note(text),
      progress: (done, total, file) => {
        first ??= done;
        const seconds = (performance.now() - begun) / 1000, speed = (done - first) / seconds;
        io.progress.update(() => `fetching ${basename(file)}: ${Math.floor((100 * done) / Math.max(1, total))}% of ${byteSize(total)}, ${byteSize(speed)}/s, ${duration((total - done) / speed)} left`);
      },
    });
  } finally {
    io.progress.clear();
  }
}

function endpointOf(env: Environment): string {
  const endpoint = env['HF_ENDPOINT'] || 'https://huggingface.co';
  if (!/^https?:\/\/[^/\s?#@]+(\/[^\s?#]*)?$/.test(endpoint)) throw new ConfigError(`Cannot use HF_ENDPOINT "${endpoint}": it should be the address of a hub, such as https://huggingface.co.`, { path: 'HF_ENDPOINT' });
  return endpoint.replace(/\/+$/, '');
}

function tokenOf(env: Environment, home: string): string | undefined {
  const path = env['HF_TOKEN_PATH'] ?? join(home, 'token');
  const token = env['HF_TOKEN'] ?? (existsSync(path) ? readFileSync(path, 'utf8') : '');
  if (!/^[\x21-\x7e]*$/.test(token.trim())) throw new ConfigError('Cannot use HF_TOKEN: it has characters that no token has.', { path: 'HF_TOKEN' });
  return token.trim() || undefined;
}
