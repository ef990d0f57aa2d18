// train: whole optimizer steps (forward, loss, backward, clipping, AdamW) against PyTorch, each precision against its own
// kind; and the memory that both processes reached.

import { sizeOf } from 'athanor/core';
import { modelCases, modelOf } from './cases.ts';
import { absentPeer, ChildContender, fastestOf, type Contender, type Facts } from './contender.ts';
import { duel, isAsked, reportPeers, type Bench, type BenchContext } from './harness.ts';
import { measurePeak, peakFlops, type Peak } from './machine-peak.ts';
import { ownScript } from './places.ts';
import { peerEnvironment, pythonPeer, tuned } from './python-peers.ts';

/** Ten rounds' worth of seconds for a small case, a step or two a round for a large one. */
const SECONDS_A_TURN = 2;
const MEGABYTE = 1e6;
/** Largest step that PyTorch does within a minute in bf16 without instructions for it (4 GFLOP/s on two Zen 3 cores). */
const EMULATED_FLOPS = 3e11;

export const train: Bench = {
  about: 'optimizer steps of three models in fp32 and bf16, against PyTorch as installed and as fast as it can be made; and peak memory',
  async run(context) {
    const peak = await measurePeak(context.threads);
    for (const name of Object.keys(modelCases())) {
      for (const precision of ['fp32', 'bf16'] as const) {
        if (isAsked(context, `${name} ${precision}`)) await runCase(context, peak, name, precision);
      }
    }
  },
};

async function runCase(context: BenchContext, peak: Peak, name: string, precision: 'fp32' | 'bf16'): Promise<void> {
  const args = ['--case', name, '--precision', precision, '--threads', String(context.threads)];
  const ours = new ChildContender({ name: 'athanor', command: process.execPath, args: [ownScript('train-ours'), ...args] });
  const pytorch = (peer: string, env: NodeJS.ProcessEnv): Contender =>
    fastestOf(
      peer,
      ['eager', 'compile'].map((mode) => pythonPeer(`${peer} ${mode}`, 'pytorch_train.py', [...args, '--mode', mode], env)),
      { seconds: SECONDS_A_TURN, note: context.note },
    );
  const slow = precision === 'bf16' && peak.bf16Flops === 0 && stepFlops(name) > EMULATED_FLOPS;
  // bf16 is autocast with oneDNN's kernels, which MKL's library does not touch: as installed is all there is.
  const installed = slow ? absentPeer('pytorch', 'without instructions for bf16 a step of this size takes it minutes') : pytorch('pytorch', peerEnvironment());
  const peers = [installed, ...(precision === 'fp32' ? [tuned('pytorch-tuned', (env) => pytorch('pytorch-tuned', env))] : [])];
  const options = { bench: 'train', case: `${name} ${precision}`, unit: 'tokens/s' as const, ours, peers, seconds: SECONDS_A_TURN, limit: (facts: Facts) => limitOf(facts, peakFlops(peak, precision)) };
  const shown = await duel(context, options);
  const memory = new Map([...shown].map(([who, { facts }]) => [who, { value: Number(facts['peakRss']) / MEGABYTE }] as const));
  const planned = shown.get(ours.name)?.facts['planned'];
  reportPeers(context, { ...options, case: `${options.case} memory`, unit: 'MB', limit: planned === undefined ? null : Number(planned) / MEGABYTE }, memory);
}

/** Six operations a parameter and token: two forward, four backward. */
function stepFlops(name: string): number {
  const found = modelCases()[name]!, parameters = modelOf(found).states.reduce((n, { meta }) => n + sizeOf(meta.shape), 0);
  return 6 * parameters * found.batch * found.context;
}

/** Tokens a second if every multiply-add ran at the measured peak. */
function limitOf({ tokens, flops }: Facts, peak: number): number | null {
  const limit = (Number(tokens) * peak) / Number(flops);
  return Number.isFinite(limit) ? limit : null;
}
