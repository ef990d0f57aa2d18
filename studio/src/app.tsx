// The page: a bar, the conversation, the line to write in, settings at the side.

import { useSignal, useSignalEffect } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { MessageView } from './message.tsx';
import { Settings } from './settings.tsx';
import { draft, key, loadModels, messages, model, models, needsKey, problem, running, send, startAnew, stop } from './state.ts';
import { language, words } from './words.ts';

export function App() {
  const settingsOpen = useSignal(false), w = words.value;
  return (
    <div class="page" lang={language.value}>
      <header>
        <strong>Athanor</strong>
        <label class="model">
          <span class="sr">{w.model}</span>
          <select id="model" value={model.value} onChange={(event) => (model.value = event.currentTarget.value)}>
            {models.value.map((name) => <option key={name} value={name}>{name}</option>)}
          </select>
        </label>
        <span class="space" />
        <button type="button" id="fresh" onClick={startAnew}>{w.fresh}</button>
        <button type="button" id="settings" aria-expanded={settingsOpen.value} onClick={() => (settingsOpen.value = !settingsOpen.value)}>{w.settings}</button>
        <button type="button" id="language" onClick={() => (language.value = language.value === 'en' ? 'zh' : 'en')}>{w.language}</button>
      </header>
      {settingsOpen.value && <Settings />}
      {needsKey.value && <KeyForm />}
      {!needsKey.value && problem.value !== '' && <p class="problem" role="alert">{w.failed}{problem.value}</p>}
      <Conversation />
      <Composer />
    </div>
  );
}

function KeyForm() {
  const w = words.value;
  return (
    <form class="key" onSubmit={(event) => {
      event.preventDefault();
      void loadModels();
    }}>
      <label>{w.keyNeeded}<input id="key" type="password" autocomplete="off" placeholder={w.key} value={key.value} onInput={(event) => (key.value = event.currentTarget.value)} /></label>
      <button type="submit">{w.use}</button>
    </form>
  );
}

function Conversation() {
  const list = useRef<HTMLElement>(null);
  useSignalEffect(() => {
    void messages.value;
    const place = list.current;
    // Follows the answer only while the reader is at its end.
    if (place !== null && place.scrollHeight - place.scrollTop - place.clientHeight < 120) requestAnimationFrame(() => place.scrollTo({ top: place.scrollHeight }));
  });
  return (
    <main ref={list}>
      {messages.value.length === 0 && <p class="empty">{words.value.empty}</p>}
      {messages.value.map((message, index) => <MessageView key={index} message={message} index={index} />)}
    </main>
  );
}

function Composer() {
  const w = words.value, busy = running.value !== undefined;
  const submit = (): void => {
    if (busy || draft.value.trim() === '') return;
    const text = draft.value;
    draft.value = '';
    void send(text);
  };
  return (
    <form class="composer" onSubmit={(event) => {
      event.preventDefault();
      submit();
    }}>
      <textarea id="draft" rows={2} placeholder={w.placeholder} aria-label={w.placeholder} value={draft.value} onInput={(event) => (draft.value = event.currentTarget.value)} onKeyDown={(event) => {
        // While an input method composes a character, Enter belongs to it.
        if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        submit();
      }} />
      {busy ? <button type="button" id="stop" onClick={stop}>{w.stop}</button> : <button type="submit" id="send" disabled={model.value === ''}>{w.send}</button>}
    </form>
  );
}
