// All benches by name: what `athanor bench NAME` and `npm run bench -- NAME` run.

import type { Bench } from './harness.ts';
import { attention } from './attention.ts';
import { clean } from './clean.ts';
import { data } from './data.ts';
import { decode } from './decode.ts';
import { engine } from './engine.ts';
import { extract } from './extract.ts';
import { gemm } from './gemm.ts';
import { grammar } from './grammar.ts';
import { limits } from './limits.ts';
import { tokenizer } from './tokenizer.ts';
import { train } from './train.ts';

export { formatTable, type BenchLine } from './bench-line.ts';
export type { Bench, BenchContext } from './harness.ts';

export const BENCHES: Readonly<Record<string, Bench>> = { limits, gemm, attention, train, decode, engine, tokenizer, data, clean, extract, grammar };
