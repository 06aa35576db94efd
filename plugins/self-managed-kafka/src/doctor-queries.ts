import type { Finding } from '@chargeback/plugin-api';
import type { KafkaFinding } from './doctor-questions.ts';

/** The findings as they are printed: the queries of all of them in one block of YAML, each key once. */
export function writtenTogether(findings: readonly KafkaFinding[]): Finding[] {
  const queries = new Map<string, string[]>();
  const from: string[] = [];
  const printed = findings.map(({ queries: own, ...finding }) => {
    if (own === undefined) return finding;
    from.push(finding.what);
    for (const [key, query] of Object.entries(own)) {
      const known = queries.get(key) ?? [];
      queries.set(key, known.includes(query) ? known : [...known, query]);
    }
    return finding;
  });
  if (queries.size === 0) return printed;
  // Of two queries for one key each finds a part: who sends and who fetches.
  const lines = [...queries].map(
    ([key, texts]) =>
      `\n  ${key}: ${JSON.stringify(texts.length === 1 ? texts[0] : texts.map((text) => `(${text})`).join(' or '))}`,
  );
  const together: Finding = {
    severity: 'ok',
    what: 'queries',
    evidence: `what to write for ${from.join(', ')}`,
    advice: 'Write them as one block.',
    yaml: `queries:${lines.join('')}`,
  };
  return [...printed, together];
}
