/** A label value between the quotes of PromQL. */
export function escapeLabelValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** `label="value"`, whatever the value holds. */
export function labelMatcher(label: string, value: string): string {
  return `${label}="${escapeLabelValue(value)}"`;
}

/** Puts a matcher into every empty `{}` of an expression, those inside string literals and comments apart. */
export function injectMatcher(expression: string, matcher: string): string {
  // Quotes end with their line, comments too: an apostrophe in a comment begins no string.
  const passedOver = /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*|\{\s*\}/g;
  return expression.replaceAll(passedOver, (found) => (found.startsWith('{') ? `{${matcher}}` : found));
}
