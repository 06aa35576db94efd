import type { Metadata } from '@chargeback/plugin-api';
import { isJsonObject, type JsonValue } from '../http/parse-json.ts';

/** The text at a path of an answer, such as `spec`, `environment`, `id`; null when it is not there. */
export function textAt(item: JsonValue | undefined, ...path: readonly string[]): string | null {
  const value = valueAt(item, ...path);
  return typeof value === 'string' && value.trim() !== '' ? value : null;
}

export function valueAt(item: JsonValue | undefined, ...path: readonly string[]): JsonValue | undefined {
  let value = item;
  for (const key of path) value = isJsonObject(value) ? value[key] : undefined;
  return value;
}

/** When a thing existed. A time that cannot be read is not known. A time without zone is UTC. */
export function lifetimeAt(item: JsonValue): { createdAt: Date | null; deletedAt: Date | null } {
  return {
    createdAt: instantOf(textAt(item, 'metadata', 'created_at')),
    deletedAt: instantOf(textAt(item, 'metadata', 'deleted_at')),
  };
}

const INSTANT = /^\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?/;
const ZONE = /(?:Z|[+-]\d{2}:?\d{2})$/i;

function instantOf(text: string | null): Date | null {
  if (text === null || !INSTANT.test(text)) return null;
  const dated = text.length > 10 && !ZONE.test(text) ? `${text}Z` : text;
  const time = Date.parse(dated.replace(' ', 'T'));
  return Number.isNaN(time) ? null : new Date(time);
}

/** Metadata of what is there: a key without a value is left out. */
export function metadataOf(entries: Readonly<Record<string, Metadata[string] | undefined>>): Metadata {
  const present: Record<string, Metadata[string]> = {};
  for (const [key, value] of Object.entries(entries))
    if (value !== null && value !== undefined) present[key] = value;
  return present;
}

/** `crn://confluent.cloud/organization=abc/environment=env-1` as its key=value segments. */
export function parseCrn(crn: string): ReadonlyMap<string, string> {
  const segments = crn.replace(/^crn:\/\/[^/]*/, '').split('/');
  const pairs = segments.map((segment) => segment.split('=', 2) as [string, string | undefined]);
  return new Map(pairs.filter((pair): pair is [string, string] => Boolean(pair[0] && pair[1])));
}
