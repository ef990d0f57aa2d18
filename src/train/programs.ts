// The programs of a training run, which share parameters, gradients and one arena. Layer: train (pure).

import { compile, gradientOf, type Graph, type PlanBytes, type Program, type State, type Target, bytesOf } from '../core/index.ts';
import { lossGraph, scoreGraph, type Model } from '../models/index.ts';
import { microBatches, type TrainConfig } from './config.ts';
import { momentsOf, normGraph, updateGraph } from './optimizer.ts';

/** One optimizer step is `microFirst`, `microNext` for each further micro-batch, `norm`, and (if that is finite) `update`. */
export interface TrainingPrograms {
  /** Loss and gradients of a micro-batch, replacing the gradients that are there. */
  readonly microFirst: Program;
  /** The same, adding to them; only with gradient accumulation. */
  readonly microNext: Program | undefined;
  readonly norm: Program;
  readonly update: Program;
  /** Log-probabilities alone, of as many tokens as a micro-batch has. */
  readonly evaluate: Program;
}

/**
 * Compiles all programs of a run.
 *
 * @param arenaBudget bytes that the arena may take; values are computed twice where that is needed
 * @throws {CapacityError} if no plan fits the budget
 */
export function compileTraining(model: Model, config: TrainConfig, target: Target, arenaBudget?: number): TrainingPrograms {
  const { rows, count } = microBatches(config), nTokens = rows * config.contextLength, { compute } = config;
  const options = { target, compute, ...(arenaBudget === undefined ? {} : { arenaBudget }) };
  const micro = (accumulate: boolean): Program => compile(only(lossGraph(model, nTokens, config.contextLength), 'loss'), { ...options, gradients: { loss: 'loss', accumulate } });
  const parameters = trainable(model);
  return {
    microFirst: micro(false),
    microNext: count > 1 ? micro(true) : undefined,
    norm: compile(normGraph(parameters, config.optimizer.clipNorm), { target }),
    update: compile(updateGraph(parameters, config.optimizer), { target }),
    evaluate: compile(only(scoreGraph(model, nTokens, { span: config.contextLength }), 'logprob'), options),
  };
}

/** The parameters that are trained, in the model's order. */
export function trainable(model: Model): State[] {
  return model.states.filter((state) => state.trainable);
}

/** The programs that there are. */
export function listPrograms(programs: TrainingPrograms): Program[] {
  return Object.values(programs).filter((program): program is Program => program !== undefined);
}

function only(graph: Graph, output: string): Graph {
  return { ...graph, outputs: { [output]: graph.outputs[output]! } };
}

/** Bytes of a run's memory by kind; `peak` is what an executor allocates: all states and one arena. */
export interface TrainingBytes extends Pick<PlanBytes, 'weights' | 'gradients' | 'moments' | 'buffers' | 'inputs' | 'activations' | 'workspace' | 'arena' | 'states'> {
  readonly peak: number;
}

/** What an executor allocates that loads all these programs. */
export function trainingBytes(programs: TrainingPrograms): TrainingBytes {
  const all = listPrograms(programs), states = new Map(all.flatMap((program) => program.states.map((state) => [state.id, state] as const)));
  const of = (role: State['role']): number => [...states.values()].filter((state) => state.role === role).reduce((sum, { meta }) => sum + bytesOf(meta), 0);
  const largest = all.reduce((a, b) => (b.plan.bytes.arena > a.plan.bytes.arena ? b : a)).plan.bytes;
  const kinds = { weights: of('parameter'), gradients: of('gradient'), moments: of('moment'), buffers: of('buffer') };
  const total = Object.values(kinds).reduce((a, b) => a + b, 0);
  return {
    ...kinds,
    states: total,
    inputs: Math.max(...all.map(({ plan }) => plan.bytes.inputs)),
    activations: largest.activations,
    workspace: largest.workspace,
    arena: largest.arena,
    peak: total + largest.arena,
  };
}

/** Bytes of the states of a run, known before anything is compiled: weights, gradients and moments. */
export function stateBytes(model: Model, { optimizer }: Pick<TrainConfig, 'optimizer'>): number {
  const sum = (states: readonly State[]): number => states.reduce((n, { meta }) => n + bytesOf(meta), 0);
  return sum(model.states) + trainable(model).reduce((n, parameter) => {
    return n + sum([gradientOf(parameter), ...momentsOf(parameter, optimizer)]);
  }, 0);
}
