// The page's words in both languages.

import { computed, signal } from '@preact/signals';

const ENGLISH = {
  model: 'Model',
  settings: 'Settings',
  system: 'System prompt',
  temperature: 'Temperature',
  topP: 'Top-p',
  maxTokens: 'Most tokens',
  seed: 'Seed (empty: a new one each time)',
  probabilities: 'Show token probabilities',
  fresh: 'New chat',
  placeholder: 'Write a message. Enter sends, Shift+Enter begins a line.',
  send: 'Send',
  stop: 'Stop',
  edit: 'Edit',
  resend: 'Send again',
  cancel: 'Cancel',
  copy: 'Copy',
  thinking: 'Reasoning',
  you: 'You',
  empty: 'Ask something. What you write stays between this page and this server.',
  key: 'API key',
  keyNeeded: 'This server asks for an API key.',
  use: 'Use',
  stopped: 'Stopped.',
  cut: 'Cut short: no room was left.',
  failed: 'That failed: ',
  tokensPerSecond: 'tokens/s',
  language: '中文',
};

const CHINESE: typeof ENGLISH = {
  model: '模型',
  settings: '设置',
  system: '系统提示',
  temperature: '温度',
  topP: 'Top-p',
  maxTokens: '最多词元',
  seed: '随机种子（留空则每次不同）',
  probabilities: '显示词元概率',
  fresh: '新对话',
  placeholder: '输入消息。回车发送，Shift+回车换行。',
  send: '发送',
  stop: '停止',
  edit: '编辑',
  resend: '重新发送',
  cancel: '取消',
  copy: '复制',
  thinking: '思考过程',
  you: '你',
  empty: '请提问。你写的内容只在本页与本服务器之间传送。',
  key: 'API 密钥',
  keyNeeded: '此服务器需要 API 密钥。',
  use: '使用',
  stopped: '已停止。',
  cut: '已截断：没有剩余空间。',
  failed: '出错了：',
  tokensPerSecond: '词元/秒',
  language: 'English',
};

/** The browser's language, until the reader chooses. */
export const language = signal<'en' | 'zh'>(navigator.language.startsWith('zh') ? 'zh' : 'en');

export const words = computed(() => (language.value === 'zh' ? CHINESE : ENGLISH));
