// How answers are made.

import type { Signal } from '@preact/signals';
import { maxTokens, seed, showProbabilities, system, temperature, topP } from './state.ts';
import { words } from './words.ts';

export function Settings() {
  const w = words.value;
  return (
    <section class="settings" aria-label={w.settings}>
      <label class="wide">{w.system}<textarea id="system" rows={2} value={system.value} onInput={(event) => (system.value = event.currentTarget.value)} /></label>
      <Slider id="temperature" name={w.temperature} value={temperature} max={2} step={0.05} />
      <Slider id="top-p" name={w.topP} value={topP} max={1} step={0.01} />
      <label>{w.maxTokens}<input id="max-tokens" type="number" min={1} max={100000} value={maxTokens.value} onChange={(event) => (maxTokens.value = Math.max(1, Math.round(event.currentTarget.valueAsNumber) || 1))} /></label>
      <label>{w.seed}<input id="seed" inputMode="numeric" pattern="\d*" value={seed.value} onInput={(event) => (seed.value = event.currentTarget.value.replace(/\D/g, ''))} /></label>
      <label class="check"><input id="probabilities" type="checkbox" checked={showProbabilities.value} onChange={(event) => (showProbabilities.value = event.currentTarget.checked)} />{w.probabilities}</label>
    </section>
  );
}

function Slider({ id, name, value, max, step }: { id: string; name: string; value: Signal<number>; max: number; step: number }) {
  return (
    <label>
      {name}: {value.value}
      <input id={id} type="range" min={0} max={max} step={step} value={value.value} onInput={(event) => (value.value = event.currentTarget.valueAsNumber)} />
    </label>
  );
}
