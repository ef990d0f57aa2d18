// Serving: models over HTTP for many clients at once. Layer: serve.
export { openEnergy } from './energy.ts';
export { FAULT_STATUS, RequestFault, type FaultKind } from './fault.ts';
export { KeyRing, keysOf, makeKey, type KeyRecord } from './keys.ts';
export { openEngine, openLocal, type OpenModel } from './open-model.ts';
export { DEFAULT_SERVE_OPTIONS, type ServeOptions } from './options.ts';
export type { AnswerEvent, Tool, ToolCall } from './job.ts';
export { ModelRegistry, type ModelEntry } from './registry.ts';
export { jsonLog, type ServeLog } from './serve-log.ts';
export { serveModel, type ModelFacts, type ServedModel, type TextEngine } from './served-model.ts';
export { startServer, type RunningServer, type StartOptions } from './server.ts';
