// The chat page: begins here.

import { render } from 'preact';
import { App } from './app.tsx';
import { loadModels } from './state.ts';

render(<App />, document.querySelector('#app')!);
void loadModels();
