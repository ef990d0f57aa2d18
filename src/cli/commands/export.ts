// athanor export: the same weights in another form. Layer: cli.

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { byteSize, duration } from '../../base/progress.ts';
import { makeFolder, writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { saveOnnx, type OnnxWeightType } from '../../export/index.ts';
import { idFields, MIXTURES, saveGguf, saveModel, type Mixture } from '../../models/index.ts';
import { saveTokenizer } from '../../tokenizer/index.ts';
import type { Arguments } from '../arguments.ts';
import type { Command, Io } from '../command.ts';
import { withEncoder } from '../executors.ts';
import { didYouMean } from '../nearest.ts';
import { MODEL_ARGUMENT, openModel, type OpenModel } from '../open-model.ts';
import { GENERATION_FILE } from '../prepare-data.ts';

const FORMATS = ['gguf', 'safetensors', 'onnx'];

export const exportCommand: Command = {
  name: 'export',
  about: [
    'Writes a model in another form. gguf: one file for llama.cpp and its relatives (and for every command here), its matrices as',
    '--dtype says: f32, bf16, f16, q8_0 (8 bits), q4_0 (4 bits), or q4_k_m (4 bits, 6 where they count). safetensors: a model',
    'folder in f32, from a GGUF file too. onnx: the graph with its cache for ONNX Runtime, weights in f32 or f16, beyond 2 GB in a',
    'file beside it. The output appears whole or not at all.',
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: {
    to: { kind: 'text', value: 'FORMAT', about: 'gguf, safetensors or onnx' },
    dtype: { kind: 'text', value: 'TYPE', about: `of the matrices in a GGUF file: ${MIXTURES.join(', ')} (default: f32)` },
    out: { kind: 'text', value: 'PATH', about: 'the file, or for safetensors the folder' },
    context: { kind: 'number', value: 'N', about: 'for onnx: positions that the graph can tell apart (default: all of the model)' },
  },
  examples: ['athanor export runs/first --to gguf --dtype q8_0 --out first.gguf', 'athanor export first.gguf --to safetensors --out models/first'],
  pipeProgressMs: 10_000,
  async run(args, io) {
    const to = oneOf(args, 'to', FORMATS), dtype = oneOf(args, 'dtype', MIXTURES, 'f32') as Mixture, out = args.text('out');
    if (out === undefined || out === '') throw new ConfigError('Cannot export: say where to, with --out PATH.', { path: 'out' });
    if (to === 'safetensors' && dtype !== 'f32') throw new ConfigError(`Cannot write safetensors as ${dtype}: model folders are written in f32. Leave --dtype out, or use --to gguf.`, { path: 'dtype' });
    if (to === 'onnx' && !['f32', 'f16'].includes(dtype)) throw new ConfigError(`Cannot write ONNX as ${dtype}: weights are stored in f32 or f16.`, { path: 'dtype' });
    const open = await openModel(args.words[0]!, io);
    try {
      if (resolve(open.path) === resolve(out)) throw new ConfigError(`Cannot export "${open.path}" onto itself: choose another --out.`, { path: 'out' });
      if (to === 'gguf') await toGguf(open, out, dtype, io);
      else if (to === 'onnx') await toOnnx(open, out, { weightType: dtype as OnnxWeightType, maxLength: args.number('context') }, io);
      else toFolder(open, out);
      io.result({ path: out, to, ...(to === 'safetensors' ? {} : { dtype }) }, `wrote ${out}`);
    } finally {
      open.close();
    }
  },
};

function oneOf(args: Arguments, name: string, known: readonly string[], absent?: string): string {
  const value = args.text(name) ?? absent;
  if (value !== undefined && known.includes(value)) return value;
  if (value === undefined) throw new ConfigError(`Cannot export: say what, with --${name} ${known.join('|')}.`, { path: name });
  throw new ConfigError(`Cannot export with --${name} "${value}"${didYouMean(value, known)} Choose ${known.join(', ')}.`, { path: name });
}

async function toGguf(open: OpenModel, out: string, mixture: Mixture, io: Io): Promise<void> {
  const begun = performance.now(), { full, read, tokenizer, beginId, stopIds } = open;
  const note = await withEncoder((encode) =>
    saveGguf(out, {
      model: full,
      read,
      mixture,
      tokenizer,
      special: { begin: beginId, ends: stopIds },
      name: basename(resolve(open.path)).replace(/\.gguf$/, ''),
    }, {
      ...(encode === undefined ? {} : { encode }),
      signal: io.signal,
      progress: (done, total) =>
        io.progress.update(() => {
          const left = ((performance.now() - begun) / 1000) * (total / done - 1);
          return `writing ${basename(out)}: ${Math.floor((100 * done) / total)}% of ${byteSize(4 * total)} in f32, ${duration(left)} left`;
        }),
    })
  );
  io.progress.clear();
  if (note !== undefined) io.note(`Note: ${note}.`);
}

async function toOnnx({ full, read }: OpenModel, out: string, { weightType, maxLength }: { weightType: OnnxWeightType; maxLength: number | undefined }, io: Io): Promise<void> {
  const files = await saveOnnx(out, full, {
    read,
    weightType,
    ...(maxLength === undefined ? {} : { maxLength }),
    signal: io.signal,
    progress: (done, total) => io.progress.update(() => `writing ${basename(out)}: ${Math.floor((100 * done) / total)}% of ${byteSize(total)}`),
  });
  io.progress.clear();
  if (files.length > 1) io.note(`The weights are in ${files[1]}: keep both files together.`);
}

function toFolder(open: OpenModel, out: string): void {
  const ids = idFields({ begin: open.beginId, ends: open.stopIds });
  makeFolder(out);
  if (open.tokenizer !== undefined) saveTokenizer(open.tokenizer, join(out, 'tokenizer.json'));
  if (!existsSync(join(out, GENERATION_FILE)) && Object.keys(ids).length > 0) writeDurable(join(out, GENERATION_FILE), `${JSON.stringify(ids, null, 2)}\n`);
  saveModel(out, open.full, open.read, { ...open.rest, ...ids });
}
