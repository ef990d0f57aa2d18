// athanor info. Layer: cli.

import { freemem, totalmem } from 'node:os';
import { loadAddon, type Machine } from '../../backends/native/addon.ts';
import { BackendError } from '../../base/errors.ts';
import { byteSize } from '../../base/progress.ts';
import { opTable, opTableHash, PROGRAM_VERSION } from '../../core/index.ts';
import { FAMILIES, PRESETS } from '../../models/index.ts';
import { availableBytes } from '../../train/index.ts';
import type { Command } from '../command.ts';
import { table } from '../table.ts';
import { version } from '../version.ts';

export const info: Command = {
  name: 'info',
  about: 'Describes the machine (instruction sets, cores, caches, memory), the versions, and whether the native core is built and fits.',
  arguments: [],
  options: {},
  examples: ['athanor info', 'athanor info --json'],
  async run(_args, io) {
    const native = nativeState(), { machine } = native;
    const value = {
      athanor: version(),
      node: process.version,
      platform: `${process.platform}-${process.arch}`,
      program: PROGRAM_VERSION,
      operators: { count: opTable().length, hash: opTableHash().toString(16) },
      native: { usable: native.problem === undefined, ...(native.problem === undefined ? {} : { problem: native.problem }) },
      machine: machine ?? null,
      memory: { total: totalmem(), free: freemem(), available: availableBytes() },
      families: Object.keys(FAMILIES),
      presets: Object.keys(PRESETS),
    };
    io.result(value, table([
      ['athanor', value.athanor],
      ['node', `${value.node}, ${value.platform}`],
      ['native core', native.problem ?? 'built, fits the operators'],
      ...(machine === undefined ? [] : [
        ['processor', machine.cpuModel],
        ['instruction sets', `${machine.isas.join(', ')} (using ${machine.isa})`],
        ['cores', String(machine.threads)],
        ['caches', `L1 ${byteSize(machine.l1Bytes)}, L2 ${byteSize(machine.l2Bytes)}, L3 ${byteSize(machine.l3Bytes)}`],
      ] as [string, string][]),
      ['memory', `${byteSize(value.memory.total)}, of which ${byteSize(value.memory.available)} can be used`],
      ['operators', `${value.operators.count}, table ${value.operators.hash}, program format ${value.program}`],
      ['model families', value.families.join(', ')],
      ['presets', value.presets.join(', ')],
    ]));
  },
};

function nativeState(): { machine?: Machine; problem?: string } {
  try {
    return { machine: loadAddon().machine() };
  } catch (error) {
    if (error instanceof BackendError) return { problem: `${error.message} ${error.help}` };
    throw error;
  }
}
