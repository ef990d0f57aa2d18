// The data report as one page: no scripts or styles from elsewhere, light and dark, English and Chinese. Layer: data (pure).

import { compact } from '../../base/progress.ts';
import type { Drop } from '../report.ts';
import type { PipelineReport } from '../pipeline/finish.ts';
import { barChart, columnChart, escapeHtml, type Bar } from './charts.ts';
import { bothLanguages as both, WORDS, type Words } from './words.ts';

/** What a page shows beside the pipeline's own account. */
export type ReportExtras = {
  /** Tokens by side, where the text was encoded. */
  readonly tokens?: { readonly train: number; readonly validation: number } | undefined;
  /** Sections of other parts, as they are: HTML that is safe. */
  readonly sections?: readonly string[];
};

const STYLE = `
:root{color-scheme:light dark;--ink:#1c1e21;--dim:#667;--paper:#fff;--line:#dde;--s0:#9aa7c7;--s1:#2f6fdb}
@media(prefers-color-scheme:dark){:root{--ink:#e8e8ea;--dim:#99a;--paper:#15171a;--line:#334;--s0:#55607d;--s1:#6ea2ff}}
body{font:15px/1.5 system-ui,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC",sans-serif;color:var(--ink);background:var(--paper);max-width:72rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line)}td.n,th.n{text-align:right;white-space:nowrap}
svg{width:100%;max-width:44rem;height:auto;display:block}.s0{fill:var(--s0)}.s1{fill:var(--s1)}text{fill:var(--ink);font-size:11px}.value,.tick{fill:var(--dim)}
.cards{display:flex;flex-wrap:wrap;gap:1rem}.card{border:1px solid var(--line);border-radius:8px;padding:.7rem 1rem;min-width:11rem}.card b{display:block;font-size:1.5rem}
small,.dim{color:var(--dim)}code{font-size:13px;overflow-wrap:anywhere}html:lang(en) .zh,html:lang(zh) .en{display:none}.key i{display:inline-block;width:.8em;height:.8em;margin:0 .3em 0 1em}
button{font:inherit;color:inherit;background:none;border:1px solid var(--line);border-radius:6px;padding:.2rem .7rem;float:right;cursor:pointer}`;

const SCRIPT = `const h=document.documentElement;h.lang=navigator.language.startsWith('zh')?'zh':'en';
document.querySelector('button').onclick=()=>{h.lang=h.lang==='en'?'zh':'en'}`;

const section = (words: Words, body: string): string => `<section><h2>${both(words)}</h2>${body}</section>`;
const KEY = `<p class="key dim"><i style="background:var(--s0)"></i>${both(WORDS.before)}<i style="background:var(--s1)"></i>${both(WORDS.after)}</p>`;

/** The page. */
export function reportPage(report: PipelineReport, extras: ReportExtras = {}): string {
  const { before, after } = report;
  const parts = [
    `<header><button type="button">English / 中文</button><h1>${both(WORDS.title)}</h1><p class="dim">${both(WORDS.about)}</p></header>`,
    `<div class="cards">${cards(report, extras)}</div>`,
    section(WORDS.bytes, barChart(report.sources.map(({ name }) => ({ name, values: [before.sources[name] ?? 0, after.sources[name] ?? 0] })), WORDS.sources[0]) + KEY),
    section(WORDS.lengths, lengths(report) + KEY),
    section(WORDS.languages, compare(before.languages, after.languages, WORDS.languages) + KEY),
    section(WORDS.domains, compare(before.domains, after.domains, WORDS.domains) + KEY),
    section(WORDS.licences, compare(before.licences, after.licences, WORDS.licences) + KEY),
    section(WORDS.drops, rules(report.drops, before.bytes)),
    section(WORDS.changes, rules(report.changes, before.bytes)),
    section(WORDS.skipped, rules(report.skipped, before.bytes)),
    section(WORDS.counts, counts(report.counts)),
    ...extras.sections ?? [],
  ];
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${WORDS.title[0]} · ${WORDS.title[1]}</title><style>${STYLE}</style></head><body>${parts.join('\n')}<script>${SCRIPT}</script></body></html>\n`;
}

function cards({ before, after, drops }: PipelineReport, { tokens }: ReportExtras): string {
  const card = (words: Words, value: string, note: string): string => `<div class="card">${both(words)}<b>${value}</b><small>${note}</small></div>`;
  const of = (part: number, whole: number): string => `${(100 * part / Math.max(1, whole)).toFixed(1)}% ${both(WORDS.kept)} / ${compact(whole)}`;
  const copies = Object.entries(drops).filter(([rule]) => /^(exact|near|substrings)(\/|$)/.test(rule)).reduce((sum, [, { bytes }]) => sum + bytes, 0);
  return [
    card(WORDS.documents, compact(after.documents), of(after.documents, before.documents)),
    card(WORDS.bytes, compact(after.bytes), of(after.bytes, before.bytes)),
    ...tokens === undefined ? [] : [card(WORDS.tokens, compact(tokens.train), `${both(WORDS.train)}; ${compact(tokens.validation)} ${both(WORDS.validation)}`)],
    card(WORDS.copies, compact(copies), `${(100 * copies / Math.max(1, before.bytes)).toFixed(1)}% ${both(WORDS.share)}`),
  ].join('');
}

function lengths({ before, after }: PipelineReport): string {
  const count = Math.max(before.lengths.length, after.lengths.length), first = before.lengths.findIndex((value) => value > 0);
  const columns: Bar[] = [];
  for (let i = Math.max(0, first); i < count; i++) columns.push({ name: compact(2 ** i).replace(' ', ''), values: [before.lengths[i] ?? 0, after.lengths[i] ?? 0] });
  return columnChart(columns, WORDS.lengths[0]);
}

/** The largest of a table; the others in one row. */
function compare(before: Readonly<Record<string, number>>, after: Readonly<Record<string, number>>, words: Words): string {
  const sorted = Object.entries(before).sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)), top = sorted.slice(0, 20), rest = sorted.slice(20);
  const bars = top.map(([name, value]): Bar => ({ name, values: [value, after[name] ?? 0] }));
  if (rest.length > 0) bars.push({ name: `… ${rest.length}`, values: [rest.reduce((sum, [, value]) => sum + value, 0), rest.reduce((sum, [name]) => sum + (after[name] ?? 0), 0)] });
  return bars.length === 0 ? `<p class="dim">${both(WORDS.nothing)}</p>` : barChart(bars, words[0]);
}

function rules(table: Readonly<Record<string, Drop>>, total: number): string {
  const entries = Object.entries(table).sort(([a, x], [b, y]) => y.bytes - x.bytes || y.count - x.count || (a < b ? -1 : 1));
  if (entries.length === 0) return `<p class="dim">${both(WORDS.nothing)}</p>`;
  const rows = entries.map(([rule, { count, bytes, samples }]) =>
    `<tr><td><code>${escapeHtml(rule)}</code></td><td class="n">${compact(count)}</td><td class="n">${compact(bytes)}</td><td class="n">${(100 * bytes / Math.max(1, total)).toFixed(2)}%</td><td><small>${
      samples.map(({ path, detail }) => `<code>${escapeHtml(path)}</code> ${escapeHtml(detail)}`).join('<br>')
    }</small></td></tr>`
  );
  return `${barChart(entries.slice(0, 20).map(([name, { bytes }]) => ({ name, values: [bytes] })), WORDS.bytes[0])}<table><tr><th>${both(WORDS.rule)}</th><th class="n">${both(WORDS.documents)}</th><th class="n">${both(WORDS.bytes)}</th><th class="n">${both(WORDS.share)}</th><th>${both(WORDS.samples)}</th></tr>${
    rows.join('')
  }</table>`;
}

function counts(table: Readonly<Record<string, number>>): string {
  const entries = Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return `<p class="dim">${both(WORDS.nothing)}</p>`;
  return `<table>${entries.map(([name, value]) => `<tr><td><code>${escapeHtml(name)}</code></td><td class="n">${value}</td></tr>`).join('')}</table>`;
}
