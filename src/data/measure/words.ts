// The words of the data report in both languages. Layer: data (pure).

import { escapeHtml } from './charts.ts';

/** English, Chinese. */
export type Words = readonly [en: string, zh: string];

export const WORDS = {
  title: ['Data report', '数据报告'],
  about: ['What went in, what came out, and what each rule took away. Built by Athanor; every number is in the JSON beside this page.', '输入、输出，以及每条规则去除的内容。由 Athanor 生成；所有数字都在同目录的 JSON 中。'],
  before: ['before', '处理前'],
  after: ['after', '处理后'],
  documents: ['Documents', '文档数'],
  bytes: ['Bytes', '字节数'],
  tokens: ['Tokens', '词元数'],
  train: ['training', '训练'],
  validation: ['held out', '留出'],
  kept: ['kept', '保留'],
  sources: ['Sources', '来源'],
  epochs: ['epochs', '轮数'],
  lengths: ['Lengths of documents (bytes, by powers of two)', '文档长度（字节，按二的幂）'],
  languages: ['Languages (documents)', '语言（文档数）'],
  domains: ['Domains and folders (documents, largest)', '域名与目录（文档数，最多者）'],
  licences: ['Licences (documents)', '许可证（文档数）'],
  drops: ['What rules dropped', '各规则丢弃的内容'],
  changes: ['What rules changed', '各规则修改的内容'],
  skipped: ['What could not be read', '未能读取的内容'],
  copies: ['Copies', '重复内容'],
  rule: ['Rule', '规则'],
  samples: ['Samples', '样例'],
  counts: ['Counters', '计数'],
  share: ['share of bytes', '字节占比'],
  nothing: ['nothing', '无'],
  fairness: ['Fairness: groups of people in the corpus', '公平性：语料中的人群'],
  associations: ['Attributes that stand with a group notably more or less often', '与某一人群共现明显偏多或偏少的属性'],
  read: ['Read after all stages', '处理后读取'],
  sentences: ['sentences', '句'],
  dimension: ['Dimension', '维度'],
  group: ['Group', '人群'],
  mentions: ['Mentions', '提及次数'],
  shareOfDimension: ['share of the dimension', '该维度内占比'],
  interval: ['95% interval', '95% 区间'],
  attribute: ['Attribute', '属性'],
  together: ['sentences with both', '共现句数'],
  oddsRatio: ['odds ratio', '优势比'],
} as const satisfies Readonly<Record<string, Words>>;

/** Both languages; the page shows one of them. */
export const bothLanguages = ([en, zh]: Words): string => `<span class="en">${escapeHtml(en)}</span><span class="zh">${escapeHtml(zh)}</span>`;
