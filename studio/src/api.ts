// The server, as the page asks it: OpenAI's chat completions, streamed.

/** A token with its probability, and the likeliest others. */
export interface Token {
  readonly text: string;
  readonly probability: number;
  readonly others: readonly { readonly text: string; readonly probability: number }[];
}

/** A piece of an answer. */
export interface Piece {
  readonly text: string;
  readonly reasoning: string;
  readonly tokens: readonly Token[];
  readonly finish: string | null;
}

export interface Question {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly temperature: number;
  readonly top_p: number;
  readonly max_tokens: number;
  readonly seed?: number;
}

/** The server's own words about what is wrong. */
export class ServerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const headers = (key: string): Record<string, string> => (key === '' ? {} : { authorization: `Bearer ${key}` });

async function refused(response: Response): Promise<ServerError> {
  const body = await response.json().catch(() => undefined) as { error?: { message?: string } } | undefined;
  return new ServerError(response.status, body?.error?.message ?? `${response.status} ${response.statusText}`);
}

/** Names of the models. @throws {ServerError} */
export async function listModels(key: string): Promise<string[]> {
  const response = await fetch('/v1/models', { headers: headers(key) });
  if (!response.ok) throw await refused(response);
  const { data } = await response.json() as { data: { id: string }[] };
  return data.map(({ id }) => id);
}

/** Asks, and gives the answer as it comes. @throws {ServerError} */
export async function* ask(question: Question, key: string, signal: AbortSignal): AsyncGenerator<Piece> {
  const body = JSON.stringify({ ...question, stream: true, logprobs: true, top_logprobs: 5 });
  const response = await fetch('/v1/chat/completions', { method: 'POST', headers: { 'content-type': 'application/json', ...headers(key) }, body, signal });
  if (!response.ok || response.body === null) throw await refused(response);
  const tokens = new TokenTexts();
  for await (const data of events(response.body)) {
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) throw new ServerError(500, chunk.error.message);
    const choice = chunk.choices?.[0];
    if (choice === undefined) continue;
    yield { text: choice.delta.content ?? '', reasoning: choice.delta.reasoning_content ?? '', tokens: tokens.take(choice.logprobs?.content ?? []), finish: choice.finish_reason };
  }
}

interface Scored {
  readonly token: string;
  readonly logprob: number;
  readonly bytes: readonly number[];
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly delta: { readonly content?: string; readonly reasoning_content?: string };
    readonly logprobs: { readonly content: readonly (Scored & { readonly top_logprobs: readonly Scored[] })[] } | null;
    readonly finish_reason: string | null;
  }[];
}

/** Tokens of a part of a character show nothing; the one that completes it shows it. */
class TokenTexts {
  readonly #decoder = new TextDecoder();

  take(scored: readonly (Scored & { readonly top_logprobs: readonly Scored[] })[]): Token[] {
    return scored.map(({ bytes, logprob, top_logprobs: top }) => ({
      text: this.#decoder.decode(Uint8Array.from(bytes), { stream: true }),
      probability: Math.exp(logprob),
      others: top.map((other) => ({ text: other.token, probability: Math.exp(other.logprob) })),
    }));
  }
}

/** The data of server-sent events, but the one that says that all is done. */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).split('\n\n');
    rest = blocks.pop()!;
    for (const block of blocks) {
      const data = block.split('\n').filter((line) => line.startsWith('data: ')).map((line) => line.slice(6)).join('\n');
      if (data === '[DONE]') return;
      if (data !== '') yield data;
    }
  }
}
