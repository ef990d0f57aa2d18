// Kinds of personal data, and a place where one was found. Layer: data (pure).

/** Kinds in the order that decides where two overlap. */
export const PII_KINDS = ['key', 'password', 'email', 'iban', 'identity', 'card', 'ssn', 'passport', 'driver', 'plate', 'ip', 'mac', 'phone'] as const;
export type PiiKind = typeof PII_KINDS[number];

/** A place in a text, in UTF-16 units; `end` is exclusive. */
export type Found = { readonly kind: PiiKind; readonly start: number; readonly end: number };
