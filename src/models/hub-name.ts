// Names of models on a hub, and which of a repository's files are fetched. Layer: models (pure).

import { ConfigError, FormatError } from '../base/errors.ts';
import { PICKLE_NAME, PICKLE_REASON } from './foreign-files.ts';

/** `hub:owner/name[@revision][:file.gguf]`. */
export interface HubName {
  readonly name: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
  /** The GGUF file of a repository that has several. */
  readonly file: string | undefined;
}

const PREFIX = 'hub:';

/** Whether a word names a model of a hub. */
export function isHubName(word: string): boolean {
  return word.startsWith(PREFIX);
}

/** @throws {ConfigError} if the word is no such name */
export function parseHubName(word: string): HubName {
  const match = /^hub:((?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95})(?:@([\w][\w./-]{0,199}))?(?::([\w][\w.-]{0,199}\.gguf))?$/.exec(word);
  if (match === null || word.includes('..')) throw new ConfigError(`Cannot read "${word}": a model on a hub is named hub:owner/name, hub:owner/name@revision, or hub:owner/name:file.gguf.`, { path: 'model' });
  return { name: match[1]!, revision: match[2] ?? 'main', file: match[3] };
}

/** A file of a repository at a commit. */
export interface HubFile {
  readonly path: string;
  readonly size: number;
  /** What its content hashes to: SHA-256 for large files, Git's SHA-1 of a blob for others. */
  readonly hash: string;
  readonly algorithm: 'sha256' | 'git-sha1';
}

/** Nothing else is fetched: no code, no pickles, nothing hidden, nothing in folders. */
const ALLOWED = /^[A-Za-z0-9_][\w.+-]{0,250}\.(safetensors|json|model|txt|jinja|gguf|md|tiktoken)$/;

/** Everything but weights is read whole, so that it may not be large. */
const MAX_TEXT_BYTES = 128 * 2 ** 20;

/**
 * The files of a repository that make a model.
 *
 * @param files all of the repository's
 * @throws {FormatError} if there are only pickles, or a size that cannot be
 * @throws {ConfigError} if there are several GGUF files and none is chosen, or the chosen one is not there
 */
export function filesToFetch(files: readonly HubFile[], { name, file }: HubName): HubFile[] {
  const allowed = files.filter(({ path }) => ALLOWED.test(path) && !PICKLE_NAME.test(path)), where = `hub:${name}`;
  for (const { path, size } of allowed) {
    const most = /\.(safetensors|gguf)$/.test(path) ? 2 ** 44 : MAX_TEXT_BYTES;
    if (!Number.isSafeInteger(size) || size < 0 || size > most) throw new FormatError(`Cannot fetch "${path}" of ${where}: its size is said to be ${size} bytes, and at most ${most} are fetched.`, { path: where });
  }
  const ending = (end: string): HubFile[] => allowed.filter(({ path }) => path.endsWith(end)), ggufs = ending('.gguf'), tensors = ending('.safetensors');
  if (file !== undefined || (tensors.length === 0 && ggufs.length > 0)) return [chosenGguf(ggufs, file, where)];
  if (tensors.length === 0) {
    const pickle = files.find(({ path }) => PICKLE_NAME.test(path));
    throw new FormatError(`Cannot use ${where}: it has no safetensors or GGUF files${pickle === undefined ? '.' : `; its weights are in "${pickle.path}", and ${PICKLE_REASON}`}`, { path: where });
  }
  // Beside the model's own files there may be a second copy of the weights in another layout (consolidated.safetensors).
  const own = tensors.filter(({ path }) => /^model[.-]/.test(path)), weights = own.length > 0 ? own : tensors;
  return [...allowed.filter(({ path }) => !/\.(safetensors|gguf)$/.test(path)), ...weights];
}

function chosenGguf(ggufs: readonly HubFile[], file: string | undefined, where: string): HubFile {
  const found = file === undefined && ggufs.length === 1 ? ggufs[0] : ggufs.find(({ path }) => path === file);
  if (found !== undefined) return found;
  const names = ggufs.map(({ path }) => path).join(', ') || 'none';
  throw new ConfigError(`Cannot choose a file of ${where}: its GGUF files are ${names}. Name one: ${where}:FILE.gguf.`, { path: 'model' });
}
