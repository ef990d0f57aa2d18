// A line that says how far a long job is: rewritten in place on a terminal, quiet or seldom elsewhere. Layer: base (pure).

/** What a progress line needs of standard error. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Ten times a second looks alive, and costs nothing. */
const TERMINAL_MS = 100;

/** One line that stands for the present; lines that stay go through `keep`, so that the two never mix. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #pipeMs: number;
  #shown = false;
  #last = -Infinity;

  /** @param pipeMs time between plain lines where there is no terminal; Infinity for silence */
  constructor(stream: ProgressStream, pipeMs = Infinity) {
    this.#stream = stream;
    this.#pipeMs = pipeMs;
  }

  /** Shows how things are now, unless that was done a moment ago. @param text made only when it is shown */
  update(text: () => string): void {
    const now = performance.now(), terminal = this.#stream.isTTY === true;
    if (now - this.#last < (terminal ? TERMINAL_MS : this.#pipeMs)) return;
    this.#last = now;
    if (!terminal) {
      this.#stream.write(`${text()}\n`);
      return;
    }
    this.#stream.write(`\r${text().slice(0, (this.#stream.columns ?? 80) - 1)}\x1b[K`);
    this.#shown = true;
  }

  /** Writes a line that stays. */
  keep(text: string): void {
    this.clear();
    this.#stream.write(`${text}\n`);
  }

  /** Takes the line away. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
    this.#last = -Infinity;
  }
}

/** Seconds as people say them: 8 s, 2 min 05 s, 3 h 20 min. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.max(0, Math.round(seconds)), pad = (n: number): string => String(n).padStart(2, '0');
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${pad(Math.floor((whole % 3600) / 60))} min`;
}

/** A large number with a unit of thousands: 950, 5.5 k, 12 M. */
export function compact(value: number): string {
  for (const [unit, size] of [['T', 1e12], ['G', 1e9], ['M', 1e6], ['k', 1e3]] as const) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(Math.abs(value) >= 100 * size ? 0 : 1)} ${unit}`;
  }
  return String(Math.round(value * 100) / 100);
}

/** Bytes with a unit: 512 B, 28.1 MB. */
export function byteSize(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${compact(bytes)}B`;
}
