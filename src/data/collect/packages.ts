// Documents that are zip archives of XML: which of the files inside are read, within the limits. Layer: data.

import { RefusedError } from './limits.ts';
import type { Content } from './content.ts';
import type { ReadContext } from './reader.ts';
import { memberPath } from './limits.ts';
import { openZip } from './readers/zip.ts';

/**
 * The members of a package whose paths are wanted.
 *
 * @throws {RefusedError} if it is no archive, a wanted member is damaged, or a limit is passed
 */
export async function packageMembers(content: Content, context: ReadContext, isWanted: (path: string) => boolean): Promise<Map<string, Buffer>> {
  const { limits } = context.budget, archive = await openZip(await content.random(limits.heldBytes)), members = new Map<string, Buffer>();
  let held = 0;
  try {
    for await (const entry of archive.entries()) {
      context.budget.member();
      const path = memberPath(entry.name);
      if (path === undefined || !isWanted(path)) continue;
      if (entry.isEncrypted) throw new RefusedError('encrypted', `"${path}" is encrypted.`);
      const parts: Buffer[] = [];
      for await (const part of entry.stream((bytes) => context.budget.expand(bytes))) {
        held += part.length;
        if (held > limits.heldBytes) throw new RefusedError('too-large', `What it holds passes ${limits.heldBytes} bytes.`, { need: held, have: limits.heldBytes });
        parts.push(part);
      }
      members.set(path, Buffer.concat(parts));
    }
  } finally {
    archive.close();
  }
  return members;
}

/** Whether the first bytes are of a zip archive whose first members are such: packages begin with what they are. */
export const startsWithMember = (head: Buffer, ...names: readonly string[]): boolean => head[0] === 0x50 && head[1] === 0x4b && names.some((name) => head.subarray(0, 4096).includes(name));
