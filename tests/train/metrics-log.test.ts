import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readMetrics } from '../../src/train/index.ts';
import { MetricsLog } from '../../src/train/metrics-log.ts';
import { temporaryFolder } from './small-run.ts';

describe('MetricsLog', () => {
  it('drops a torn last line and what came after the checkpoint', () => {
    const path = join(temporaryFolder(), 'metrics.jsonl'), log = new MetricsLog(path, 0);
    log.append({ step: 1, loss: 4.25 });
    const kept = log.sync();
    log.append({ step: 2, loss: 0.1 + 0.2 });
    log.close();
    appendFileSync(path, '{"step":3,"los');
    expect(readMetrics(path)).toEqual([{ step: 1, loss: 4.25 }, { step: 2, loss: 0.30000000000000004 }]);

    const torn = new MetricsLog(path, Number.MAX_SAFE_INTEGER);
    torn.append({ step: 3, note: '损失' });
    torn.close();
    expect(readMetrics(path).map(({ step }) => step)).toEqual([1, 2, 3]);

    const again = new MetricsLog(path, kept);
    expect(again.bytes).toBe(kept);
    again.append({ step: 2, loss: null, left: undefined });
    again.close();
    expect(readFileSync(path, 'utf8')).toBe('{"step":1,"loss":4.25}\n{"step":2,"loss":null}\n');
  });

  it('is empty where nothing counts, and survives a file that became shorter', () => {
    const path = join(temporaryFolder(), 'metrics.jsonl');
    const first = new MetricsLog(path, 1000);
    first.append({ step: 1 });
    first.close();
    expect(new MetricsLog(path, 0).bytes).toBe(0);
    expect(readMetrics(path)).toEqual([]);
  });
});
