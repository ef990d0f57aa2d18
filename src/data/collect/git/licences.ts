// The licence of code: what a file says itself, else the nearest licence file above it. Layer: data (pure).
// Identifiers and headers: https://spdx.org/licenses, SPDX specification 2.3, annex E. Licence texts are known by sentences
// that no other has; the first that fits counts, so that the particular stand before the general.

const TEXTS: readonly (readonly [string, RegExp])[] = [
  ['AGPL-3.0', /GNU AFFERO GENERAL PUBLIC LICENSE\s+Version 3/i],
  ['LGPL-3.0', /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 3/i],
  ['LGPL-2.1', /GNU LESSER GENERAL PUBLIC LICENSE\s+Version 2\.1/i],
  ['GPL-3.0', /GNU GENERAL PUBLIC LICENSE\s+Version 3/i],
  ['GPL-2.0', /GNU GENERAL PUBLIC LICENSE\s+Version 2/i],
  ['MPL-2.0', /Mozilla Public License,?\s+(v\.|version)\s*2\.0/i],
  ['EPL-2.0', /Eclipse Public License\s*-?\s*v(ersion)?\s*2\.0/i],
  ['Apache-2.0', /Apache License\s+Version 2\.0|Licensed under the Apache License, Version 2\.0/i],
  ['BSL-1.0', /Boost Software License\s*-\s*Version 1\.0/i],
  ['CC0-1.0', /CC0 1\.0 Universal|Creative Commons Zero/i],
  ['CC-BY-SA-4.0', /Attribution-ShareAlike 4\.0 International/i],
  ['CC-BY-NC-4.0', /Attribution-NonCommercial 4\.0 International/i],
  ['CC-BY-4.0', /Attribution 4\.0 International/i],
  ['Unlicense', /This is free and unencumbered software released into the public domain/i],
  ['0BSD', /Permission to use, copy, modify, and\/or distribute this software for any purpose with or without fee is hereby granted\.\s+THE SOFTWARE/i],
  ['ISC', /Permission to use, copy, modify, and(\/or)? distribute this software for any purpose with or without fee is hereby granted, provided/i],
  ['Zlib', /This software is provided 'as-is', without any express or implied warranty/i],
  ['BSD-3-Clause', /Redistribution and use in source and binary forms[^]*Neither the name/i],
  ['BSD-2-Clause', /Redistribution and use in source and binary forms/i],
  ['MIT', /Permission is hereby granted, free of charge, to any person obtaining a copy/i],
];

/** Whether a file name is that of a licence. */
export const isLicenceFile = (name: string): boolean => /^(licen[cs]e|copying|unlicense)([.-][\w.-]+)?$/i.test(name);

/** The SPDX identifier of a licence's text; undefined if it is not known. */
export function licenceOfText(text: string): string | undefined {
  return headerLicence(text) ?? TEXTS.find(([, pattern]) => pattern.test(text.slice(0, 20_000)))?.[0];
}

/** `SPDX-License-Identifier:` among the first lines of a file. */
export function headerLicence(text: string): string | undefined {
  const expression = /SPDX-License-Identifier:\s*([^\r\n]{1,200})/.exec(text.slice(0, 4000))?.[1];
  return expression?.replace(/\s*(\*\/|-->|#}|\*\)|"""|').*$/, '').trim() || undefined;
}

/** The licence that holds for a path, given those of folders (`''` is the root). */
export function licenceFor(path: string, byFolder: ReadonlyMap<string, string>): string | undefined {
  for (let folder = path; folder !== '';) {
    folder = folder.includes('/') ? folder.slice(0, folder.lastIndexOf('/')) : '';
    const licence = byFolder.get(folder);
    if (licence !== undefined) return licence;
  }
  return undefined;
}
