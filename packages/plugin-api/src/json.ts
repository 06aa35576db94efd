/** What survives a round trip through JSON text. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/** Free-form facts about a thing, kept with it for audit. */
export type Metadata = Readonly<Record<string, Json>>;
