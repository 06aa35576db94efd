import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const packages = path.join(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

it('keeps vendor words out of the core packages', () => {
  const files = globSync('{engine,storage,config,api,allocation}/src/**/*.ts', { cwd: packages });
  expect(files.length).toBeGreaterThan(20);
  const offending = files.filter((file) =>
    /confluent|kafka|lkc-/i.test(readFileSync(path.join(packages, file), 'utf8')),
  );
  expect(offending).toEqual([]);
});
