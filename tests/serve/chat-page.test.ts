// The chat page in a real browser: it streams, stops, edits, sends again, shows probabilities, in both languages and on a phone.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadPage } from '../../src/serve/chat-page.ts';
import { ask } from './raw-http.ts';
import type { Script } from './scripted-engine.ts';
import { removeFolders } from './tiny-model.ts';
import { startTiny, type TinyServer } from './tiny-server.ts';

const CHROMIUM = [process.env['CHROMIUM'] ?? '', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => path !== '' && existsSync(path));
const isBuilt = existsSync(fileURLToPath(new URL('../../dist/studio/index.html', import.meta.url)));
/** Where pictures go, for whoever wants to look. */
const PICTURES = process.env['ATHANOR_SCREENSHOTS'];

describe.skipIf(!isBuilt)('GET /', () => {
  it('gives the page with a policy that allows no inline script, and only files of the build', async () => {
    const server = await startTiny();
    const { status, headers, text } = await ask(`${server.url}/`);
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
    expect(text).not.toMatch(/<script(?![^>]*\bsrc=)/);
    for (const [path] of loadPage()) if (path !== '/index.html') expect((await ask(server.url + path)).status).toBe(200);
    for (const path of ['/../package.json', '/%2e%2e/package.json', '/assets/../../package.json', '/assets/']) expect((await ask(server.url + path)).status).toBe(404);
    await server.drain();
  });
});

describe.skipIf(CHROMIUM === undefined || !isBuilt)('the chat page in Chromium', () => {
  let server: TinyServer, browser: Browser, page: Page;
  const script: Script = { say: (prompt) => (/slow/.test(prompt) ? 'a very slow answer '.repeat(40) : /中文/.test(prompt) ? '你好，世界！' : 'one two three'), paceMs: 15 };
  const faults: string[] = [];
  beforeAll(async () => {
    server = await startTiny({ script });
    browser = await chromium.launch({ executablePath: CHROMIUM!, args: ['--no-sandbox'] });
    page = await browser.newPage({ viewport: { width: 1000, height: 700 }, locale: 'en-GB' });
    page.on('console', (message) => void (message.type() === 'error' && faults.push(message.text())));
    page.on('pageerror', (error) => void faults.push(error.message));
    await page.goto(server.url);
    await page.selectOption('#model', 'scripted');
  });
  afterAll(async () => {
    await browser?.close();
    await server?.drain();
    removeFolders();
  });
  const picture = async (name: string): Promise<void> => {
    if (PICTURES !== undefined) await page.screenshot({ path: `${PICTURES}/${name}.png` });
  };
  const answerOf = (n: number) => page.locator('article.assistant').nth(n).locator('.text').last();

  it('lists the models and streams an answer', async () => {
    expect(await page.locator('#model option').allTextContents()).toEqual(['tiny', 'scripted']);
    await page.fill('#draft', 'Count, please.');
    await page.press('#draft', 'Enter');
    await page.waitForSelector('article.assistant .cursor');
    await page.waitForSelector('#send');
    expect(await answerOf(0).textContent()).toBe('one two three');
    await picture('answer');
  });

  it('stops an answer, which ends in the engine too', async () => {
    await page.fill('#draft', 'Be slow.');
    await page.press('#draft', 'Enter');
    await page.waitForFunction(() => (document.querySelectorAll('article.assistant')[1]?.textContent ?? '').includes('very'));
    await page.click('#stop');
    await page.waitForSelector('article.assistant .note');
    expect(await page.locator('article.assistant .note').textContent()).toBe('Stopped.');
    await expect.poll(() => script.running).toBe(0);
  });

  it('edits a message and sends it again, which takes back what followed', async () => {
    await page.locator('article.user .edit').first().click();
    await page.fill('.edited', '请用中文回答');
    await picture('edit');
    await page.click('.send-edited');
    await page.waitForFunction(() => document.querySelector('#send') !== null && (document.querySelector('article.assistant .text')?.textContent ?? '').endsWith('！'));
    expect(await page.locator('article').count()).toBe(2);
    expect(await answerOf(0).textContent()).toBe('你好，世界！');
    await page.click('.resend');
    await page.waitForSelector('#send');
    expect(await page.locator('article').count()).toBe(2);
  });

  it('shows the probability of each token on hover', async () => {
    await page.click('#settings');
    await page.check('#probabilities');
    await page.locator('.token').first().hover();
    const shown = page.locator('.token .others').first();
    expect(await shown.isVisible()).toBe(true);
    expect(await shown.textContent()).toContain('60.7%'); // exp(−0.5), as the script has it
    expect(await page.locator('.token').evaluateAll((tokens) => tokens.map((token) => token.firstChild!.textContent).join(''))).toBe('你好，世界！');
    await picture('probabilities');
  });

  it('speaks Chinese, and fits a phone', async () => {
    await page.setViewportSize({ width: 360, height: 640 });
    await page.click('#language');
    expect(await page.locator('#send').textContent()).toBe('发送');
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth)).toBe(true);
    expect(await page.locator('#send').boundingBox().then((box) => box!.x + box!.width <= 360 && box!.y + box!.height <= 640)).toBe(true);
    await picture('phone-zh');
    await page.click('#settings');
    await picture('phone-zh-chat');
  });

  it('had no error in its console, and broke no policy', () => {
    expect(faults).toEqual([]);
  });
});
