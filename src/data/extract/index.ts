// The public face of extraction: the main text of web pages. Layer: data.

export { decodePage, type DecodedPage } from './decode-page.ts';
export { extractPage, type ExtractedPage, type ExtractOptions } from './extract-page.ts';
export { PAGE_LIMITS, type PageLimits } from './page-tree.ts';
