// The section `post_processor` of a tokenizer.json: what frames a text, and how offsets are trimmed. Layer: tokenizer (pure).

import type { JsonNode } from '../base/checked-json.ts';
import { MAX_NESTING } from './json-normalizer.ts';
import type { SpanTrim } from './span-trim.ts';
import type { Template } from './tokenizer.ts';

/** What a post-processor asks for. */
export interface Framing {
  readonly template: Template;
  readonly trim: SpanTrim | undefined;
}

/** @throws {FormatError} if it asks for what is not supported; never ignores it */
export function readPostProcessor(node: JsonNode): Framing {
  const prefix: number[] = [], suffix: number[] = [];
  let trim: SpanTrim | undefined;
  for (const part of flat(node, 0)) {
    const type = part.field('type').supported('TemplateProcessing', 'ByteLevel', 'BertProcessing', 'RobertaProcessing');
    if (type === 'TemplateProcessing') {
      const sides = readTemplate(part);
      prefix.unshift(...sides.prefix);
      suffix.push(...sides.suffix);
    } else if (type !== 'ByteLevel') {
      prefix.unshift(part.field('cls').items()[1]?.id() ?? part.field('cls').items()[0]!.id());
      suffix.push(part.field('sep').items()[1]?.id() ?? part.field('sep').items()[0]!.id());
    }
    if ((type === 'ByteLevel' || type === 'RobertaProcessing') && part.field('trim_offsets').boolean(true)) {
      trim = { addPrefixSpace: part.field('add_prefix_space').boolean(true) };
    }
  }
  return { template: node.isNull ? { prefix, suffix } : { prefix, suffix, json: JSON.stringify(node.value) }, trim };
}

function flat(node: JsonNode, depth: number): JsonNode[] {
  if (node.isNull) return [];
  if (node.field('type').value !== 'Sequence') return [node];
  if (depth >= MAX_NESTING) throw node.error(`nests sequences deeper than ${MAX_NESTING}`);
  return node.field('processors').items().flatMap((item) => flat(item, depth + 1));
}

/** The ids before and behind the one sequence of `single`. */
function readTemplate(node: JsonNode): { prefix: number[]; suffix: number[] } {
  const prefix: number[] = [], suffix: number[] = [];
  let sequences = 0;
  for (const item of node.field('single').items()) {
    if (item.field('SpecialToken').isNull) {
      item.field('Sequence').field('id').supported('A');
      sequences++;
    } else {
      const name = item.field('SpecialToken').field('id').string();
      (sequences === 0 ? prefix : suffix).push(...node.field('special_tokens').field(name).field('ids').items().map((id) => id.id()));
    }
  }
  if (sequences !== 1) throw node.field('single').error(`holds the text ${sequences} times, not once`);
  return { prefix, suffix };
}
