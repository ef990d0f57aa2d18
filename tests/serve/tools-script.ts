// What a model that knows tools says, in the forms that models have.

import type { Script } from './scripted-engine.ts';

export const TOOL = { name: 'get_weather', description: 'Weather of a city', parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] } };

const ANSWERS: Readonly<Record<string, string>> = {
  hermes: 'Let me see.\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n<tool_call>\n{"name": "get_weather", "arguments": {"city": "北京"}}\n</tool_call>',
  mistral: '[TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Paris"}}, {"name": "get_weather", "arguments": {"city": "北京"}}]',
  llama: '{"name": "get_weather", "parameters": {"city": "Paris"}}; {"name": "get_weather", "parameters": {"city": "北京"}}',
  think: '<think>\nThe user is\nkind.\n</think>\n\nHello, 世界!',
  count: 'one two three four',
};

/** Says by the last word of the prompt which answer it gives; tells results of tools back. */
export const toolScript = (): Script => ({
  say: (prompt) => {
    const result = /<\|im_start\|>tool\n(.*?)<\|im_end\|>/s.exec(prompt)?.[1];
    if (result !== undefined) return `The tool said: ${result}`;
    const word = /(\w+)<\|im_end\|>\n<\|im_start\|>assistant/.exec(prompt)?.[1] ?? '';
    return ANSWERS[word] ?? `I heard ${word}.`;
  },
});
