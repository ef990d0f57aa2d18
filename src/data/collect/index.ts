// Collecting: sources of documents and the readers of formats. Layer: data.

export { bytesInput, type Input } from './content.ts';
export { DEFAULT_LIMITS, type Limits, RefusedError } from './limits.ts';
export { type Fetched, Fetcher, type FetcherOptions, type FetchRequest } from './net/guarded-fetch.ts';
export { whyNotPublic } from './net/address.ts';
export { readFileDocuments, readInputDocuments } from './read-file.ts';
export { type ReadFileOptions, readFileOptions } from './read-options.ts';
export { type Found, type Reader } from './reader.ts';
export { READERS } from './readers/index.ts';
export { files, type FilesOptions } from './sources/files.ts';
export { crawl, type CrawlOptions, web, type WebOptions } from './sources/web.ts';
export { sql, type SqlOptions } from './sources/sql.ts';
export { git, type GitOptions } from './sources/git.ts';
export { type HubFiles, hubSource, type HubSourceOptions } from './sources/hub.ts';
export { s3, type S3Options } from './sources/s3.ts';
