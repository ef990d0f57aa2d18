// What the page knows and does: models, parameters, the conversation.

import { batch, signal } from '@preact/signals';
import { ask, listModels, ServerError, type Question, type Token } from './api.ts';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly text: string;
  readonly reasoning: string;
  readonly tokens: readonly Token[];
  /** How it ended; undefined while it comes. */
  readonly end?: 'stop' | 'length' | 'stopped' | { readonly failure: string };
  readonly tokensPerSecond?: number;
}

export const models = signal<readonly string[]>([]);
export const model = signal('');
export const key = signal(sessionStorage.getItem('key') ?? '');
export const needsKey = signal(false);
export const problem = signal('');
export const system = signal('');
export const temperature = signal(0.7);
export const topP = signal(0.95);
export const maxTokens = signal(512);
export const seed = signal('');
export const showProbabilities = signal(false);
export const messages = signal<readonly Message[]>([]);
export const draft = signal('');
/** The message that is being edited. */
export const edited = signal<number | undefined>(undefined);
/** Stops the answer that comes; undefined when none does. */
export const running = signal<AbortController | undefined>(undefined);

export async function loadModels(): Promise<void> {
  try {
    const names = await listModels(key.value);
    batch(() => {
      models.value = names;
      if (!names.includes(model.value)) model.value = names[0] ?? '';
      needsKey.value = false;
      problem.value = '';
    });
    sessionStorage.setItem('key', key.value);
  } catch (error) {
    if (error instanceof ServerError && (error.status === 401 || error.status === 403)) needsKey.value = true;
    problem.value = (error as Error).message;
  }
}

/** Sends a text behind the first `keep` messages; those after them go. */
export async function send(text: string, keep = messages.value.length): Promise<void> {
  if (text.trim() === '' || running.value !== undefined) return;
  const question: Message = { role: 'user', text, reasoning: '', tokens: [], end: 'stop' };
  batch(() => {
    messages.value = [...messages.value.slice(0, keep), question];
    edited.value = undefined;
  });
  await answer();
}

/** Asks again for an answer: the messages from it on go. */
export async function resend(index: number): Promise<void> {
  if (running.value !== undefined) return;
  messages.value = messages.value.slice(0, index);
  await answer();
}

export function stop(): void {
  running.value?.abort();
}

export function startAnew(): void {
  stop();
  batch(() => {
    messages.value = [];
    edited.value = undefined;
  });
}

async function answer(): Promise<void> {
  const controller = new AbortController(), earlier = messages.value, began = performance.now();
  running.value = controller;
  let reply: Message = { role: 'assistant', text: '', reasoning: '', tokens: [] };
  const show = (change: Partial<Message>): void => {
    reply = { ...reply, ...change };
    messages.value = [...earlier, reply];
  };
  show({});
  try {
    for await (const piece of ask(questionOf(earlier), key.value, controller.signal)) {
      const tokens = [...reply.tokens, ...piece.tokens];
      show({ text: reply.text + piece.text, reasoning: reply.reasoning + piece.reasoning, tokens, tokensPerSecond: tokens.length / ((performance.now() - began) / 1000) });
      if (piece.finish !== null) show({ end: piece.finish === 'length' ? 'length' : 'stop' });
    }
    if (reply.end === undefined) show({ end: 'stop' });
  } catch (error) {
    if (error instanceof ServerError && error.status === 401) needsKey.value = true;
    show({ end: controller.signal.aborted ? 'stopped' : { failure: (error as Error).message } });
  } finally {
    running.value = undefined;
  }
}

function questionOf(earlier: readonly Message[]): Question {
  const told = earlier.filter(({ text }) => text !== '').map(({ role, text }) => ({ role, content: text }));
  return {
    model: model.value,
    messages: [...(system.value === '' ? [] : [{ role: 'system', content: system.value }]), ...told],
    temperature: temperature.value,
    top_p: topP.value,
    max_tokens: maxTokens.value,
    ...(seed.value === '' ? {} : { seed: Number(seed.value) }),
  };
}
