// One message: its text or its tokens, what can be done with it.

import { useSignal } from '@preact/signals';
import type { Token } from './api.ts';
import { edited, resend, running, send, showProbabilities, type Message } from './state.ts';
import { words } from './words.ts';

export function MessageView({ message, index }: { message: Message; index: number }) {
  const w = words.value, mine = message.role === 'user', busy = running.value !== undefined;
  if (edited.value === index) return <Editor text={message.text} index={index} />;
  return (
    <article class={message.role}>
      {message.reasoning !== '' && <details open={message.text === ''}><summary>{w.thinking}</summary><div class="text">{message.reasoning}</div></details>}
      <div class="text">{showProbabilities.value && message.tokens.length > 0 ? message.tokens.map((token, i) => <TokenView key={i} token={token} />) : message.text}{message.end === undefined && <span class="cursor" />}</div>
      <End message={message} />
      <footer>
        {mine && <button type="button" class="edit" disabled={busy} onClick={() => (edited.value = index)}>{w.edit}</button>}
        {!mine && <button type="button" class="resend" disabled={busy} onClick={() => void resend(index)}>{w.resend}</button>}
        {!mine && <button type="button" class="copy" onClick={() => void navigator.clipboard?.writeText(message.text)}>{w.copy}</button>}
        {message.tokensPerSecond !== undefined && <small>{message.tokensPerSecond.toFixed(1)} {w.tokensPerSecond}</small>}
      </footer>
    </article>
  );
}

function End({ message: { end } }: { message: Message }) {
  const w = words.value;
  if (end === undefined || end === 'stop') return null;
  const text = end === 'stopped' ? w.stopped : end === 'length' ? w.cut : w.failed + end.failure;
  return <p class={typeof end === 'object' ? 'problem' : 'note'}>{text}</p>;
}

/** Tinted by how sure the model was; the likeliest others show on hover, focus or touch. */
function TokenView({ token }: { token: Token }) {
  const { text, probability, others } = token, step = Math.min(9, Math.floor(10 * probability));
  const shown = (word: string): string => JSON.stringify(word).slice(1, -1);
  if (text === '') return null;
  return (
    <span class={`token p${step}`} tabIndex={0}>
      {text}
      <span class="others" role="tooltip">
        <b>{shown(text)} {(100 * probability).toFixed(1)}%</b>
        {others.map((other, i) => <span key={i}>{shown(other.text)} {(100 * other.probability).toFixed(1)}%</span>)}
      </span>
    </span>
  );
}

function Editor({ text, index }: { text: string; index: number }) {
  const draft = useSignal(text), w = words.value;
  return (
    <form class="user editor" onSubmit={(event) => {
      event.preventDefault();
      void send(draft.value, index);
    }}>
      <textarea class="edited" rows={3} value={draft.value} onInput={(event) => (draft.value = event.currentTarget.value)} />
      <div>
        <button type="submit" class="send-edited">{w.send}</button>
        <button type="button" onClick={() => (edited.value = undefined)}>{w.cancel}</button>
      </div>
    </form>
  );
}
