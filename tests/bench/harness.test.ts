import { describe, expect, it } from 'vitest';
import type { BenchLine } from '../../bench/bench-line.ts';
import { ChildContender, fastestOf, SharedPeer, type Contender } from '../../bench/contender.ts';
import { duel, isAsked, type BenchContext } from '../../bench/harness.ts';
import { PeerError } from '../../bench/peer-error.ts';

/** Gives values in turn and writes down what was asked of it. */
function scripted(name: string, values: number[], log: string[] = [], fails: 'start' | 'measure' | undefined = undefined): Contender {
  let next = 0;
  return {
    name,
    async start() {
      log.push(`${name} start`);
      if (fails === 'start') throw new PeerError(name, 'it is not installed');
      return { flops: 7 };
    },
    async measure() {
      log.push(name);
      if (fails === 'measure') throw new PeerError(name, 'it broke');
      return { values: [values[next++ % values.length]!], facts: { peakRss: next } };
    },
    async close() {
      log.push(`${name} close`);
    },
  };
}

function context(): BenchContext & { lines: BenchLine[]; notes: string[] } {
  const lines: BenchLine[] = [], notes: string[] = [];
  return { lines, notes, report: (line) => lines.push(line), note: (text) => notes.push(text), only: undefined, threads: 1 };
}

/** A process that speaks the line protocol, as Python peers do. */
const child = (code: string): ChildContender => new ChildContender({ name: 'peer', command: process.execPath, args: ['-e', code], patience: 20 });
const ECHO = `
  console.log(JSON.stringify({ ready: true, version: '1' }));
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const request = JSON.parse(line);
    if (request.quit) process.exit(0);
    console.log(JSON.stringify({ values: [request.seconds, request.m ?? 0], peakRss: 5 }));
  });`;

describe('duel()', () => {
  it('lets ours and the peers take turns and reports medians', async () => {
    const log: string[] = [], c = context();
    const shown = await duel(c, {
      bench: 'b',
      case: 'c',
      unit: 'tokens/s',
      rounds: 3,
      limit: (facts) => Number(facts['flops']),
      ours: scripted('athanor', [10, 30, 20], log),
      peers: [scripted('x', [5], log), scripted('y', [40], log)],
    });
    expect(log.filter((entry) => !entry.includes(' ')).join(' ')).toBe('athanor x y athanor x y athanor x y');
    expect(c.lines).toEqual([
      { bench: 'b', case: 'c', value: 20, unit: 'tokens/s', limit: 7, peer: 'x', peerValue: 5, ratio: 4 },
      { bench: 'b', case: 'c', value: 20, unit: 'tokens/s', limit: 7, peer: 'y', peerValue: 40, ratio: 0.5 },
    ]);
    expect(shown.get('x')).toEqual({ value: 5, facts: { peakRss: 3 } });
    expect(log.filter((entry) => entry.endsWith('close')).sort()).toEqual(['athanor close', 'x close', 'y close']);
  });

  it.each(['start', 'measure'] as const)('names a peer that fails at its %s, and measures the others', async (when) => {
    const c = context();
    await duel(c, { bench: 'b', case: 'c', unit: 's', rounds: 2, ours: scripted('athanor', [2]), peers: [scripted('x', [1], [], when), scripted('y', [4])] });
    expect(c.lines.map(({ peer, peerValue, ratio }) => ({ peer, peerValue, ratio }))).toEqual([
      { peer: 'x', peerValue: null, ratio: null },
      { peer: 'y', peerValue: 4, ratio: 2 },
    ]);
    expect(c.notes.join(' ')).toContain('Cannot measure the peer "x": it');
  });

  it('fails when ours fails, and closes all', async () => {
    const log: string[] = [];
    await expect(duel(context(), { bench: 'b', case: 'c', unit: 's', ours: scripted('athanor', [1], log, 'measure'), peers: [scripted('x', [1], log)] })).rejects.toThrow('it broke');
    expect(log.filter((entry) => entry.endsWith('close')).sort()).toEqual(['athanor close', 'x close']);
  });
});

describe('fastestOf()', () => {
  it('keeps the fastest way and closes the others', async () => {
    const log: string[] = [], peer = fastestOf('p', [scripted('slow', [1], log), scripted('broken', [9], log, 'start'), scripted('fast', [3], log)], { seconds: 0, note: () => {} });
    await peer.start();
    expect((await peer.measure(0)).values).toEqual([3]);
    expect(log).toContain('slow close');
    expect(log).not.toContain('fast close');
    await peer.close();
    expect(log).toContain('fast close');
  });

  it('is missing with the first reason when no way runs', async () => {
    await expect(fastestOf('p', [scripted('a', [1], [], 'start')], { seconds: 0, note: () => {} }).start()).rejects.toThrow('Cannot measure the peer "p": it is not installed.');
  });
});

describe('ChildContender', () => {
  it('asks a process and ends it', async () => {
    const peer = child(ECHO);
    expect(await peer.start()).toMatchObject({ version: '1' });
    expect(await peer.measure(2)).toEqual({ values: [2, 0], facts: { peakRss: 5 } });
    await peer.close();
    await peer.close();
  });

  it('is shared by cases', async () => {
    const shared = new SharedPeer(child(ECHO)), [a, b] = [shared.in({ m: 1 }), shared.in({ m: 2 })];
    await Promise.all([a.start(), b.start()]);
    expect((await a.measure(3)).values).toEqual([3, 1]);
    await a.close();
    expect((await b.measure(3)).values).toEqual([3, 2]);
    await shared.close();
  });

  it.each([
    ['a command that is not there', new ChildContender({ name: 'peer', command: '/nonexistent/python', args: [] }), /cannot run "\/nonexistent\/python"/],
    ['a process that dies', child('console.error("Traceback\\nModuleNotFoundError: No module named \'torch\'"); process.exit(1)'), /No module named 'torch'/],
    ['a process that says why', child('console.log(JSON.stringify({ error: "no such case" }))'), /no such case/],
    ['a process that ends at once', child(''), /it ended without a word/],
  ])('gives the reason of %s', async (_what, peer, reason) => {
    await expect(peer.start()).rejects.toThrow(reason);
    await peer.close();
  });
});

describe('isAsked()', () => {
  it('matches whole words in their order', () => {
    expect(isAsked({ only: undefined }, 'gpt2-124m fp32')).toBe(true);
    expect(isAsked({ only: 'gpt2-124m fp32' }, 'gpt2-124m fp32')).toBe(true);
    expect(isAsked({ only: 'small-6x384' }, 'small-6x384-llama fp32')).toBe(false);
    expect(isAsked({ only: 'fp32' }, 'gpt2-124m fp32')).toBe(true);
  });
});
