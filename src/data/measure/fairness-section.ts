// The fairness section of the data report: which groups are named how often, and what stands beside them. Layer: data (pure).

import { compact } from '../../base/progress.ts';
import type { Association, FairnessReport, Representation } from '../clean/fairness.ts';
import { escapeHtml } from './charts.ts';
import { bothLanguages, WORDS } from './words.ts';

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const name = (text: string): string => `<code>${escapeHtml(text)}</code>`;

/** Two tables with 95% intervals, and what they cannot say. Groups that nothing names have no row; associations are the notable ones. */
export function fairnessSection({ documents, sentences, representation, associations, notes }: FairnessReport): string {
  const named = representation.filter(({ mentions }) => mentions > 0), notable = associations.filter(({ notable }) => notable);
  const body = named.length === 0 ? `<p class="dim">${bothLanguages(WORDS.nothing)}</p>` : `${representationTable(named)}<h3>${bothLanguages(WORDS.associations)}</h3>${notable.length === 0 ? `<p class="dim">${bothLanguages(WORDS.nothing)}</p>` : associationTable(notable)}`;
  const read = `<p class="dim">${bothLanguages(WORDS.read)}: ${compact(documents)} ${bothLanguages(WORDS.documents)}, ${compact(sentences)} ${bothLanguages(WORDS.sentences)}</p>`;
  return `<section><h2>${bothLanguages(WORDS.fairness)}</h2>${read}${body}<ul class="dim">${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')}</ul></section>`;
}

function representationTable(rows: readonly Representation[]): string {
  const cells = rows.map(({ dimension, group, mentions, documents, share, shareLow, shareHigh }) =>
    `<tr><td>${name(dimension)}</td><td>${name(group)}</td><td class="n">${mentions}</td><td class="n">${documents}</td><td class="n">${percent(share)}</td><td class="n">${percent(shareLow)} – ${percent(shareHigh)}</td></tr>`
  );
  return `<table><tr><th>${bothLanguages(WORDS.dimension)}</th><th>${bothLanguages(WORDS.group)}</th><th class="n">${bothLanguages(WORDS.mentions)}</th><th class="n">${bothLanguages(WORDS.documents)}</th><th class="n">${bothLanguages(WORDS.shareOfDimension)}</th><th class="n">${
    bothLanguages(WORDS.interval)
  }</th></tr>${cells.join('')}</table>`;
}

function associationTable(rows: readonly Association[]): string {
  const sorted = [...rows].sort((a, b) => Math.abs(Math.log(b.oddsRatio)) - Math.abs(Math.log(a.oddsRatio)));
  const cells = sorted.map(({ group, attribute, together, oddsRatio, low, high, pmi }) => `<tr><td>${name(group)}</td><td>${name(attribute)}</td><td class="n">${together}</td><td class="n">${oddsRatio.toFixed(2)}</td><td class="n">${low.toFixed(2)} – ${high.toFixed(2)}</td><td class="n">${pmi.toFixed(2)}</td></tr>`);
  return `<table><tr><th>${bothLanguages(WORDS.group)}</th><th>${bothLanguages(WORDS.attribute)}</th><th class="n">${bothLanguages(WORDS.together)}</th><th class="n">${bothLanguages(WORDS.oddsRatio)}</th><th class="n">${bothLanguages(WORDS.interval)}</th><th class="n">PMI</th></tr>${cells.join('')}</table>`;
}
