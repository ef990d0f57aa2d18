// What a profile says of each operator: time, rates, and how near they come to what the machine can do. Layer: backends.

import type { DType, OpName } from '../core/index.ts';
import type { Peak } from './native/addon.ts';
import type { InstructionTotal, PhaseTotal } from './profiled-executor.ts';

/** All instructions of one operator and element type. */
export interface OperatorProfile {
  readonly operator: OpName;
  /** Of the largest operand, mostly the weights. */
  readonly type: DType;
  readonly seconds: number;
  /** Of the phase's time. */
  readonly share: number;
  readonly calls: number;
  readonly gflopsPerSecond: number;
  readonly gbPerSecond: number;
  /**
   * Least time that the machine's limits allow, over the time taken: for each instruction the larger of FLOPs over the
   * peak and bytes over the bandwidth of memory. Above 1 where operands came out of a cache. Null without a measurement.
   */
  readonly limitShare: number | null;
}

export interface PhaseProfile {
  readonly phase: string;
  readonly seconds: number;
  readonly runs: number;
  /** Longest first. */
  readonly operators: readonly OperatorProfile[];
  /** Runs beside their instructions: starting them, inputs in and outputs out. */
  readonly dispatchSeconds: number;
  /** Between runs, in JavaScript: sampling, batches, files. */
  readonly outsideSeconds: number;
}

export interface Profile {
  /** The measured limits; null where there is no native core. */
  readonly peak: Peak | null;
  readonly phases: readonly PhaseProfile[];
}

/** @param peak limits of the executor that was profiled */
export function profileOf(phases: ReadonlyMap<string, PhaseTotal>, peak: Peak | null): Profile {
  return { peak, phases: [...phases].map(([phase, total]) => phaseProfile(phase, total, peak)) };
}

function phaseProfile(phase: string, { runs, busySeconds, idleSeconds, instructions }: PhaseTotal, peak: Peak | null): PhaseProfile {
  const seconds = busySeconds + idleSeconds, groups = new Map<string, InstructionTotal[]>();
  for (const one of instructions) {
    const key = `${one.op} ${one.dtype}`, group = groups.get(key);
    if (group === undefined) groups.set(key, [one]);
    else group.push(one);
  }
  const operators = [...groups.values()].map((group): OperatorProfile => {
    const sum = (of: (one: InstructionTotal) => number): number => group.reduce((total, one) => total + of(one), 0), spent = sum((one) => one.seconds);
    const rate = (amount: number): number => (spent > 0 ? amount / spent : 0);
    return {
      operator: group[0]!.op,
      type: group[0]!.dtype,
      seconds: spent,
      share: seconds > 0 ? spent / seconds : 0,
      calls: sum(({ calls }) => calls),
      gflopsPerSecond: rate(sum(({ flops }) => flops)) / 1e9,
      gbPerSecond: rate(sum(({ bytes }) => bytes)) / 1e9,
      limitShare: peak === null ? null : rate(sum((one) => leastSeconds(one, peak))),
    };
  });
  return {
    phase,
    seconds,
    runs,
    operators: operators.sort((a, b) => b.seconds - a.seconds),
    outsideSeconds: idleSeconds,
    dispatchSeconds: Math.max(0, busySeconds - operators.reduce((total, one) => total + one.seconds, 0)),
  };
}

/** Products of blocks of integers are held to the rate of f32 too: an integer dot product may pass it. */
function leastSeconds({ flops, bytes, dtype }: InstructionTotal, { f32Flops, bf16Flops, readBytes }: Peak): number {
  return Math.max(flops / (dtype === 'bf16' && bf16Flops > 0 ? bf16Flops : f32Flops), bytes / readBytes);
}
