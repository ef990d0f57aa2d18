// What a recipe can say about fetching pages. Layer: data (pure).

import { z } from 'zod';
import { readFileShape } from '../read-options.ts';

/** Who asks: sites that mind can say so in their robots.txt, and look up what it is. */
export const USER_AGENT = 'athanor/0.1 (+https://www.npmjs.com/package/athanor)';
/** The name that robots.txt is searched for. */
export const AGENT_NAME = 'athanor';

/** Fields of every source that fetches. */
export const fetchShape = {
  allow: z.array(z.string()).default([]).describe('names, addresses and ranges beyond the public network that may be asked (10.0.0.0/8)'),
  maxBytes: z.int().positive().default(64 * 2 ** 20).describe('bytes of an answer'),
  timeoutSeconds: z.number().positive().default(120).describe('time for an answer, redirects included'),
};

/** Fields of sources that ask sites. */
export const webShape = {
  ...fetchShape,
  ...readFileShape,
  cache: z.string().describe('folder where fetched pages are kept: a run that was stopped goes on from there, and a page is fetched once'),
  refresh: z.boolean().default(false).describe('ask whether kept pages changed (by ETag and date) instead of taking them as they are'),
  userAgent: z.string().min(1).default(USER_AGENT).describe('who asks'),
  robots: z.boolean().default(true).describe('honour robots.txt; only for sites of your own may this be false'),
  delaySeconds: z.number().min(0).default(1).describe('pause between requests to one host; a longer crawl-delay of its robots.txt counts'),
};
