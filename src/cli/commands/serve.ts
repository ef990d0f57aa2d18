// athanor serve. Layer: cli.

import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseJson } from '../../base/checked-json.ts';
import { writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { DEFAULT_SERVE_OPTIONS, jsonLog, KeyRing, keysOf, makeKey, ModelRegistry, openEnergy, serveModel, startServer, type KeyRecord, type ModelEntry, type ServeOptions } from '../../serve/index.ts';
import type { Arguments } from '../arguments.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { openExecutor } from '../executors.ts';
import { localModel, MODEL_ARGUMENT, openLocal } from '../open-model.ts';
import { version } from '../version.ts';

const { port: PORT, maxRunning: RUNNING, maxWaiting: WAITING } = DEFAULT_SERVE_OPTIONS;

export const serve: Command = {
  name: 'serve',
  about: [
    'Serves models over HTTP to OpenAI, Anthropic and Ollama clients, and a chat page at /. It listens on this machine only',
    '(127.0.0.1); on any other address it asks for keys: --new-key NAME --keys FILE makes one, shows it once, and keeps its hash.',
    'The first model loads at the start, others when they are asked for, by the name of their folder or the NAME of NAME=MODEL.',
    'SIGTERM and Ctrl-C let running answers end. SIGHUP loads the models anew without dropping streams. With --json, log lines',
    'go to standard output: one a request, without prompts.',
  ].join('\n'),
  arguments: [{ ...MODEL_ARGUMENT, about: `${MODEL_ARGUMENT.about}, or NAME=MODEL`, repeatable: true, optional: true }],
  options: {
    host: { kind: 'text', value: 'HOST', about: 'address to listen on (default: 127.0.0.1)' },
    port: { kind: 'number', value: 'P', about: `port to listen on; 0 takes a free one (default: ${PORT})` },
    keys: { kind: 'text', value: 'FILE', about: 'API keys, as --new-key writes them: hashes, scopes, budgets' },
    'new-key': { kind: 'text', value: 'NAME', about: 'make a key, add it to --keys FILE, and end' },
    scopes: { kind: 'text', value: 'A,B', about: 'of --new-key: inference, metrics, special-tokens, admin (default: inference)' },
    'requests-per-minute': { kind: 'number', value: 'N', about: 'of --new-key' },
    'tokens-per-day': { kind: 'number', value: 'N', about: 'of --new-key: prompts and answers together' },
    'allow-host': { kind: 'text', value: 'NAME', about: 'another name that this server is called by', repeatable: true },
    'allow-origin': { kind: 'text', value: 'ORIGIN', about: 'pages that may ask, such as http://localhost:5173', repeatable: true },
    admin: { kind: 'flag', about: 'let keys of the scope admin load, unload and reload models' },
    context: { kind: 'number', value: 'N', about: "most tokens of prompt and answer (default: the model's own, at most 2048)" },
    parallel: { kind: 'number', value: 'N', about: `answers at once (default: ${RUNNING})` },
    queue: { kind: 'number', value: 'N', about: `requests that may wait; more get 429 (default: ${WAITING})` },
    'memory-mb': { kind: 'number', value: 'MB', about: 'weights that may be open together; unused models are closed (default: all)' },
    ...EXECUTOR_OPTIONS,
  },
  examples: [
    'athanor serve runs/first --port 8080',
    'athanor serve chat=models/qwen3-0.6b code=models/coder.gguf --context 8192',
    'athanor serve --new-key laptop --keys keys.json --tokens-per-day 200000',
    'athanor serve models/chat --host 0.0.0.0 --keys keys.json',
  ],
  async run(args, io) {
    if (args.has('new-key')) return newKey(args, io);
    if (args.words.length === 0) throw new ConfigError('Cannot serve: MODEL is missing. See `athanor serve --help`.', { path: 'MODEL' });
    const keys = new KeyRing(readKeys(args.text('keys'))), log = jsonLog((line) => (io.json ? io.write(`${line}\n`) : io.note(line)));
    const entries = await Promise.all(args.words.map((word) => entryOf(word, args, io))), memoryMb = wholeNumber(args, 'memory-mb');
    const twice = entries.find(({ name }, i) => entries.findIndex((other) => other.name === name) !== i);
    if (twice !== undefined) throw new ConfigError(`Cannot serve two models as "${twice.name}": give one another name with NAME=MODEL.`, { path: 'MODEL' });
    const registry = new ModelRegistry(entries, { memoryBytes: memoryMb === undefined ? undefined : memoryMb * 1e6 });
    const server = await startServer({ registry, keys, log, version: version(), energy: openEnergy(), ...optionsOf(args) });
    const url = `http://${server.host.includes(':') ? `[${server.host}]` : server.host}:${server.port}`, open = keys.isEmpty ? 'this machine only, without a key' : 'holders of a key only';
    io.result({ url, models: entries.map(({ name }) => name) }, `Serving ${entries.map(({ name }) => name).join(', ')} at ${url} (${open}). Ctrl-C ends it.`);
    await untilStopped(io, registry);
    await server.drain();
  },
};

function wholeNumber(args: Arguments, name: string, least = 1): number | undefined {
  const value = args.number(name);
  if (value !== undefined && (!Number.isSafeInteger(value) || value < least)) throw new ConfigError(`Cannot use --${name} ${value}: it must be a whole number, ${least} or more.`, { path: name });
  return value;
}

function optionsOf(args: Arguments): Partial<ServeOptions> {
  const port = wholeNumber(args, 'port', 0), maxRunning = wholeNumber(args, 'parallel'), maxWaiting = wholeNumber(args, 'queue', 0);
  if (port !== undefined && port > 65535) throw new ConfigError(`Cannot use --port ${port}: ports end at 65535.`, { path: 'port' });
  return {
    host: args.text('host') ?? DEFAULT_SERVE_OPTIONS.host,
    allowedHosts: args.texts('allow-host'),
    allowedOrigins: args.texts('allow-origin'),
    admin: args.has('admin'),
    ...(port === undefined ? {} : { port }),
    ...(maxRunning === undefined ? {} : { maxRunning }),
    ...(maxWaiting === undefined ? {} : { maxWaiting }),
  };
}

/** A model by the name that clients will use. The files are looked for now, and read when the model is first asked for. */
async function entryOf(word: string, args: Arguments, io: Io): Promise<ModelEntry> {
  const named = existsSync(word) ? null : /^([\w.:-]{1,100})=(.+)$/.exec(word);
  const { path } = await localModel(named?.[2] ?? word, io), name = named?.[1] ?? nameOf(path), stat = statSync(path);
  const context = wholeNumber(args, 'context'), maxSeqs = wholeNumber(args, 'parallel') ?? RUNNING;
  return {
    name,
    createdSeconds: Math.floor(stat.mtimeMs / 1000),
    bytes: stat.isFile() ? stat.size : folderBytes(path),
    async load() {
      const open = openLocal(path, (text) => io.note(text));
      try {
        return serveModel(open, { name, executor: await openExecutor(args, io), engine: { maxSeqs, ...(context === undefined ? {} : { maxLength: context }) } });
      } catch (error) {
        open.close();
        throw error;
      }
    },
  };
}

/** The folder's name, or its run's; a file's without its ending. */
function nameOf(path: string): string {
  const own = basename(path).replace(/\.gguf$/i, '');
  return ['model', '.', ''].includes(own) ? basename(dirname(path)) || own : own;
}

function folderBytes(path: string): number {
  return readdirSync(path).filter((name) => name.endsWith('.safetensors')).reduce((sum, name) => sum + (statSync(join(path, name), { throwIfNoEntry: false })?.size ?? 0), 0);
}

function readKeys(path: string | undefined): KeyRecord[] {
  if (path === undefined) return [];
  if (!existsSync(path)) throw new ConfigError(`Cannot read the keys: there is no "${path}". Make a key with --new-key NAME --keys ${path}.`, { path: 'keys' });
  try {
    return keysOf(parseJson(readFileSync(path, 'utf8'), path).value);
  } catch (cause) {
    throw new ConfigError(`Cannot read the keys in "${path}": ${(cause as Error).message}`, { path: 'keys', cause });
  }
}

function newKey(args: Arguments, io: Io): void {
  const name = args.text('new-key')!, path = args.text('keys');
  if (path === undefined) throw new ConfigError('Cannot make a key: say with --keys FILE where its hash is kept.', { path: 'keys' });
  const old = existsSync(path) ? readKeys(path) : [];
  if (old.some((record) => record.name === name)) throw new ConfigError(`Cannot make the key "${name}": "${path}" has one of this name already.`, { path: 'new-key' });
  const requestsPerMinute = wholeNumber(args, 'requests-per-minute'), tokensPerDay = wholeNumber(args, 'tokens-per-day'), scopes = args.text('scopes')?.split(',');
  const { key, record } = makeKey(name, { ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }), ...(tokensPerDay === undefined ? {} : { tokensPerDay }), ...(scopes === undefined ? {} : { scopes: scopes as KeyRecord['scopes'] }) });
  const keys = keysOf({ keys: [...old, record] });
  writeDurable(path, `${JSON.stringify({ keys }, null, 2)}\n`);
  io.result({ name, key }, `${key}\nThis is the key "${name}". It is shown this once; ${path} keeps its hash.`);
}

/** Waits for Ctrl-C or SIGTERM. SIGHUP loads the models that are open anew. */
async function untilStopped(io: Io, registry: ModelRegistry): Promise<void> {
  const reload = (): void => {
    for (const name of registry.loadedNames) registry.reload(name).then(() => io.note(`Loaded "${name}" anew.`), (error: Error) => io.note(`Cannot load "${name}" anew: ${error.message} The old one goes on.`));
  };
  process.on('SIGHUP', reload);
  const alive = setInterval(() => {}, 2 ** 30); // the promise alone keeps nothing alive
  try {
    await new Promise<void>((resolve) => {
      if (io.signal.aborted) resolve();
      else io.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    clearInterval(alive);
    process.off('SIGHUP', reload);
  }
}
