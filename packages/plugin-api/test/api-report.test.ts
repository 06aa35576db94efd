import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..', '..', '..');
const { apiReport, REPORTED } = (await import(
  pathToFileURL(path.join(root, '.ci', 'api-report.mjs')).href
)) as {
  apiReport: (root: string, name: string) => string;
  REPORTED: readonly string[];
};

describe('the API report', () => {
  beforeAll(() => {
    const packages = REPORTED.map((name) => path.join('packages', name));
    execFileSync(path.join(root, 'node_modules', '.bin', 'tsc'), ['-b', ...packages], { cwd: root });
  });

  it.each(REPORTED)('of %s says what the package declares; after a change: npm run docs', async (name) => {
    const checkedIn = await readFile(path.join(root, 'docs', 'api-report', `${name}.md`), 'utf8');
    expect(checkedIn).toBe(apiReport(root, name));
  });

  it('shows what a plugin author meets, and no comment', () => {
    const report = apiReport(root, 'plugin-api');
    expect(report).toContain('export interface EcosystemPlugin<');
    expect(report).toContain('export declare function defineAllocator<');
    expect(report).not.toContain('/**');
  });
});
