import { z } from 'zod';

const MATCHER = String.raw`[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')`;
const SELECTOR = new RegExp(String.raw`^\s*(?:${MATCHER}\s*(?:,\s*${MATCHER}\s*)*,?)?\s*$`);

/** Label matchers that keep one cluster apart from others in the same metrics server. */
export const selectorSchema = z
  .string()
  .refine(
    (text) => SELECTOR.test(withoutBraces(text)),
    'a selector is made of label matchers, such as cluster="prod", env=~"live|test"',
  );

/** The matchers without braces and without a comma at their end; empty when there are none. */
export function matchersOf(selector: string | null | undefined): string {
  return withoutBraces(selector ?? '')
    .replace(/,\s*$/, '')
    .trim();
}

/** The same without those on some labels, such as the topic, for series that lack these labels. */
export function withoutLabels(matchers: string, labels: readonly string[]): string {
  return [...matchers.matchAll(new RegExp(MATCHER, 'g'))]
    .map(([matcher]) => matcher)
    .filter((matcher) => !labels.includes(/^\w+/.exec(matcher)![0]))
    .join(',');
}

function withoutBraces(text: string): string {
  const trimmed = text.trim();
  return trimmed.startsWith('{') && trimmed.endsWith('}') ? trimmed.slice(1, -1).trim() : trimmed;
}
