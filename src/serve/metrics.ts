// What a server counts, for Prometheus. Layer: serve.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Seconds, from a token of a small model to a long prompt of a large one. */
const TOKEN_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5];
const ANSWER_SECONDS = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60, 120, 300, 600];

/** Sizes that are read when somebody asks. */
export interface Gauges {
  running(): number;
  waiting(): number;
}

export class Metrics {
  readonly #registry = new Registry();
  readonly requests = new Counter({ name: 'athanor_requests_total', help: 'Requests by route and outcome', labelNames: ['route', 'status', 'outcome'], registers: [this.#registry] });
  readonly promptTokens = new Counter({ name: 'athanor_prompt_tokens_total', help: 'Tokens of prompts', labelNames: ['model'], registers: [this.#registry] });
  readonly cachedTokens = new Counter({ name: 'athanor_cached_prompt_tokens_total', help: 'Tokens of prompts that were in the cache', labelNames: ['model'], registers: [this.#registry] });
  readonly completionTokens = new Counter({ name: 'athanor_completion_tokens_total', help: 'Tokens generated', labelNames: ['model'], registers: [this.#registry] });
  readonly firstToken = new Histogram({ name: 'athanor_time_to_first_token_seconds', help: 'From the request to its first token', labelNames: ['model'], buckets: ANSWER_SECONDS, registers: [this.#registry] });
  readonly betweenTokens = new Histogram({ name: 'athanor_time_between_tokens_seconds', help: 'Between two events of an answer', labelNames: ['model'], buckets: TOKEN_SECONDS, registers: [this.#registry] });
  readonly queueSeconds = new Histogram({ name: 'athanor_queue_seconds', help: 'Waiting for a place', buckets: ANSWER_SECONDS, registers: [this.#registry] });
  readonly answerSeconds = new Histogram({ name: 'athanor_answer_seconds', help: 'From the request to the end of its answer', labelNames: ['model'], buckets: ANSWER_SECONDS, registers: [this.#registry] });
  readonly cacheHits = new Histogram({ name: 'athanor_prefix_cache_hit_ratio', help: 'Share of a prompt that was in the cache', labelNames: ['model'], buckets: [0, 0.1, 0.25, 0.5, 0.75, 0.9, 1], registers: [this.#registry] });
  readonly joulesPerToken = new Histogram({ name: 'athanor_joules_per_token', help: 'Energy of the processor package by token, all work of the machine included', buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100], registers: [this.#registry] });

  constructor(gauges: Gauges) {
    const gauge = (name: string, help: string, read: () => number): void => {
      // oxlint-disable-next-line no-new
      new Gauge({ name, help, registers: [this.#registry], collect() {
        this.set(read());
      } });
    };
    gauge('athanor_requests_running', 'Requests being answered', () => gauges.running());
    gauge('athanor_requests_waiting', 'Requests waiting for a place', () => gauges.waiting());
    gauge('process_resident_memory_bytes', 'Resident memory', () => process.memoryUsage.rss());
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}
