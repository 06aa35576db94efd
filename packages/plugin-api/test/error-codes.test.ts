import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../src/index.ts';
import { renderErrorDocs } from '../src/render-error-docs.ts';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const TABLE = 'packages/plugin-api/src/error-codes.ts';
const known = Object.keys(ERROR_CODES);

/** Codes that occur as literals in the sources, with the files they occur in. */
function usedCodes(): Map<string, string[]> {
  const used = new Map<string, string[]>();
  for (const file of globSync('{packages,plugins,apps}/*/src/**/*.{ts,tsx}', { cwd: root }).toSorted()) {
    const name = file.replaceAll(path.sep, '/');
    if (name === TABLE) continue;
    for (const [, code] of readFileSync(path.join(root, file), 'utf8').matchAll(
      /['"`](CB_[A-Z0-9_]*[A-Z0-9])['"`]/g,
    )) {
      used.set(code!, [...(used.get(code!) ?? []), name]);
    }
  }
  return used;
}

describe('the table of error codes', () => {
  // After a change of the table: vitest run packages/plugin-api -u
  it('is what docs/errors.md says', async () => {
    await expect(renderErrorDocs()).toMatchFileSnapshot(path.join(root, 'docs', 'errors.md'));
  });

  it('has every code once on the page, with meaning, fix and exit code', () => {
    const page = renderErrorDocs();
    for (const code of known) expect(page.split(`| \`${code}\` |`)).toHaveLength(2);
  });

  it('keeps the page a table whatever a text holds', () => {
    const page = renderErrorDocs({ CB_NEW_CODE: { meaning: 'a | b', fix: '<label> > 1', exitCode: 1 } });
    expect(page).toContain('## Other\n');
    expect(page).toContain('| `CB_NEW_CODE` | a \\| b | &lt;label&gt; &gt; 1 | 1 |');
  });

  it('says in every row what happened and what to do, in sentences', () => {
    for (const [code, { meaning, fix, exitCode }] of Object.entries(ERROR_CODES)) {
      expect(code).toMatch(/^CB_[A-Z]+(_[A-Z]+)*$/);
      expect([meaning, fix].map((text) => /^[A-Z\p{Lu}`'"$].*[.!]$/su.test(text))).toEqual([true, true]);
      expect([1, 2, 3]).toContain(exitCode);
    }
  });

  it('has every code that the sources use', () => {
    const strangers = [...usedCodes()].filter(([code]) => !known.includes(code));
    expect(strangers.map(([code, files]) => `${code} in ${files.join(', ')}`)).toEqual([]);
  });

  it('has no code that no source uses', () => {
    const used = usedCodes();
    expect(known.filter((code) => !used.has(code))).toEqual([]);
  });
});
