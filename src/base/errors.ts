// Errors: one class for each thing a caller can do about a failure. Layer: base.
// A message states action, state and remedy with the values; `code` is stable, the text is not.

/** Everything Athanor throws on purpose derives from this class. */
export abstract class AthanorError extends Error {
  /** Stable machine-readable name of the failure. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** A recipe, flag or option is wrong: correct it and call again. `path` is dotted (`train.steps`). */
export class ConfigError extends AthanorError {
  readonly code = 'config';
  readonly path: string | undefined;

  constructor(message: string, fields: { path?: string; cause?: unknown } = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.path = fields.path;
  }
}

/** Shapes or dtypes given to an operator do not fit each other. */
export class ShapeError extends AthanorError {
  readonly code = 'shape';
  readonly op: string;
  readonly shapes: readonly string[];

  constructor(message: string, fields: { op: string; shapes: readonly string[] }) {
    super(message);
    this.op = fields.op;
    this.shapes = fields.shapes;
  }
}

/** A file is not what its format promises: get another copy, or repair it at `offset` (bytes). */
export class FormatError extends AthanorError {
  readonly code = 'format';
  readonly path: string;
  readonly offset: number | undefined;

  constructor(message: string, fields: { path: string; offset?: number; cause?: unknown }) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.path = fields.path;
    this.offset = fields.offset;
  }
}

/** The operating system refused a read or a write (full disk, read-only folder, missing file, a lock). */
export class StorageError extends AthanorError {
  readonly code = 'storage';
  readonly path: string;

  constructor(message: string, fields: { path: string; cause?: unknown }) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.path = fields.path;
  }
}

/** Another machine did not answer, or not as was agreed: try again later, or ask another. */
export class ProtocolError extends AthanorError {
  readonly code = 'protocol';
  /** HTTP's status; undefined where there was no answer. */
  readonly status: number | undefined;

  constructor(message: string, fields: { status?: number | undefined; cause?: unknown } = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.status = fields.status;
  }
}

/** Numbers went wrong during a run (NaN, infinity, a loss that exploded). */
export class NumericsError extends AthanorError {
  readonly code = 'numerics';
  readonly step: number;
  readonly tensor: string;

  constructor(message: string, fields: { step: number; tensor: string }) {
    super(message);
    this.step = fields.step;
    this.tensor = fields.tensor;
  }
}

/** Something does not fit: memory, context, a buffer. `need` and `have` are in the unit of the message. */
export class CapacityError extends AthanorError {
  readonly code = 'capacity';
  readonly need: number;
  readonly have: number;

  constructor(message: string, fields: { need: number; have: number }) {
    super(message);
    this.need = fields.need;
    this.have = fields.have;
  }
}

/** No backend, or not this one, executes the operator with these dtypes. */
export class UnsupportedOpError extends AthanorError {
  readonly code = 'unsupported-op';
  readonly op: string;
  readonly dtype: string;
  readonly backend: string;

  constructor(message: string, fields: { op: string; dtype: string; backend: string }) {
    super(message);
    this.op = fields.op;
    this.dtype = fields.dtype;
    this.backend = fields.backend;
  }
}

/** A backend cannot be used at all; `help` says what to install or build. */
export class BackendError extends AthanorError {
  readonly code = 'backend';
  readonly help: string;

  constructor(message: string, fields: { help: string; cause?: unknown }) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.help = fields.help;
  }
}

/** The work was stopped on purpose (Ctrl-C, an AbortSignal); everything was saved first. */
export class InterruptedError extends AthanorError {
  readonly code = 'interrupted';
}
