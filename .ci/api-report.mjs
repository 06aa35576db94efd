import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Packages that people outside this repository write against. */
export const REPORTED = ['plugin-api', 'money', 'allocation', 'testkit'];

/**
 * What a package declares to those who use it: every declaration file that its index reaches, without comments, so
 * that a change of the contract shows in the diff and a change of words does not.
 */
export function apiReport(root, name) {
  const dist = path.join(root, 'packages', name, 'dist');
  const files = new Map();
  collect(path.join(dist, 'index.d.ts'), files);
  const sections = [...files]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([file, text]) => `## ${path.relative(dist, file)}\n\n\`\`\`ts\n${text}\n\`\`\`\n`);
  const title = `# API of @chargeback/${name}`;
  return [
    title,
    '',
    'Generated from its declarations by `npm run docs`; a test compares.',
    '',
    ...sections,
  ].join('\n');
}

function collect(file, files) {
  if (files.has(file)) return;
  const text = readFileSync(file, 'utf8');
  files.set(file, '');
  for (const [, specifier] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"](\.[^'"]+)['"]/gu)) {
    collect(path.join(path.dirname(file), specifier.replace(/\.ts$/u, '.d.ts')), files);
  }
  files.set(file, withoutComments(text));
}

function withoutComments(text) {
  return text
    .replaceAll(/^\s*\/\*\*[\s\S]*?\*\/\n/gmu, '')
    .replace(/\/\/# sourceMappingURL=.*\n?/u, '')
    .trim();
}
