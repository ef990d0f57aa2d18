import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CapacityError, InterruptedError, ProtocolError } from '../../../src/base/errors.ts';
import { Fetcher } from '../../../src/data/collect/net/guarded-fetch.ts';

let server: Server, port: number;
const seen: { url: string; headers: IncomingMessage['headers'] }[] = [];

const ROUTES: Record<string, (response: ServerResponse, request: IncomingMessage) => void> = {
  '/text': (response) => response.end('你好, hello'),
  '/gzip': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('gz text')),
  '/deflate': (response) => response.writeHead(200, { 'content-encoding': 'deflate' }).end(deflateSync('deflate text')),
  '/br': (response) => response.writeHead(200, { 'content-encoding': 'br' }).end(brotliCompressSync('br text')),
  '/twice': (response) => response.writeHead(200, { 'content-encoding': 'gzip, br' }).end(brotliCompressSync(gzipSync('both'))),
  '/bomb': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(30 * 2 ** 20))),
  '/cut-gzip': (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a text that is cut').subarray(0, 20)),
  '/odd': (response) => response.writeHead(200, { 'content-encoding': 'xyz' }).end('?'),
  '/large': (response) => response.end(Buffer.alloc(2 ** 20)),
  '/loop': (response) => response.writeHead(302, { location: '/loop' }).end(),
  '/moved': (response) => response.writeHead(301, { location: '/text' }).end(),
  '/to-other-host': (response) => response.writeHead(302, { location: `http://other.test:${port}/text` }).end(),
  '/to-metadata': (response) => response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' }).end(),
  '/to-file': (response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/cut': (response) => void response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy()),
  '/silent': () => undefined,
};

beforeAll(async () => {
  server = createServer((request, response) => {
    seen.push({ url: request.url!, headers: request.headers });
    const route = ROUTES[request.url!.split('?')[0]!];
    if (route === undefined) response.writeHead(404).end('no');
    else route(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const LOOPBACK = [{ address: '127.0.0.1', family: 4 }];
const at = (path: string): string => `http://127.0.0.1:${port}${path}`;
const allowing = (options = {}): Fetcher => new Fetcher({ allow: ['127.0.0.0/8'], resolve: async () => LOOPBACK, ...options });
const textOf = async (fetcher: Fetcher, url: string): Promise<string> => (await (await fetcher.fetch(url)).bytes()).toString();

describe('Fetcher', () => {
  it.each([['/text', '你好, hello'], ['/gzip', 'gz text'], ['/deflate', 'deflate text'], ['/br', 'br text'], ['/twice', 'both'], ['/moved', '你好, hello'], ['/none', 'no']])('fetches %s', async (path, text) => {
    expect(await textOf(allowing(), at(path))).toBe(text);
  });

  // The platform's URL makes one address of all these spellings; what counts is that none of them gets through.
  it.each(['127.0.0.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001', '127.1', '127.0.1', '0', '0.0.0.0', '[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', '①②⑦.0.0.1', '127。0。0。1', '169.254.169.254', '10.1.1.1', '[fe80::1]', '[fd00:ec2::254]'])(
    'refuses http://%s/',
    async (host) => {
      const asked = seen.length;
      await expect(new Fetcher().fetch(`http://${host}:${port}/text`)).rejects.toThrow(/^Refused to fetch .* no public address .* name it in "allow"/);
      expect(seen.length).toBe(asked);
    },
  );

  it('refuses a name if any of its addresses is not public', async () => {
    const fetcher = new Fetcher({ resolve: async () => [{ address: '93.184.216.34', family: 4 }, { address: '10.0.0.1', family: 4 }] });
    await expect(fetcher.fetch('http://mixed.test/')).rejects.toThrow(/10\.0\.0\.1 is no public address \(private\)/);
  });

  it('asks for a name once and connects to the address that was checked, whatever the name says later', async () => {
    let asked = 0;
    // First an allowed address, afterwards another that is not: a second lookup would be refused or go elsewhere.
    const resolve = async () => [{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }];
    const fetcher = new Fetcher({ allow: ['127.0.0.1'], resolve });
    expect(await textOf(fetcher, `http://rebind.test:${port}/text`)).toBe('你好, hello');
    expect(asked).toBe(1);
    expect(seen.at(-1)!.headers.host).toBe(`rebind.test:${port}`);
    await expect(fetcher.fetch(`http://rebind.test:${port}/text`)).rejects.toThrow(/127\.0\.0\.2 is no public address/);
  });

  it('checks a redirect as the first address, and asks for its name anew', async () => {
    const hosts: string[] = [];
    await expect(allowing().fetch(at('/to-metadata'))).rejects.toThrow(/169\.254\.169\.254 is no public address/);
    await expect(allowing().fetch(at('/to-file'))).rejects.toThrow(/only http and https/);
    const rebinding = new Fetcher({ allow: ['127.0.0.1'], resolve: async (host) => (hosts.push(host), [{ address: host === 'first.test' ? '127.0.0.1' : '192.168.0.1', family: 4 }]) });
    await expect(rebinding.fetch(`http://first.test:${port}/to-other-host`)).rejects.toThrow(/192\.168\.0\.1/);
    expect(hosts).toEqual(['first.test', 'other.test']);
  });

  it('sends what is secret to the first origin alone', async () => {
    const headers = { authorization: 'Bearer s3cret', cookie: 'a=b', 'x-api-key': 'k', accept: 'text/html' };
    await (await allowing().fetch(at('/to-other-host'), { headers })).bytes();
    const [first, second] = seen.slice(-2);
    expect(first!.headers).toMatchObject(headers);
    expect(second!.headers).toMatchObject({ accept: 'text/html', host: `other.test:${port}` });
    for (const name of ['authorization', 'cookie', 'x-api-key']) expect(second!.headers).not.toHaveProperty(name);
  });

  it('turns user and password into a header of the first origin, and keeps them out of what it shows', async () => {
    const fetched = await allowing().fetch(`http://user:pass%20word@127.0.0.1:${port}/moved`);
    await fetched.bytes();
    expect(fetched.url.href).toBe(at('/text'));
    expect(seen.at(-2)!.headers.authorization).toBe(`Basic ${Buffer.from('user:pass word').toString('base64')}`);
    await expect(allowing().fetch(`http://user:secret@127.0.0.1:${port}/loop?token=hidden`)).rejects.toThrow(expect.not.objectContaining({ message: expect.stringMatching(/secret|hidden/) }));
  });

  it('bounds redirects, bytes, growth and time', async () => {
    await expect(allowing().fetch(at('/loop'))).rejects.toThrow(/redirects more than 5 times/);
    await expect((await allowing({ maxBytes: 1000 }).fetch(at('/large'))).bytes()).rejects.toThrow(CapacityError);
    await expect((await allowing().fetch(at('/bomb'))).bytes()).rejects.toThrow(/more than 200 times/);
    await expect(allowing({ idleMs: 50 }).fetch(at('/silent'))).rejects.toThrow(/nothing came for 0\.05 s/);
    await expect(allowing({ timeoutMs: 50 }).fetch(at('/silent'))).rejects.toThrow(/more than 0\.05 s/);
  });

  it('says a body that ends early, is damaged or unknown', async () => {
    for (const path of ['/cut', '/cut-gzip', '/odd']) await expect((await allowing().fetch(at(path))).bytes()).rejects.toThrow(ProtocolError);
    await expect(allowing().fetch('http://127.0.0.1:1/')).rejects.toThrow(/ECONNREFUSED/);
    await expect(allowing().fetch('ftp://x.test/')).rejects.toThrow(/only http and https/);
    await expect(allowing().fetch('nonsense')).rejects.toThrow(/no address/);
  });

  it('stops when it is told to, and before a hop that a caller refuses', async () => {
    const stop = new AbortController(), waiting = allowing().fetch(at('/silent'), { signal: stop.signal });
    setTimeout(() => stop.abort(), 20);
    await expect(waiting).rejects.toThrow(InterruptedError);
    const hops: string[] = [];
    const beforeHop = (url: URL): void => {
      hops.push(url.pathname);
      if (url.pathname === '/text') throw new ProtocolError('not there');
    };
    await expect(allowing().fetch(at('/moved'), { beforeHop })).rejects.toThrow('not there');
    expect(hops).toEqual(['/moved', '/text']);
  });
});
