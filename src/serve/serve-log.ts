// The log of a server: one line of JSON a request, without prompts or answers. Layer: serve (pure).

/** What a line says. Values of requests appear as numbers and names only. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface ServeLog {
  write(event: string, fields: LogFields): void;
}

/** A log that writes lines of JSON, each with its time. */
export function jsonLog(line: (text: string) => void, now: () => Date = () => new Date()): ServeLog {
  return { write: (event, fields) => line(JSON.stringify({ time: now().toISOString(), event, ...fields })) };
}

export const SILENT_LOG: ServeLog = { write: () => {} };
