import type { Json } from '@chargeback/plugin-api';

/** A text that says something; null for everything else, the empty text included. */
export function textOf(value: Json | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
