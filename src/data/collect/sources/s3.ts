// The source `s3`: objects of an S3-compatible store. Layer: data (network).
// s3mini signs; every request goes through the guarded fetch, so that a store in a private network has to be allowed.

import { S3mini } from 's3mini';
import { z } from 'zod';
import { AthanorError, ConfigError, ProtocolError } from '../../../base/errors.ts';
import { IgnoreRules } from '../../ignore.ts';
import type { SourceKind } from '../../source-kind.ts';
import { inMemory, type Input } from '../content.ts';
import { Fetcher } from '../net/guarded-fetch.ts';
import { readInputDocuments } from '../read-file.ts';
import { readFileShape } from '../read-options.ts';
import { skipPage } from '../web/skip-page.ts';

const s3Schema = z.strictObject({
  endpoint: z.string().describe('address of the bucket: https://host/bucket'),
  region: z.string().default('auto').describe('region that requests are signed for'),
  prefix: z.string().default('').describe('beginning of the keys to take'),
  include: z.array(z.string()).optional().describe('patterns of keys to take, as in .gitignore'),
  exclude: z.array(z.string()).default([]).describe('patterns of keys to leave out'),
  keyVariable: z.string().default('AWS_ACCESS_KEY_ID').describe('environment variable with the access key'),
  secretVariable: z.string().default('AWS_SECRET_ACCESS_KEY').describe('environment variable with the secret key'),
  allow: z.array(z.string()).default([]).describe('names, addresses and ranges beyond the public network that may be asked'),
  timeoutSeconds: z.number().positive().default(3600).describe('time for an object'),
  ...readFileShape,
});

export type S3Options = z.output<typeof s3Schema>;

const PAGE_KEYS = 1000;
/** What one object may have. */
const MAX_OBJECT_BYTES = 2 ** 42;

export const s3: SourceKind<S3Options> = {
  name: 's3',
  about: 'Objects of an S3-compatible store.',
  options: s3Schema,
  async *list(options, context) {
    const fetcher = fetcherFor(options), store = storeFor(options, fetcher, context.signal), include = options.include === undefined ? undefined : new IgnoreRules(options.include), exclude = new IgnoreRules(options.exclude);
    try {
      for (let token: string | undefined, first = true; first || token !== undefined; first = false) {
        const page = await answered(options, () => store.listObjectsPaged('/', options.prefix, PAGE_KEYS, token));
        for (const { Key, Size, ETag } of page?.objects ?? []) {
          if (Key.endsWith('/')) continue;
          if (exclude.match(Key, false) === true) context.skip({ file: Key, bytes: Number(Size) }, 'excluded', '');
          else if (include !== undefined && include.match(Key, false) !== true) context.skip({ file: Key, bytes: Number(Size) }, 'not-included', '');
          else yield { key: Key, bytes: Number(Size), place: { etag: String(ETag ?? '') } };
        }
        token = page?.nextContinuationToken;
      }
    } finally {
      fetcher.close();
    }
  },
  async *read(unit, options, context) {
    const fetcher = fetcherFor(options), store = storeFor(options, fetcher, context.signal), { key, bytes = 0 } = unit;
    try {
      const response = await answered(options, () => store.getObjectResponse(key)).catch((error: unknown) => skipPage(key, error, options.strict, context));
      if (response === undefined) return;
      if (response === null) return context.skip({ file: key, bytes }, 'unreadable', 'The object is gone.');
      const etag = (response.headers.get('etag') ?? '').replaceAll('"', '');
      if (etag !== '' && etag !== String(unit.place?.['etag'] ?? etag).replaceAll(/"|&quot;/g, '')) context.skip({ file: key, bytes: 0 }, 'changed', 'It is another object than when it was listed; what is there now is read.');
      yield* readInputDocuments(objectInput(key, bytes, response), options, context);
    } finally {
      fetcher.close();
    }
  },
};

/** A body as an input; what it throws on the way is the network's. */
function objectInput(key: string, bytes: number, response: Response): Input {
  const type = response.headers.get('content-type') ?? undefined, said = type === 'application/octet-stream' || type === 'binary/octet-stream' ? undefined : type;
  return { file: key, name: key, bytes, type: said, ...(bytes === 0 ? { random: inMemory(Buffer.alloc(0)) } : {}), stream: () => chunksOf(response) };
}

async function* chunksOf(response: Response): AsyncGenerator<Buffer> {
  for await (const part of response.body ?? []) yield Buffer.from(part as Uint8Array);
}

const fetcherFor = ({ allow, timeoutSeconds }: S3Options): Fetcher => new Fetcher({ allow, maxBytes: MAX_OBJECT_BYTES, timeoutMs: timeoutSeconds * 1000, maxRedirects: 2 });

/** @throws {ConfigError} if the keys are not in the environment */
function storeFor(options: S3Options, fetcher: Fetcher, signal: AbortSignal | undefined): S3mini {
  const { endpoint, region, keyVariable, secretVariable } = options, accessKeyId = process.env[keyVariable], secretAccessKey = process.env[secretVariable];
  if (!accessKeyId || !secretAccessKey) throw new ConfigError(`Cannot ask "${endpoint}": the environment has no ${accessKeyId ? secretVariable : keyVariable}.`, { path: 'keyVariable' });
  return new S3mini({ accessKeyId, secretAccessKey, endpoint, region, fetch: (input, init) => guarded(fetcher, input, init, signal) });
}

/** The guarded fetch in the form of the platform's, for reading alone. */
async function guarded(fetcher: Fetcher, input: Parameters<typeof fetch>[0], init: RequestInit | undefined, signal: AbortSignal | undefined): Promise<Response> {
  const method = init?.method ?? 'GET';
  if (method !== 'GET' && method !== 'HEAD') throw new ProtocolError(`Refused a ${method}: a source only reads.`);
  const headers = Object.fromEntries([...new Headers(init?.headers)].filter(([name]) => name !== 'host'));
  const answer = await fetcher.fetch(String(input instanceof Request ? input.url : input), { method, headers: { 'accept-encoding': 'identity', ...headers }, signal });
  const isBare = method === 'HEAD' || answer.status === 204 || answer.status === 304;
  if (isBare) answer.cancel();
  return new Response(isBare ? null : ReadableStream.from(answer.body) as unknown as ConstructorParameters<typeof Response>[0], { status: answer.status, headers: answer.headers });
}

/** A request of the store's library, its errors as ours. */
async function answered<T>({ endpoint }: S3Options, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const inner = (cause as { cause?: unknown }).cause;
    if (cause instanceof AthanorError) throw cause;
    if (inner instanceof AthanorError) throw inner;
    const { status, message } = cause as { status?: number; message: string };
    throw new ProtocolError(`Cannot read from the store "${endpoint}": ${message}.`, { status, cause });
  }
}
