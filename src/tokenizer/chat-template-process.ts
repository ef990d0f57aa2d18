// The process that renders chat templates for chat-template.ts, which ends it when it takes too long. Layer: tokenizer
// (processes; not for browsers).

import { renderPieces, TemplateRefusal, type ChatPiece, type RenderJob } from './chat-template-render.ts';

/** What the process answers: pieces, or why there are none. `refused` says that the template itself objected. */
export type RenderReply = { readonly pieces: readonly ChatPiece[] } | { readonly failure: string; readonly refused: boolean };

process.on('message', (job: RenderJob) => {
  process.send!(reply(job));
});

function reply(job: RenderJob): RenderReply {
  try {
    return { pieces: renderPieces(job) };
  } catch (error) {
    return { failure: (error instanceof Error ? error.message : String(error)).slice(0, 500), refused: error instanceof TemplateRefusal };
  }
}
