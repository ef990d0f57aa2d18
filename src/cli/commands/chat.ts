// athanor chat. Layer: cli.

import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { readFileSync } from 'node:fs';
import { parseJson } from '../../base/checked-json.ts';
import { ConfigError, InterruptedError } from '../../base/errors.ts';
import { LocalModel } from '../../serve/library.ts';
import { RequestFault, serveModel, type AnswerEvent, type Tool, type ToolCall } from '../../serve/index.ts';
import type { ChatMessage } from '../../tokenizer/index.ts';
import type { Arguments } from '../arguments.ts';
import { EXECUTOR_OPTIONS, type Command, type Io } from '../command.ts';
import { openExecutor } from '../executors.ts';
import { MODEL_ARGUMENT, openModel } from '../open-model.ts';
import { SAMPLING_OPTIONS, samplingOf, wholeNumber } from '../sampling-options.ts';

export const chat: Command = {
  name: 'chat',
  about: [
    'Talks with a model by its chat template, remembering what was said. A line is a message; a line that ends with \\ goes on.',
    'Ctrl-C stops an answer, and between answers ends the chat. /new forgets all, /undo takes the last message back, /help lists',
    'these. With --tools FILE the model may call tools: a JSON list of {name, description, parameters, command}; a command is run',
    'with the arguments as JSON on its standard input, after you have said yes (--yes asks no more). Without a terminal, standard',
    'input is messages line by line; with --json each answer is one line: {text, reasoning, calls, finishReason, usage}.',
  ].join('\n'),
  arguments: [MODEL_ARGUMENT],
  options: {
    system: { kind: 'text', value: 'TEXT', about: 'what the model is told first' },
    tools: { kind: 'text', value: 'FILE', about: 'tools that the model may call' },
    yes: { kind: 'flag', about: 'run tools without asking' },
    'max-tokens': { kind: 'number', value: 'N', about: 'most new tokens of an answer (default: what there is room for)' },
    context: { kind: 'number', value: 'N', about: "most tokens of the conversation (default: the model's own, at most 2048)" },
    ...SAMPLING_OPTIONS,
    ...EXECUTOR_OPTIONS,
  },
  examples: ['athanor chat models/qwen3-0.6b', 'athanor chat models/qwen3-0.6b --system "Be brief." --tools tools.json', 'echo "What is a monad?" | athanor chat models/qwen3-0.6b --json'],
  async run(args, io) {
    const tools = readTools(args.text('tools')), context = wholeNumber(args, 'context'), open = await openModel(args.words[0]!, io);
    const model = new LocalModel(serveModel(open, { name: args.words[0]!, executor: await openExecutor(args, io), engine: { maxSeqs: 1, ...(context === undefined ? {} : { maxLength: context }) } }));
    try {
      await new Chat(model, tools, args, io).run();
    } finally {
      await model.close();
    }
  },
};

/** A tool and the command that it stands for. */
interface CommandTool extends Tool {
  readonly command: readonly string[];
}

function readTools(path: string | undefined): CommandTool[] {
  if (path === undefined) return [];
  return parseJson(readFileSync(path, 'utf8'), path).items().map((node) => {
    const parameters = node.field('parameters'), description = node.field('description');
    return {
      name: node.field('name').string(),
      command: node.field('command').items().map((word) => word.string()),
      ...(description.isNull ? {} : { description: description.string() }),
      ...(parameters.isNull ? {} : { parameters: parameters.object() }),
    };
  });
}

/** Calls in a row without a message between them: a model that goes on for ever is stopped. */
const MAX_CALL_ROUNDS = 8;
const TOOL_TIMEOUT_MS = 60_000;
const HELP = '/new forgets the conversation, /undo takes the last message back, /quit ends.\n';

class Chat {
  readonly #model: LocalModel;
  readonly #tools: readonly CommandTool[];
  readonly #args: Arguments;
  readonly #io: Io;
  readonly #lines: AsyncIterator<string>;
  readonly #terminal = process.stdin.isTTY && process.stdout.isTTY;
  readonly #reader: ReturnType<typeof createInterface>;
  #messages: ChatMessage[] = [];
  #answering: AbortController | undefined;

  constructor(model: LocalModel, tools: readonly CommandTool[], args: Arguments, io: Io) {
    [this.#model, this.#tools, this.#args, this.#io] = [model, tools, args, io];
    this.#reader = createInterface({ input: process.stdin, ...(this.#terminal ? { output: process.stdout, prompt: '> ' } : {}), terminal: this.#terminal });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async run(): Promise<void> {
    const stop = (): void => {
      if (this.#answering !== undefined) this.#answering.abort();
      else this.#reader.close();
    };
    this.#reader.on('SIGINT', stop);
    this.#io.signal.addEventListener('abort', stop);
    this.#forget();
    try {
      for (let text = await this.#message(); text !== undefined; text = await this.#message()) await this.#turn(text);
    } finally {
      this.#reader.close();
    }
  }

  #forget(): void {
    const system = this.#args.text('system');
    this.#messages = system === undefined ? [] : [{ role: 'system', content: system }];
  }

  /** The next message; undefined at the end. */
  async #message(): Promise<string | undefined> {
    let text = '';
    for (;;) {
      if (this.#terminal) this.#reader.prompt();
      const { done, value } = await this.#lines.next();
      if (done === true) return text === '' ? undefined : text;
      if (value.endsWith('\\')) text += `${value.slice(0, -1)}\n`;
      else if (text === '' && this.#command(value.trim())) return undefined;
      else if ((text + value).trim() !== '' && !(text === '' && value.startsWith('/') && COMMANDS.includes(value.trim()))) return text + value;
    }
  }

  /** @returns whether the chat ends */
  #command(line: string): boolean {
    if (line === '/new') this.#forget();
    if (line === '/undo') this.#undo();
    if (line === '/help') this.#io.write(HELP);
    return line === '/quit';
  }

  #undo(): void {
    const at = this.#messages.findLastIndex(({ role }) => role === 'user');
    if (at >= 0) this.#messages.splice(at);
  }

  async #turn(text: string): Promise<void> {
    const before = this.#messages.length;
    this.#messages.push({ role: 'user', content: text });
    try {
      for (let round = 0; round < MAX_CALL_ROUNDS; round++) {
        const calls = await this.#answer();
        if (calls.length === 0) return;
        for (const call of calls) this.#messages.push({ role: 'tool', tool_call_id: call.id, name: call.name, content: await this.#call(call) });
      }
      this.#io.note(`Stopped after ${MAX_CALL_ROUNDS} rounds of calls.`);
    } catch (error) {
      if (!(error instanceof RequestFault) || !this.#terminal) throw error;
      this.#io.note(error.message); // such as a conversation that is too long
      this.#messages.splice(before);
    }
  }

  /** Streams one answer and remembers it. @returns the calls that it makes */
  async #answer(): Promise<readonly ToolCall[]> {
    const { write, json } = this.#io, controller = this.#answering = new AbortController();
    const whole = { text: '', reasoning: '', calls: [] as ToolCall[], finishReason: 'stopped', usage: undefined as unknown };
    const show = (event: AnswerEvent): void => {
      if (event.kind === 'text') whole.text += event.text;
      else if (event.kind === 'reasoning') whole.reasoning += event.text;
      else if (event.kind === 'call') whole.calls.push(event.call);
      else if (event.kind === 'end') whole.finishReason = event.reason;
      else whole.usage = event.usage;
      if (json) return;
      if (event.kind === 'text') write(event.text);
      if (event.kind === 'reasoning') write(this.#terminal ? `\x1b[2m${event.text}\x1b[22m` : event.text);
    };
    try {
      const maxTokens = wholeNumber(this.#args, 'max-tokens'), { seed, ...sampling } = samplingOf(this.#args);
      for await (const event of this.#model.chat(this.#messages, { tools: this.#tools, signal: controller.signal, ...sampling, ...(this.#args.has('seed') ? { seed } : {}), ...(maxTokens === undefined ? {} : { maxTokens }) })) show(event);
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
    } finally {
      this.#answering = undefined;
    }
    this.#messages.push({ role: 'assistant', content: whole.text, ...(whole.calls.length === 0 ? {} : { tool_calls: whole.calls.map(({ id, name, arguments: given }) => ({ id, type: 'function', function: { name, arguments: given } })) }) });
    if (json) this.#io.result(whole, '');
    else write('\n');
    return whole.calls;
  }

  /** Runs a tool. Its result, or what went wrong, is what the model is told. */
  async #call({ name, arguments: given }: ToolCall): Promise<string> {
    const tool = this.#tools.find((one) => one.name === name);
    if (tool === undefined) return `Error: there is no tool "${name}".`;
    if (!this.#args.has('yes')) {
      if (!this.#terminal) return 'Error: the user is not there to allow this call.';
      const answer = await this.#reader.question(`Run ${name}(${given})? [y/N] `);
      if (!/^y(es)?$/i.test(answer.trim())) return 'Error: the user did not allow this call.';
    }
    this.#io.note(`${name}(${given})`);
    return runTool(tool, given, this.#io.signal);
  }
}

const COMMANDS = ['/new', '/undo', '/help', '/quit'];

/** Most of what a tool says that a model is told. */
const MAX_RESULT_CHARACTERS = 20_000;

function runTool({ command: [program, ...words] }: CommandTool, given: string, signal: AbortSignal): Promise<string> {
  if (program === undefined) throw new ConfigError('Cannot run a tool: its "command" is empty.', { path: 'tools' });
  return new Promise((resolve) => {
    const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'], timeout: TOOL_TIMEOUT_MS, signal });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      if (text.length < MAX_RESULT_CHARACTERS) text += part;
    });
    child.on('error', (error) => resolve(`Error: ${error.message}`));
    child.on('close', (code) => resolve(code === 0 ? text.slice(0, MAX_RESULT_CHARACTERS) : `Error: the tool ended with ${code}. ${text.slice(0, 1000)}`));
    child.stdin.on('error', () => undefined); // a tool need not read
    child.stdin.end(given);
  });
}
