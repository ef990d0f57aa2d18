// Files that are often given for a model and are none: told by their first bytes, with what to do instead.
// Layer: models (pure).

/** Names of files that Python's pickle wrote, by PyTorch's habits. */
export const PICKLE_NAME = /\.(bin|pt|pth|ckpt|pkl|pickle)$/i;

/** Why no pickle is read, and the way out. */
export const PICKLE_REASON = [
  'a PyTorch pickle is a program that runs when it is loaded, so it is never read.',
  'Get the safetensors files of this model instead, or, if you trust it, convert it where transformers is installed:',
  `python -c "from transformers import AutoModelForCausalLM as M; M.from_pretrained('FOLDER').save_pretrained('OUT')"`,
].join(' ');

/**
 * What bytes at the beginning of a file say that it is.
 *
 * @param prefix eight bytes or more
 * @returns what follows "Cannot read …: ", with a remedy, or undefined if it is nothing that is known
 */
export function foreignKind(prefix: Uint8Array): string | undefined {
  const text = String.fromCharCode(...prefix.subarray(0, 8)), [first, second] = prefix;
  if (text.startsWith('PK\x03\x04')) return `it is a zip file, as PyTorch writes its pickles: ${PICKLE_REASON}`;
  // PROTO and a version, then at least one more opcode: protocols 2 to 5. (Python's docs, pickletools.)
  if (first === 0x80 && second! >= 2 && second! <= 5) return `it is a Python pickle: ${PICKLE_REASON}`;
  if (text.startsWith('version ')) return 'it is a Git LFS pointer, which only names the file. Get the file itself (git lfs pull)';
  if (text.startsWith('GGUF')) return 'it is a GGUF file. Give it a name that ends in .gguf';
  if (/^\s*<(!doctyp|html)/i.test(text)) return 'it is a web page, perhaps an error in place of a download. Get the file again';
  return undefined;
}
