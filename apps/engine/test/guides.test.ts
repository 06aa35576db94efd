import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GuideRun } from './guide.ts';
import { temporaryFolder } from './support.ts';

describe('a new user who follows', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  it.each([['write-an-allocator.md'], ['write-an-emitter.md'], ['write-an-ecosystem-plugin.md']])(
    '%s from an empty folder gets what it promises in fewer than 15 commands and edits',
    async (guide) => {
      const run = new GuideRun(folder.path);
      await run.follow(guide);
      expect(run.steps.length, run.steps.join('\n')).toBeLessThan(15);
      expect(run.steps.length).toBeGreaterThan(5);
    },
    120_000,
  );
});
