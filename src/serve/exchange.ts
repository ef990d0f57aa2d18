// One request that is answered by a model: its turn, its time, its end, and what is counted of it. Layer: serve.

import type { Lease } from '../engine/index.ts';
import type { Admission, Leave } from './admission.ts';
import { answer } from './answer.ts';
import type { ServerContext, ServerParts } from './context.ts';
import { faultOf, RequestFault } from './fault.ts';
import type { AnswerEvent, ChatJob, TextJob, Usage } from './job.ts';
import { prepareJob } from './prepare.ts';
import type { ServedModel } from './served-model.ts';
import { requestSpan, type RequestSpan } from './spans.ts';

/** How a request ended: exactly one for each. */
export type Outcome = 'done' | 'failed' | 'refused' | 'cancelled';

/** A request from its arrival to its end. `finish` may be called by whoever notices first; only the first call counts. */
export class Exchange {
  readonly requestId: string;
  readonly signal: AbortSignal;
  readonly #server: ServerParts;
  readonly #c: ServerContext;
  readonly #stop = new AbortController();
  readonly #began = performance.now();
  readonly #span: RequestSpan;
  readonly #onClose: () => void;
  #deadline: NodeJS.Timeout | undefined;
  #why: RequestFault | undefined;
  #leave: Leave = () => {};
  #lease: Lease<ServedModel> | undefined;
  #usage: Usage | undefined;
  #firstTokenMs: number | undefined;
  #joules: number | undefined;
  #isFinished = false;

  constructor(c: ServerContext, server: ServerParts) {
    this.#c = c;
    this.#server = server;
    this.requestId = c.get('requestId');
    this.signal = this.#stop.signal;
    this.#span = requestSpan(c.req.path, this.requestId);
    this.#onClose = () => {
      if (!this.#isFinished) this.cancel();
    };
    c.env.outgoing.once('close', this.#onClose);
  }

  /**
   * Waits for a turn and begins the answer.
   *
   * @throws {RequestFault}
   */
  async begin(job: ChatJob | TextJob): Promise<{ model: ServedModel; promptTokens: number; events: AsyncGenerator<AnswerEvent, void> }> {
    const { registry, options, metrics } = this.#server;
    registry.entry(job.model); // an unknown name is told at once
    await this.enter();
    const lease = this.#lease = await registry.acquire(job.model), { model } = lease;
    const prepared = await prepareJob(job, model);
    metrics.queueSeconds.observe(this.#seconds());
    this.#span.queued(model.name);
    this.#deadline = setTimeout(() => this.cancel(new RequestFault('timeout', `Cannot finish the answer: it took more than ${options.answerTimeoutMs / 1000} seconds. Ask for fewer tokens.`)), options.answerTimeoutMs);
    this.#joules = this.#server.energy?.joules();
    return { model, promptTokens: prepared.prompts.reduce((sum, { length }) => sum + length, 0), events: this.#observed(answer(model, prepared, this.signal), model) };
  }

  /** Takes a place and a model for work that is no text, such as embeddings. @throws {RequestFault} */
  async borrow(name: string): Promise<ServedModel> {
    this.#server.registry.entry(name);
    await this.enter();
    this.#lease = await this.#server.registry.acquire(name);
    return this.#lease.model;
  }

  async enter(admission: Admission = this.#server.admission): Promise<void> {
    this.#c.get('holder')?.admit();
    this.#leave = await admission.enter(this.signal);
  }

  /** Ends the work: the client has gone, or has had its time. */
  cancel(why?: RequestFault): void {
    if (this.#isFinished) return;
    this.#why = why;
    this.#stop.abort();
    if (why === undefined) this.finish('cancelled', 499); // nginx's status for a client that closed its request
  }

  /** Any error as what the client is told. */
  faultOf(error: unknown, promptField?: string): RequestFault {
    return this.#why ?? faultOf(error, promptField);
  }

  /** Counts what work that is no text took. */
  count(usage: Usage): void {
    this.#usage = usage;
  }

  /** The place is free for the next one; the answer may still be on its way to a slow reader. */
  leave(): void {
    this.#leave();
    this.#lease?.release();
    clearTimeout(this.#deadline);
  }

  /** @param cause what a failure came of, for the log */
  finish(outcome: Outcome, status: number, cause?: unknown): void {
    if (this.#isFinished) return;
    this.#isFinished = true;
    this.#c.env.outgoing.off('close', this.#onClose);
    this.leave();
    const { metrics, log } = this.#server, usage = this.#usage, model = this.#lease?.model.name, seconds = this.#seconds();
    metrics.requests.inc({ route: this.#c.req.path, status: String(status), outcome });
    if (model !== undefined) metrics.answerSeconds.observe({ model }, seconds);
    if (usage !== undefined) this.#c.get('holder')?.spend(usage.promptTokens + usage.completionTokens);
    this.#span.end(outcome, status, usage);
    log.write('request', {
      id: this.requestId,
      route: this.#c.req.path,
      key: this.#c.get('holder')?.name,
      model,
      outcome,
      status,
      seconds: Math.round(seconds * 1e4) / 1e4,
      firstTokenSeconds: this.#firstTokenMs === undefined ? undefined : Math.round(this.#firstTokenMs * 10) / 1e4,
      promptTokens: usage?.promptTokens,
      cachedTokens: usage?.cachedTokens,
      completionTokens: usage?.completionTokens,
      ...(cause instanceof Error && status >= 500 ? { error: cause.stack ?? cause.message } : {}),
    });
  }

  #seconds(): number {
    return (performance.now() - this.#began) / 1000;
  }

  async *#observed(events: AsyncGenerator<AnswerEvent, void>, { name: model }: ServedModel): AsyncGenerator<AnswerEvent, void> {
    const { metrics } = this.#server;
    let last: number | undefined;
    for await (const event of events) {
      const now = performance.now();
      if (last === undefined) {
        this.#firstTokenMs = now - this.#began;
        metrics.firstToken.observe({ model }, this.#firstTokenMs / 1000);
        this.#span.firstToken();
      } else if (event.kind === 'text') metrics.betweenTokens.observe({ model }, (now - last) / 1000);
      last = now;
      if (event.kind === 'usage') this.#account(event.usage, model);
      yield event;
    }
  }

  #account(usage: Usage, model: string): void {
    const { metrics } = this.#server;
    this.#usage = usage;
    metrics.promptTokens.inc({ model }, usage.promptTokens);
    metrics.cachedTokens.inc({ model }, usage.cachedTokens);
    metrics.completionTokens.inc({ model }, usage.completionTokens);
    if (usage.promptTokens > 0) metrics.cacheHits.observe({ model }, usage.cachedTokens / usage.promptTokens);
    const joules = this.#server.energy?.joules();
    if (joules !== undefined && this.#joules !== undefined && usage.completionTokens > 0) metrics.joulesPerToken.observe(Math.max(0, joules - this.#joules) / usage.completionTokens);
  }
}
