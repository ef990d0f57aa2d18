// A server over the tiny model, or over an engine that says what it is told, on a real socket.

import OpenAI from 'openai';
import { encodeScript, type Script } from './scripted-engine.ts';
import { ModelRegistry, openLocal, serveModel, startServer, type RunningServer, type ServedModel, type StartOptions } from '../../src/serve/index.ts';
import { anyExecutor, temporaryFolder, writeTinyModel } from './tiny-model.ts';

let folder: Promise<string> | undefined;

/** The tiny model's folder, made once for a test file. */
export const tinyFolder = (): Promise<string> => (folder ??= writeTinyModel(temporaryFolder()));

/** The tiny model, opened. @param script what its engine says instead of what it would */
export async function openTiny(name: string, script?: Script): Promise<ServedModel> {
  const model = serveModel(openLocal(await tinyFolder()), { name, executor: anyExecutor(), engine: { maxSeqs: 8 } });
  return script === undefined ? model : { ...model, engine: encodeScript(script, model) };
}

export interface TinyServer extends RunningServer {
  readonly url: string;
  readonly registry: ModelRegistry;
}

/** Starts a server with the models `tiny` and, where there is a script, `scripted`. */
export async function startTiny(options: Partial<StartOptions> & { script?: Script } = {}): Promise<TinyServer> {
  const { script, ...rest } = options, entry = { createdSeconds: 1_700_000_000, bytes: 1000 };
  const registry = rest.registry ?? new ModelRegistry([
    { name: 'tiny', ...entry, load: () => openTiny('tiny') },
    ...(script === undefined ? [] : [{ name: 'scripted', ...entry, load: () => openTiny('scripted', script) }]),
  ]);
  const server = await startServer({ port: 0, version: '0.1.0', ...rest, registry });
  return { ...server, registry, url: `http://127.0.0.1:${server.port}` };
}

/** OpenAI's own client of a server, which does not hide failures by asking again. */
export const openAiOf = ({ url }: { readonly url: string }): OpenAI => new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 });
