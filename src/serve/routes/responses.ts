// POST /v1/responses, GET and DELETE /v1/responses/ID. Layer: serve.

import type { MakeRoute } from '../context.ts';
import { messageOf, readResponses } from '../protocols/openai-responses.ts';
import { responsesShape } from '../protocols/openai-responses-stream.ts';
import { readBody } from '../read-body.ts';
import { respond } from '../respond.ts';

export const responses: MakeRoute = (server) => ({
  method: 'POST',
  path: '/v1/responses',
  scope: 'inference',
  summary: 'Answers a conversation that the server remembers',
  protocol: 'openai',
  async handle(c) {
    const { responses: store, options } = server, owner = c.get('holder')?.name;
    const before = (id: string) => store.find(id, owner, 'previous_response_id').messages;
    const request = readResponses(await readBody(c, options.maxBodyBytes), before);
    const earlier = request.previousId === undefined ? [] : before(request.previousId);
    return respond(c, server, request.job, 'resp_', (head) =>
      responsesShape(head, request, (response, choice) => {
        if (request.store) store.keep(head.id, owner, response, [...earlier, ...request.messages, messageOf(choice)]);
      }));
  },
});

export const storedResponse: MakeRoute = ({ responses: store }) => ({
  method: 'GET',
  path: '/v1/responses/:id',
  scope: 'inference',
  summary: 'Gives a stored response again',
  protocol: 'openai',
  handle: (c) => c.json(store.find(c.req.param('id') ?? '', c.get('holder')?.name).response),
});

export const deletedResponse: MakeRoute = ({ responses: store }) => ({
  method: 'DELETE',
  path: '/v1/responses/:id',
  scope: 'inference',
  summary: 'Forgets a stored response',
  protocol: 'openai',
  handle(c) {
    const id = c.req.param('id') ?? '';
    store.delete(id, c.get('holder')?.name);
    return c.json({ id, object: 'response', deleted: true });
  },
});
