// State: tensors that outlive a run. Layer: core.

import type { Meta } from './shape.ts';

/** How a State starts. `normal` and `uniform` draw from the stream named by the State's id. */
export type Init =
  | { readonly kind: 'zeros' | 'ones' }
  | { readonly kind: 'normal'; readonly std: number }
  | { readonly kind: 'uniform'; readonly bound: number }
  | { readonly kind: 'values'; readonly values: () => Float32Array };

/** What a State is for: it decides what is saved, what is counted where, and what an aborted run may leave behind. */
export type StateRole = 'parameter' | 'gradient' | 'moment' | 'cache' | 'buffer';

/** A tensor that outlives a run. One State for each tensor of a checkpoint. */
export interface State {
  readonly id: string;
  readonly meta: Meta;
  readonly role: StateRole;
  readonly init: Init;
  readonly trainable: boolean;
}
