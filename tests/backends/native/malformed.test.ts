import { describe, expect, it } from 'vitest';
import { Random } from '../../../src/base/random.ts';
import { CapacityError, FormatError } from '../../../src/base/errors.ts';
import { NativeExecutor } from '../../../src/backends/native/executor.ts';
import { accumulator, add, at, program, step } from './programs.ts';

describe('NativeExecutor.load() of a damaged program', () => {
  it('names what is wrong', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const y = at({ dims: [16] });
    const refuse = (draft: Parameters<typeof program>[0], words: string): void => {
      expect(() => executor.load(program(draft))).toThrow(FormatError);
      expect(() => executor.load(program(draft))).toThrow(words);
    };
    refuse({ arenaBytes: 60, instructions: [step('fill', [], [y], { attrs: [1] })] }, 'instruction 0 (fill), output 0 needs 64 bytes from byte 0 on, its memory has 60');
    refuse({ arenaBytes: 64, instructions: [step('reshape', [y], [y])] }, 'there can be no instruction "reshape"');
    refuse({ arenaBytes: 64, instructions: [add(y, at({ space: 'input', dims: [1] }), y)] }, 'instruction 0 (map), input 1 is input 0 of 0');
    refuse({ arenaBytes: 64, instructions: [step('fill', [], [y], { attrs: [1], workspaceOffset: 64, workspaceBytes: 1 })] }, 'its workspace leaves the arena');
    refuse({ outputs: [at({ space: 'state', dims: [1] })] }, 'output 0 is state 0 of 0');
    const bytes = accumulator().bytes.slice();
    bytes[8]! ^= 1;
    expect(() => executor.load({ ...accumulator(), bytes })).toThrow('it was compiled with another table of operators');
    await executor.close();
  });

  it('says so when the memory is not there', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    expect(() => executor.load(program({ arenaBytes: 2 ** 46 }))).toThrow(CapacityError);
    await executor.close();
  });

  it('is an error or harmless, whatever bytes are changed', async () => {
    const executor = NativeExecutor.open({ threads: 1 });
    const whole = accumulator(), random = new Random(11, 'tests.malformed');
    let refused = 0, accepted = 0;
    for (let i = 0; i < 8000; i++) {
      const bytes = whole.bytes.slice(0, random.int(20) === 0 ? random.int(whole.bytes.length) : whole.bytes.length);
      for (let n = random.int(3); n >= 0 && bytes.length > 0; n--) {
        // Not the sizes of arena and state: memory for them would really be asked for.
        const place = random.int(bytes.length);
        if (place >= 16 && place < 24) continue;
        bytes[place] = [0, 1, 0x7f, 0x80, 0xff, random.int(256)][random.int(6)]!;
      }
      try {
        executor.unload(executor.load({ ...whole, bytes }));
        accepted++;
      } catch (error) {
        expect((error as Error).message).toMatch(/^Cannot (load|decode) the program: /);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
    expect(accepted).toBeGreaterThan(100);
    await executor.close();
  });
});
