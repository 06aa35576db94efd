/** A label value between the quotes of PromQL. */
export function escapeLabelValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** `label="value"`, whatever the value holds. */
export function labelMatcher(label: string, value: string): string {
  return `${label}="${escapeLabelValue(value)}"`;
}

/** Puts a matcher into every empty `{}` of an expression, those inside string literals apart. */
export function injectMatcher(expression: string, matcher: string): string {
  const stringOrBraces = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\{\s*\}/gs;
  return expression.replaceAll(stringOrBraces, (found) => (found.startsWith('{') ? `{${matcher}}` : found));
}
