// A provider for the Vercel AI SDK: a model in one's own program behind generateText, streamText and embed. Layer: serve.
// The SDK's interface by its specification v3 (@ai-sdk/provider 3, of ai 6); only types of it are imported.

import type { EmbeddingModelV3, LanguageModelV3, LanguageModelV3CallOptions, LanguageModelV3Content, LanguageModelV3FinishReason, LanguageModelV3Message, LanguageModelV3StreamPart, LanguageModelV3ToolResultOutput, LanguageModelV3Usage, SharedV3Warning } from '@ai-sdk/provider';
import type { ChatMessage } from '../tokenizer/index.ts';
import type { AnswerEvent, EndReason, Tool, Usage } from './job.ts';
import type { ChatOptions, LocalModel } from './library.ts';
import { RequestFault } from './fault.ts';

const PROVIDER = 'athanor';

/**
 * A model as the SDK's language model.
 *
 * @example
 * const { text } = await generateText({ model: languageModel(await open('models/chat')), prompt: 'Hello' });
 */
export function languageModel(model: LocalModel): LanguageModelV3 {
  return {
    specificationVersion: 'v3',
    provider: PROVIDER,
    modelId: model.name,
    supportedUrls: {},
    async doGenerate(options) {
      const { chat, warnings } = optionsOf(options), answer = await model.reply(options.prompt.flatMap(messagesOf), chat);
      const content: LanguageModelV3Content[] = [
        ...(answer.reasoning === '' ? [] : [{ type: 'reasoning' as const, text: answer.reasoning }]),
        ...(answer.text === '' ? [] : [{ type: 'text' as const, text: answer.text }]),
        ...answer.calls.map(({ id, name, arguments: input }) => ({ type: 'tool-call' as const, toolCallId: id, toolName: name, input })),
      ];
      return { content, finishReason: finishOf(answer.reason), usage: usageOf(answer.usage), warnings };
    },
    async doStream(options) {
      const { chat, warnings } = optionsOf(options), parts = streamParts(model.chat(options.prompt.flatMap(messagesOf), chat), warnings);
      return { stream: toStream(parts) };
    },
  };
}

/** A model as the SDK's embedding model. */
export function embeddingModel(model: LocalModel): EmbeddingModelV3 {
  return {
    specificationVersion: 'v3',
    provider: PROVIDER,
    modelId: model.name,
    maxEmbeddingsPerCall: 2048,
    supportsParallelCalls: false,
    async doEmbed({ values, abortSignal }) {
      const vectors = await model.embed(values, abortSignal === undefined ? {} : { signal: abortSignal });
      return { embeddings: vectors.map((vector) => [...vector]), warnings: [] };
    },
  };
}

function optionsOf(options: LanguageModelV3CallOptions): { chat: ChatOptions; warnings: SharedV3Warning[] } {
  const { toolChoice: choice, responseFormat: format } = options, warnings: SharedV3Warning[] = [], tools: Tool[] = [];
  for (const tool of options.tools ?? []) {
    if (tool.type === 'function') tools.push({ name: tool.name, description: tool.description, parameters: tool.inputSchema as Record<string, unknown> });
    else warnings.push({ type: 'unsupported', feature: `provider tool "${tool.name}"` });
  }
  return {
    warnings,
    chat: {
      signal: options.abortSignal,
      maxTokens: options.maxOutputTokens,
      temperature: options.temperature,
      topP: options.topP,
      topK: options.topK,
      presencePenalty: options.presencePenalty,
      frequencyPenalty: options.frequencyPenalty,
      stop: options.stopSequences,
      seed: options.seed,
      tools,
      toolChoice: choice === undefined ? 'auto' : choice.type === 'tool' ? { name: choice.toolName } : choice.type,
      form: format?.type === 'json' ? (format.schema === undefined ? { kind: 'json' } : { kind: 'schema', schema: format.schema }) : undefined,
    },
  };
}

/** One message there may be several here: results of tools have messages of their own. */
function messagesOf(message: LanguageModelV3Message): ChatMessage[] {
  switch (message.role) {
    case 'system':
      return [{ role: 'system', content: message.content }];
    case 'user':
      return [{ role: 'user', content: message.content.map((part) => (part.type === 'text' ? part.text : refuse(part.type))).join('') }];
    case 'assistant': {
      const of = (type: 'text' | 'reasoning'): string => message.content.map((part) => (part.type === type ? (part as { text: string }).text : '')).join('');
      const calls = message.content.flatMap((part) => (part.type === 'tool-call' ? [{ id: part.toolCallId, type: 'function', function: { name: part.toolName, arguments: typeof part.input === 'string' ? part.input : JSON.stringify(part.input) } }] : []));
      return [{ role: 'assistant', content: of('text'), ...(of('reasoning') === '' ? {} : { reasoning_content: of('reasoning') }), ...(calls.length === 0 ? {} : { tool_calls: calls }) }];
    }
    case 'tool':
      return message.content.flatMap((part) => (part.type === 'tool-result' ? [{ role: 'tool', tool_call_id: part.toolCallId, name: part.toolName, content: textOf(part.output) }] : []));
    default:
      return message satisfies never;
  }
}

function refuse(type: string): never {
  throw new RequestFault('invalid', `Cannot read a part of type "${type}": this model reads text only.`, { field: 'prompt' });
}

function textOf(output: LanguageModelV3ToolResultOutput): string {
  if (output.type === 'text' || output.type === 'error-text') return output.value;
  return output.type === 'execution-denied' ? output.reason ?? 'denied' : JSON.stringify(output.value);
}

function finishOf(reason: EndReason): LanguageModelV3FinishReason {
  return { unified: reason === 'calls' ? 'tool-calls' : reason, raw: reason };
}

function usageOf({ promptTokens, cachedTokens, completionTokens }: Usage): LanguageModelV3Usage {
  return {
    inputTokens: { total: promptTokens, noCache: promptTokens - cachedTokens, cacheRead: cachedTokens, cacheWrite: undefined },
    outputTokens: { total: completionTokens, text: undefined, reasoning: undefined },
  };
}

async function* streamParts(events: AsyncIterable<AnswerEvent>, warnings: SharedV3Warning[]): AsyncGenerator<LanguageModelV3StreamPart> {
  yield { type: 'stream-start', warnings };
  let open: { kind: 'text' | 'reasoning'; id: string } | undefined, n = 0, reason: EndReason = 'stop';
  const close = (): LanguageModelV3StreamPart[] => {
    const ended: LanguageModelV3StreamPart[] = open === undefined ? [] : [{ type: `${open.kind}-end`, id: open.id }];
    open = undefined;
    return ended;
  };
  for await (const event of events) {
    if (event.kind === 'text' || event.kind === 'reasoning') {
      if (event.text === '') continue;
      if (open?.kind !== event.kind) {
        yield* close();
        open = { kind: event.kind, id: String(n++) };
        yield { type: `${event.kind}-start`, id: open.id };
      }
      yield { type: `${event.kind}-delta`, id: open.id, delta: event.text };
    } else if (event.kind === 'call') {
      const { id, name, arguments: input } = event.call;
      yield* close();
      yield { type: 'tool-input-start', id, toolName: name };
      yield { type: 'tool-input-delta', id, delta: input };
      yield { type: 'tool-input-end', id };
      yield { type: 'tool-call', toolCallId: id, toolName: name, input };
    } else if (event.kind === 'end') reason = event.reason;
    else {
      yield* close();
      yield { type: 'finish', finishReason: finishOf(reason), usage: usageOf(event.usage) };
    }
  }
}

function toStream(parts: AsyncGenerator<LanguageModelV3StreamPart>): ReadableStream<LanguageModelV3StreamPart> {
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await parts.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await parts.return(undefined);
    },
  });
}
