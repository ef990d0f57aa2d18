// Chat templates: from a conversation to the token ids of a prompt. Layer: tokenizer (processes; not for browsers).
// A template is a program of a stranger. It runs in a process of its own with little memory and an empty environment,
// which is ended when it takes too long, and is given JSON alone. (A thread will not do: V8 ends the whole process when a
// single text of a thread does not fit its memory, whatever its limits are.)

import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ConfigError, FormatError } from '../base/errors.ts';
import { templateVariables, type Conversation } from './chat-conversation.ts';
import type { ChatPiece, RenderJob } from './chat-template-render.ts';
import type { ChatTemplateSource } from './chat-template-source.ts';
import type { RenderReply } from './chat-template-process.ts';
import { alternatives } from './marked-text.ts';
import type { AddedToken, Tokenizer } from './tokenizer.ts';

/** A rendered prompt. */
export interface ChatPrompt {
  readonly text: string;
  readonly pieces: readonly ChatPiece[];
  readonly ids: readonly number[];
}

/** The longest prompt with the largest template takes some tenths of a second. */
const TIMEOUT_MS = 2000;

/** Megabytes of values; the code itself takes some ten of them. */
const MEMORY_MB = 96;

/**
 * A model's chat template with its tokenizer.
 *
 * @example
 * const template = new ChatTemplate(loadChatTemplates('models/x')!, loadTokenizer('models/x'));
 * const { ids } = await template.render({ messages: [{ role: 'user', content: 'Hello' }] });
 */
export class ChatTemplate {
  readonly #source: ChatTemplateSource;
  readonly #tokenizer: Tokenizer;
  readonly #control: ReadonlyMap<string, number>;
  /** What user text must not become though it is not special to the tokenizer, such as `<tool_call>`. */
  readonly #markup: RegExp | undefined;
  #process: ChildProcess | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(source: ChatTemplateSource, tokenizer: Tokenizer) {
    this.#source = source;
    this.#tokenizer = tokenizer;
    const control = tokenizer.added.filter(isControl), markup = control.filter(({ special }) => !special);
    this.#control = new Map(control.map(({ content, id }) => [content, id]));
    this.#markup = markup.length === 0 ? undefined : alternatives(markup.map(({ content }) => content));
  }

  /** Names of the templates; `default` is the one that is used if there are tools and no `tool_use`. */
  get names(): readonly string[] {
    return [...this.#source.templates.keys()];
  }

  /**
   * The prompt of a conversation. Control tokens are those that the template itself wrote: text from outside becomes
   * none, whatever it says, and comes back as it was when the ids are decoded.
   *
   * @param options.name which template; by default `tool_use` where there are tools and such a template, or `default`
   * @param options.now for templates that write the date
   * @throws {ConfigError} if this is no conversation, or the template refuses it
   * @throws {FormatError} if the template is no template, takes too long or too much memory
   */
  async render(conversation: Conversation, options: { readonly name?: string; readonly now?: Date } = {}): Promise<ChatPrompt> {
    const { templates, variables: own, path } = this.#source, usual = conversation.tools !== undefined && templates.has('tool_use') ? 'tool_use' : 'default';
    const name = options.name ?? usual, template = templates.get(name);
    if (template === undefined) throw new ConfigError(`Cannot use the chat template "${name}": "${path}" has ${this.names.join(', ')}.`, { path: 'template' });
    const job = { template, own, variables: templateVariables(conversation), control: [...this.#control.keys()], now: (options.now ?? new Date()).getTime() };
    const reply = await this.#run(job);
    if ('failure' in reply) {
      if (reply.refused) throw new ConfigError(`Cannot make a prompt: the chat template of "${path}" refuses this conversation: ${reply.failure}`, { path: 'messages' });
      throw this.#fault(reply.failure);
    }
    return { text: reply.pieces.map(({ text }) => text).join(''), pieces: reply.pieces, ids: this.#idsOf(reply.pieces) };
  }

  /** Ends the process. Another `render` starts a new one. */
  async close(): Promise<void> {
    await this.#last;
    this.#process?.kill('SIGKILL');
    this.#process = undefined;
  }

  #fault(why: string): FormatError {
    return new FormatError(`Cannot use the chat template of "${this.#source.path}": ${why}. Give another template, or the prompt as text.`, { path: this.#source.path });
  }

  /** One job at a time: a process that is ended would take others with it. */
  #run(job: RenderJob): Promise<RenderReply> {
    const next = this.#last.then(() => this.#send(job));
    this.#last = next.catch(() => undefined);
    return next;
  }

  #send(job: RenderJob): Promise<RenderReply> {
    const child = (this.#process ??= start());
    return new Promise((resolve, reject) => {
      const end = (why: string): void => {
        done();
        this.#process = undefined;
        child.kill('SIGKILL');
        reject(this.#fault(why));
      };
      const onMessage = (reply: RenderReply): void => {
        done();
        resolve(reply);
      };
      const onError = (error: Error): void => end(error.message);
      const onExit = (): void => end(`it took more than ${MEMORY_MB} MB of memory, or crashed`);
      const timer = setTimeout(() => end(`it did not end within ${TIMEOUT_MS / 1000} seconds`), TIMEOUT_MS);
      const done = (): void => {
        clearTimeout(timer);
        child.off('message', onMessage).off('error', onError).off('exit', onExit);
        holdOpen(child, false);
      };
      child.on('message', onMessage).on('error', onError).on('exit', onExit);
      holdOpen(child, true);
      child.send(job, (error) => {
        if (error !== null) end(error.message);
      });
    });
  }

  #idsOf(pieces: readonly ChatPiece[]): number[] {
    return pieces.flatMap(({ kind, text }) => (kind === 'control' ? [this.#control.get(text)!] : this.#ordinary(text)));
  }

  /** Ids of text in which no added token is more than its characters. */
  #ordinary(text: string): number[] {
    const ids: number[] = [], markup = this.#markup;
    let from = 0;
    // A token that is cut behind its first character is no token any more.
    if (markup !== undefined) {
      for (const { index } of text.matchAll(markup)) {
        const cut = index + (text.codePointAt(index)! > 0xffff ? 2 : 1);
        ids.push(...this.#tokenizer.encode(text.slice(from, cut), { addSpecialTokens: false }));
        from = cut;
      }
    }
    ids.push(...this.#tokenizer.encode(text.slice(from), { addSpecialTokens: false }));
    return ids;
  }
}

/** Whether an added token steers the model: what is special, and what looks like markup (`<tool_call>`, `[INST]`, `</think>`). */
function isControl({ content, special }: AddedToken): boolean {
  return content.trim() !== '' && (special || /^[<[{|].*[>\]}|]$/su.test(content));
}

/** A process without this one's environment, and silent. */
function start(): ChildProcess {
  // From source (tests) what is built is started: Node.js 20 runs no TypeScript.
  const entry = new URL(import.meta.url.endsWith('.ts') ? '../../dist/tokenizer/chat-template-process.js' : './chat-template-process.js', import.meta.url);
  const child = fork(fileURLToPath(entry), [], { execArgv: [`--max-old-space-size=${MEMORY_MB}`], env: {}, stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  return child.on('error', () => undefined); // told by whoever waits for it
}

/** Whether this process stays alive for the other. */
function holdOpen(child: ChildProcess, hold: boolean): void {
  if (hold) {
    child.ref();
    child.channel?.ref();
  } else {
    child.unref();
    child.channel?.unref();
  }
}
