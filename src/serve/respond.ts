// Answers on their way to the client: whole, or as a stream that waits for slow readers. Layer: serve.

import type { ServerContext, ServerParts } from './context.ts';
import { Exchange } from './exchange.ts';
import type { RequestFault } from './fault.ts';
import { collect, type AnswerEvent, type ChatJob, type TextJob } from './job.ts';
import type { AnswerShape, StreamForm } from './protocols/form.ts';
import type { AnswerHead } from './protocols/openai-shared.ts';
import type { ServedModel } from './served-model.ts';

/** Encoded text that waits for a reader; beyond it the answer waits in the engine. */
const MAX_PENDING = 2 ** 20;

/**
 * Runs a job and answers in a protocol's shape. What goes wrong before the first token has the status of its fault;
 * after it, an error in the stream.
 *
 * @param prefix of the answer's id
 * @throws {RequestFault}
 */
export async function respond(c: ServerContext, server: ServerParts, job: ChatJob | TextJob, prefix: string, shapeOf: (head: AnswerHead) => AnswerShape): Promise<Response> {
  const exchange = new Exchange(c, server);
  try {
    const { model, promptTokens, events } = await exchange.begin(job), shape = shapeOf(headOf(model, promptTokens, `${prefix}${exchange.requestId.replace(/^req_/, '')}`));
    if (!job.stream) {
      const answer = await collect(events), body = shape.whole(answer);
      exchange.finish('done', 200);
      return c.json(body as object);
    }
    const first = await events.next();
    return streamed(c, server, exchange, chain(first, events), shape.stream(), job.promptField);
  } catch (error) {
    const fault = exchange.faultOf(error, job.promptField);
    exchange.finish(fault.kind === 'internal' || fault.kind === 'timeout' ? 'failed' : 'refused', fault.status, fault.cause);
    throw fault;
  }
}

function headOf({ name, tokenizer }: ServedModel, promptTokens: number, id: string): AnswerHead {
  return { id, model: name, promptTokens, now: () => performance.now(), createdSeconds: Math.floor(Date.now() / 1000), bytesOf: (token) => tokenizer?.bytesOf(token) ?? new Uint8Array() };
}

async function* chain(first: IteratorResult<AnswerEvent, void>, rest: AsyncGenerator<AnswerEvent, void>): AsyncGenerator<AnswerEvent, void> {
  if (first.done !== true) yield first.value;
  yield* rest;
}

function streamed(c: ServerContext, server: ServerParts, exchange: Exchange, events: AsyncGenerator<AnswerEvent, void>, form: StreamForm, promptField: string): Response {
  const pending = new PendingText(server.options.stallTimeoutMs, () => {
    exchange.cancel();
    c.env.outgoing.destroy(); // what is in the socket's own buffer goes too
  });
  void pump(exchange, events, form, pending, promptField);
  return c.body(pending.stream(), 200, { 'content-type': form.contentType, 'cache-control': 'no-cache', 'x-accel-buffering': 'no' });
}

async function pump(exchange: Exchange, events: AsyncGenerator<AnswerEvent, void>, form: StreamForm, pending: PendingText, promptField: string): Promise<void> {
  let fault: RequestFault | undefined;
  try {
    pending.write(form.begin());
    for await (const event of events) {
      pending.write(form.event(event));
      if (pending.isFull) await pending.room();
    }
    exchange.leave(); // a slow reader holds no place
    pending.write(form.end());
  } catch (error) {
    fault = exchange.faultOf(error, promptField);
    pending.write(form.error(fault));
  }
  await pending.end();
  if (fault === undefined) exchange.finish('done', 200);
  else exchange.finish('failed', fault.status, fault.cause);
}

/** Text between an answer and its reader: written eagerly, read when the socket has room. */
class PendingText {
  readonly #stallMs: number;
  readonly #cancel: () => void;
  readonly #encoder = new TextEncoder();
  #text = '';
  #ended = false;
  #gone = false;
  #wakeReader: () => void = () => {};
  #wakeWriter: () => void = () => {};
  #stall: NodeJS.Timeout | undefined;

  constructor(stallMs: number, cancel: () => void) {
    this.#stallMs = stallMs;
    this.#cancel = cancel;
  }

  get isFull(): boolean {
    return this.#text.length > MAX_PENDING && !this.#gone;
  }

  write(text: string): void {
    if (this.#gone || text === '') return;
    this.#text += text;
    this.#stall ??= setTimeout(() => this.#drop(), this.#stallMs);
    this.#wakeReader();
  }

  /** Resolves when the reader has taken what was there, or has gone. */
  async room(): Promise<void> {
    while (this.#text !== '' && !this.#gone) {
      await new Promise<void>((resolve) => {
        this.#wakeWriter = resolve;
      });
    }
  }

  /** Resolves when all is read. */
  async end(): Promise<void> {
    this.#ended = true;
    this.#wakeReader();
    await this.room();
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        while (this.#text === '' && !this.#ended && !this.#gone) {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
        if (this.#gone) return void controller.close();
        clearTimeout(this.#stall);
        this.#stall = undefined;
        const text = this.#text;
        this.#text = '';
        if (text !== '') controller.enqueue(this.#encoder.encode(text));
        if (this.#ended) controller.close();
        this.#wakeWriter();
      },
      cancel: () => this.#drop(),
    }, { highWaterMark: 0 });
  }

  #drop(): void {
    clearTimeout(this.#stall);
    this.#gone = true;
    this.#text = '';
    this.#cancel();
    this.#wakeReader();
    this.#wakeWriter();
  }
}
