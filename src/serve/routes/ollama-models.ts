// GET /api/tags, /api/ps and /api/version, POST /api/show: what there is, as Ollama says it. Layer: serve.

import { z } from 'zod';
import { checked } from '../body.ts';
import type { MakeRoute } from '../context.ts';
import { canFillIn } from '../fill-in.ts';
import { detailsOf, modelFields } from '../protocols/ollama-shared.ts';
import { readBody } from '../read-body.ts';
import type { ServedModel } from '../served-model.ts';

export const ollamaTags: MakeRoute = ({ registry }) => ({
  method: 'GET',
  path: '/api/tags',
  scope: 'inference',
  summary: 'Lists the models, as Ollama does',
  protocol: 'ollama',
  handle: (c) => c.json({ models: registry.entries.map((entry) => modelFields(entry, registry.peek(entry.name))) }),
});

export const ollamaPs: MakeRoute = ({ registry }) => ({
  method: 'GET',
  path: '/api/ps',
  scope: 'inference',
  summary: 'Lists the models that are open, as Ollama does',
  protocol: 'ollama',
  handle: (c) => c.json({ models: registry.entries.flatMap((entry) => (registry.peek(entry.name) === undefined ? [] : [{ ...modelFields(entry, registry.peek(entry.name)), expires_at: '0001-01-01T00:00:00Z', size_vram: 0 }])) }),
});

export const ollamaVersion: MakeRoute = ({ version }) => ({
  method: 'GET',
  path: '/api/version',
  scope: 'inference',
  summary: 'Says the version of the server',
  protocol: 'ollama',
  handle: (c) => c.json({ version }),
});

const showSchema = z.looseObject({ model: z.string().max(300).optional(), name: z.string().max(300).optional() }).refine(({ model, name }) => (model ?? name) !== undefined, { path: ['model'], message: 'is missing' });

export const ollamaShow: MakeRoute = ({ registry, options }) => ({
  method: 'POST',
  path: '/api/show',
  scope: 'inference',
  summary: 'Describes a model, as Ollama does',
  protocol: 'ollama',
  async handle(c) {
    const { model: named, name } = checked(showSchema, await readBody(c, options.maxBodyBytes)), { model, release } = await registry.acquire(named ?? name ?? '');
    release();
    const { family, contextLength, parameters } = model.facts;
    return c.json({
      modelfile: '',
      parameters: '',
      template: model.templateText,
      details: detailsOf(model),
      model_info: { 'general.architecture': family, 'general.parameter_count': parameters, [`${family}.context_length`]: contextLength },
      capabilities: capabilitiesOf(model),
    });
  },
});

function capabilitiesOf({ tokenizer, templateText, embed }: ServedModel): string[] {
  return [
    'completion',
    ...(/\btools\b/.test(templateText) ? ['tools'] : []),
    ...(/<think>|enable_thinking/.test(templateText) ? ['thinking'] : []),
    ...(tokenizer !== undefined && canFillIn(tokenizer) ? ['insert'] : []),
    ...(embed === undefined ? [] : ['embedding']),
  ];
}
