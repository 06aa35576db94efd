import pg from 'pg';

/**
 * A statement with its values written into it, so that it can be sent together with others. Each value is a literal
 * without a type, as a parameter is: the server takes it for what stands beside it. Null when a value cannot be
 * written so: a list of texts, or a text with a character that ends a statement.
 */
export function inlined(sql: string, values: readonly unknown[]): string | null {
  const literals = values.map(literalOf);
  if (literals.includes(null)) return null;
  // `$1` and not `$10`; a value is not looked at again.
  return sql.replace(/\$(\d+)/g, (_, place: string) => literals[Number(place) - 1]!);
}

function literalOf(value: unknown): string | null {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return value.includes('\0') ? null : pg.escapeLiteral(value);
  if (Array.isArray(value)) return value.every(isNumber) ? `'{${value.join(',')}}'` : null;
  return isNumber(value) || typeof value === 'boolean' ? `'${value}'` : null;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
