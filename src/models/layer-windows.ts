// Layers that look at all tokens before, and layers that look back over a window only: how config.json says which are
// which. Layer: models.

import { z } from 'zod';
import { COUNT, type Impossible } from './family.ts';

/** `layer_types` of transformers 5; older files have a rule instead, a different one for each family. */
export const LAYER_TYPES = z.array(z.enum(['full_attention', 'sliding_attention'])).nullish();

export type LayerTypes = z.infer<typeof LAYER_TYPES>;

/** Qwen's fields: a window, where it is used at all, for the layers from `max_window_layers` on. */
export const WINDOW_FIELDS = {
  use_sliding_window: z.boolean().default(false),
  sliding_window: COUNT.nullish(),
  max_window_layers: z.int().nonnegative().default(28),
  layer_types: LAYER_TYPES,
};

interface Windows {
  readonly num_hidden_layers: number;
  readonly sliding_window?: number | null | undefined;
  readonly layer_types?: LayerTypes;
}

/**
 * Tokens back that each layer sees, itself included; 0 for all.
 *
 * @param slides the family's rule, where `layer_types` does not say it
 */
export function windowsOf(c: Windows, slides: (layer: number) => boolean): number[] {
  return Array.from({ length: c.num_hidden_layers }, (_, layer) => ((c.layer_types ? c.layer_types[layer] === 'sliding_attention' : slides(layer)) ? c.sliding_window ?? 0 : 0));
}

/** Qwen's rule. */
export function qwenWindows(c: Windows & { readonly use_sliding_window: boolean; readonly max_window_layers: number }): number[] {
  return c.use_sliding_window ? windowsOf(c, (layer) => layer >= c.max_window_layers) : windowsOf({ ...c, sliding_window: null }, () => false);
}

/** A list of another length, or windows without a size. */
export function checkWindows(c: Windows): Impossible | undefined {
  if (!c.layer_types) return undefined;
  if (c.layer_types.length !== c.num_hidden_layers) return { key: 'layer_types', why: `layer_types has ${c.layer_types.length} entries, but there are ${c.num_hidden_layers} layers` };
  const slides = c.layer_types.includes('sliding_attention') && c.sliding_window == null;
  return slides ? { key: 'sliding_window', why: 'layer_types has layers with sliding_attention, but there is no sliding_window' } : undefined;
}
