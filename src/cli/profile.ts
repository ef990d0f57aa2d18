// `--profile`: where a command's time went, by operator, beside what this machine can do. Layer: cli.

import type { Executor } from '../backends/executor.ts';
import { bestPeak, NativeExecutor } from '../backends/native/index.ts';
import { profileOf, type OperatorProfile, type PhaseProfile, type Profile } from '../backends/profile.ts';
import { ProfiledExecutor, type PhaseOf } from '../backends/profiled-executor.ts';
import type { Arguments } from './arguments.ts';
import type { OptionSpec } from './command.ts';

export const PROFILE_OPTION: OptionSpec = {
  kind: 'flag',
  about: "in the end show time, GFLOP/s, GB/s and share of this machine's measured limit by operator",
};

/** Tries of half a second. */
const PEAK_TRIES = 2;

/** The executor itself, or one that keeps account where `--profile` asks for it. */
export function profiled(args: Arguments, executor: Executor, phaseOf: PhaseOf): Executor {
  return args.has('profile') ? new ProfiledExecutor(executor, phaseOf) : executor;
}

/** The profile so far, with a measurement of the machine; undefined if none was asked for. */
export async function takeProfile(executor: Executor): Promise<Profile | undefined> {
  if (!(executor instanceof ProfiledExecutor)) return undefined;
  const { inner, phases } = executor;
  if (!(inner instanceof NativeExecutor)) return profileOf(phases, null);
  const tries = await Promise.all(Array.from({ length: PEAK_TRIES }, () => inner.measurePeak())); // one after the other there
  return profileOf(phases, bestPeak(tries));
}

/** A profile as tables for people. */
export function describeProfile({ peak, phases }: Profile): string {
  const giga = (value: number): string => (value / 1e9).toFixed(0);
  const limits = peak === null ?
    'The limits of this machine were not measured: that needs the native core.' :
    `Measured limits: ${giga(peak.f32Flops)} GFLOP/s in f32${peak.bf16Flops > 0 ? `, ${giga(peak.bf16Flops)} in bf16` : ''}, ${(peak.readBytes / 1e9).toFixed(1)} GB/s out of memory. Above 100%: out of a cache.`;
  return [...phases.map(describePhase), limits].join('\n\n');
}

function describePhase({ phase, seconds, runs, operators, dispatchSeconds, outsideSeconds }: PhaseProfile): string {
  const percent = (share: number | null): string => (share === null ? '' : `${(100 * share).toFixed(1)}%`);
  const line = ({ operator, type, seconds: spent, share, calls, gflopsPerSecond, gbPerSecond, limitShare }: OperatorProfile): string[] => [`${operator} ${type}`, spent.toFixed(4), percent(share), String(calls), gflopsPerSecond.toFixed(1), gbPerSecond.toFixed(1), percent(limitShare)];
  const beside = (name: string, spent: number): string[] => [name, spent.toFixed(4), percent(seconds > 0 ? spent / seconds : 0), '', '', '', ''];
  const rows = [
    [phase, 'seconds', 'share', 'calls', 'GFLOP/s', 'GB/s', 'of limit'],
    ...operators.map(line),
    beside('between instructions', dispatchSeconds),
    beside('outside (JavaScript)', outsideSeconds),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const text = rows.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ').trimEnd());
  return [...text, `${phase}: ${seconds.toFixed(3)} s in ${runs} runs`].join('\n');
}
