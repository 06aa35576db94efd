import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'vitest';
import { type EmitterWorld, testEmitter } from '../../testkit/src/index.ts';
import { builtInEmitters } from '../src/index.ts';
import { temporaryFolder } from './support.ts';

/** Every built-in emitter writes files into its `output_dir`. */
async function makeWorld(): Promise<EmitterWorld> {
  const folder = await temporaryFolder();
  return {
    params: { output_dir: folder.path },
    contents: async () => {
      const names = (await readdir(folder.path, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name));
      return Promise.all(names.toSorted().map(async (name) => [name, await readFile(name, 'utf8')]));
    },
    dispose: async () => folder[Symbol.asyncDispose](),
  };
}

for (const plugin of builtInEmitters) testEmitter({ describe, it }, plugin, makeWorld);
