// athanor export: the same weights in another form. Layer: cli.

import { existsSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { byteSize, duration } from '../../base/progress.ts';
import { makeFolder, writeDurable } from '../../base/durable.ts';
import { ConfigError } from '../../base/errors.ts';
import { saveOnnx, type OnnxWeightType } from '../../export/index.ts';
import { FOLDER_TYPES, fileWithin, isGguf, idFields, MIXTURES, saveGguf, saveModel, type Mixture, type FolderType, type SaveModelOptions } from '../../models/index.ts';
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
    '--dtype says: f32, bf16, f16, q8_0 (8 bits), q4_0 (4 bits), q4_k_m or q5_k_m (4 or 5 bits, 6 where they count). safetensors: a model',
    'folder in f32, bf16 or f16, cut into shards beyond --shard-bytes, with the tokenizer and the chat template; from a GGUF file too.',
    'onnx: the graph with its cache for ONNX Runtime, weights in f32 or f16, beyond 2 GB in a file beside it. Each file appears whole',
    'or not at all.',
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: {
    to: { kind: 'text', value: 'FORMAT', about: 'gguf, safetensors or onnx' },
    dtype: { kind: 'text', value: 'TYPE', about: `of the matrices in a GGUF file: ${MIXTURES.join(', ')}; of all tensors in a folder: ${Object.keys(FOLDER_TYPES).join(', ')} (default: f32)` },
    'shard-bytes': { kind: 'number', value: 'N', about: 'most bytes of a safetensors file (default: 5000000000)' },
    out: { kind: 'text', value: 'PATH', about: 'the file, or for safetensors the folder' },
    context: { kind: 'number', value: 'N', about: 'for onnx: positions that the graph can tell apart (default: all of the model)' },
  },
  examples: ['athanor export runs/first --to gguf --dtype q8_0 --out first.gguf', 'athanor export first.gguf --to safetensors --out models/first'],
  pipeProgressMs: 10_000,
  async run(args, io) {
    const to = oneOf(args, 'to', FORMATS), dtype = oneOf(args, 'dtype', MIXTURES, 'f32') as Mixture, out = args.text('out');
    if (out === undefined || out === '') throw new ConfigError('Cannot export: say where to, with --out PATH.', { path: 'out' });
    if (to === 'safetensors' && !(dtype in FOLDER_TYPES)) throw new ConfigError(`Cannot write safetensors as ${dtype}: model folders are written in ${Object.keys(FOLDER_TYPES).join(', ')}. Choose one of them, or use --to gguf.`, { path: 'dtype' });
    if (to === 'onnx' && !['f32', 'f16'].includes(dtype)) throw new ConfigError(`Cannot write ONNX as ${dtype}: weights are stored in f32 or f16.`, { path: 'dtype' });
    const maxShardBytes = args.number('shard-bytes');
    if (maxShardBytes !== undefined && !(maxShardBytes > 0)) throw new ConfigError(`Cannot use --shard-bytes ${maxShardBytes}: it must be above 0.`, { path: 'shard-bytes' });
    const open = await openModel(args.words[0]!, io);
    try {
      if (resolve(open.path) === resolve(out)) throw new ConfigError(`Cannot export "${open.path}" onto itself: choose another --out.`, { path: 'out' });
      if (to === 'gguf') await toGguf(open, out, dtype, io);
      else if (to === 'onnx') await toOnnx(open, out, { weightType: dtype as OnnxWeightType, maxLength: args.number('context') }, io);
      else toFolder(open, out, { dtype: dtype as FolderType, ...(maxShardBytes === undefined ? {} : { maxShardBytes }) });
      io.result({ path: out, to, dtype }, `wrote ${out}`);
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

/** Files of a model folder that are copied as they are, since others read more of them than is understood here. */
const COPIED_FILES = ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'tokenizer.model', 'chat_template.jinja', GENERATION_FILE];

function toFolder(open: OpenModel, out: string, options: SaveModelOptions): void {
  const ids = idFields({ begin: open.beginId, ends: open.stopIds }), own = (name: string): string => join(out, name), absent = (name: string): boolean => !existsSync(own(name));
  makeFolder(out);
  if (!isGguf(open.path)) { for (const name of COPIED_FILES) if (fileWithin(open.path, name) !== undefined) writeDurable(own(name), readFileSync(join(open.path, name))); }
  if (open.tokenizer !== undefined && absent('tokenizer.json')) saveTokenizer(open.tokenizer, own('tokenizer.json'));
  const template = open.chatTemplates?.templates.get('default');
  if (template !== undefined && absent('chat_template.jinja') && absent('tokenizer_config.json')) {
    writeDurable(own('chat_template.jinja'), template);
    writeDurable(own('tokenizer_config.json'), `${JSON.stringify(open.chatTemplates!.variables, null, 2)}\n`);
  }
  if (absent(GENERATION_FILE) && Object.keys(ids).length > 0) writeDurable(own(GENERATION_FILE), `${JSON.stringify(ids, null, 2)}\n`);
  saveModel(out, open.full, open.read, { ...open.rest, ...ids }, options);
}
