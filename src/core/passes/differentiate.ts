// differentiate: adds the backward pass. Each trainable parameter's gradient becomes a write to a State of its own.

import { ConfigError } from '../../base/errors.ts';
import { gradients } from '../autodiff.ts';
import { GraphBuilder } from '../graph-builder.ts';
import type { State } from '../state.ts';
import { nodesOf, stateOf, type Graph } from '../tensor.ts';

/** The State that holds a parameter's gradient: f32, of its shape. */
export function gradientOf(parameter: State): State {
  const { shape } = parameter.meta;
  return { id: `grad:${parameter.id}`, meta: { shape, dtype: 'f32' }, role: 'gradient', init: { kind: 'zeros' }, trainable: false };
}

/**
 * @param options.loss the output to differentiate, of one element
 * @param options.accumulate add to the gradients that are there (a further micro-batch) instead of replacing them
 */
export function differentiate(graph: Graph, options: { loss: string; accumulate: boolean }): Graph {
  const loss = graph.outputs[options.loss];
  if (loss === undefined) throw new ConfigError(`Cannot differentiate: the graph has no output "${options.loss}".`);
  const parameters = nodesOf(graph).flatMap((node) => (stateOf(node)?.trainable ? node.outs : []));
  const b = new GraphBuilder(graph);
  const targets = parameters.map((t) => gradientOf(stateOf(t.node)!));
  const onto = options.accumulate ? targets.map((state) => b.state(state)) : [];
  const found = gradients(b, loss, parameters, onto);
  return { ...b.finish(graph.outputs, [...graph.writes, ...found.map((t, i) => [targets[i]!, t] as const)]) };
}
