import { parse } from 'yaml';
import type { SourceNode } from './source-tree.ts';

/** A text that YAML may read as a number, a word or nothing; everything else is not handed to the parser. */
const RETYPABLE = /^(?:~|[-+]?\.?[A-Za-z0-9][\w.+-]{0,60})?$/u;

const YAML_11_BOOLEANS: Readonly<Record<string, boolean>> = { yes: true, on: true, no: false, off: false };

/**
 * What a value would be had YAML's core rules read its text: a number, a boolean or null. Undefined when they
 * would read a text, or when the value may not be read again.
 *
 * Only a value that was exactly one placeholder is read again, and only where the schema does not accept the
 * text (see `readSection`): the same variable is a number in a number's place and a text in a text's place.
 */
export function retype(node: SourceNode): { readonly value: number | boolean | null } | undefined {
  if (node.kind !== 'scalar' || node.unresolved || typeof node.value !== 'string') return undefined;
  if (node.placeholder === 'none' && node.plain) return yaml11Boolean(node.value);
  if (node.placeholder !== 'whole') return undefined;
  const text = node.value.trim();
  if (!RETYPABLE.test(text)) return undefined;
  const value: unknown = parse(text, { schema: 'core' });
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return { value };
  return yaml11Boolean(text);
}

/** Files written for YAML 1.1 say yes and off; harmless, because it counts only where a boolean is wanted. */
function yaml11Boolean(text: string): { readonly value: boolean } | undefined {
  const value = YAML_11_BOOLEANS[text.toLowerCase()];
  return typeof value === 'boolean' ? { value } : undefined;
}
