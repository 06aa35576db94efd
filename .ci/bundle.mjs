// Writes a program of this repository, from its sources and with the libraries that it uses, into few files.
// Node takes about 0.7 ms to find and link a module: of the 860 that a run needs that is most of a run with nothing to do.
// What is built by tsc stays beside it: for those who import a package, and for whoever wants to do without.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** They load binaries from beside their own files. */
const STAYS_OUTSIDE = ['better-sqlite3', '@platformatic/kafka'];
/** Optional, and used by nothing here. */
const NOT_INSTALLED = ['pg-native'];

/** By folder: the sources that processes are started with. */
const PROGRAMS = {
  'apps/engine': ['main'],
  bench: ['run-engine'],
};

/**
 * Bundles the programs of a folder of this repository.
 * @param {{ folder: string, output: string }} options `output` must lie directly in a folder with that package.json:
 *   the program reads it.
 */
export async function bundle({ folder, output }) {
  const home = path.join(root, folder);
  const manifest = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'));
  const built = await rolldown({
    cwd: home,
    input: Object.fromEntries(PROGRAMS[folder].map((name) => [name, path.join(home, 'src', `${name}.ts`)])),
    platform: 'node',
    external: [...STAYS_OUTSIDE, ...NOT_INSTALLED],
    resolve: { conditionNames: ['@chargeback/source', 'node', 'default'] },
    plugins: [builtInPlugins(manifest.chargeback?.plugins ?? [])],
  });
  rmSync(output, { recursive: true, force: true });
  const written = await built.write({
    dir: output,
    format: 'esm',
    sourcemap: true,
    // `plugins wiring` shows the names of functions.
    keepNames: true,
    chunkFileNames: '[name].js',
  });
  await built.close();
  const chunks = written.output.filter(({ type }) => type === 'chunk');
  assertInstallable(chunks, manifest);
  copyLicenses(chunks, path.join(output, 'licenses'));
}

/** `import(name)` of a name that is in package.json, as the program does it, is nothing that a bundler can follow. */
function builtInPlugins(names) {
  const entries = names.map((name) => `${JSON.stringify(name)}: () => import(${JSON.stringify(name)}),`);
  return {
    name: 'built-in-plugins',
    load: {
      filter: { id: /[\\/]src[\\/]import-built-in\.ts$/ },
      handler: () => `const plugins = {\n${entries.join('\n')}\n};
export const importBuiltIn = (name) => plugins[name]();\n`,
    },
  };
}

/** What is not in the bundle must be among the package's own dependencies, or an installed program would not find it. */
function assertInstallable(chunks, manifest) {
  const files = new Set(chunks.map(({ fileName }) => fileName));
  for (const { imports, dynamicImports } of chunks) {
    for (const name of [...imports, ...dynamicImports]) {
      if (files.has(name) || isBuiltin(name) || NOT_INSTALLED.includes(name)) continue;
      if (!Object.hasOwn(manifest.dependencies, name))
        throw new Error(`${manifest.name} is bundled without ${name}: add it to the dependencies`);
    }
  }
}

/** The licences of what is inside, which ask for being passed on with it. */
function copyLicenses(chunks, folder) {
  mkdirSync(folder);
  const homes = new Set(
    chunks
      .flatMap(({ moduleIds }) => moduleIds)
      .flatMap((id) => /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(id) ?? []),
  );
  for (const home of [...homes].toSorted()) {
    const manifest = JSON.parse(readFileSync(path.join(home, 'package.json'), 'utf8'));
    const { name: owner, version, license } = manifest;
    const texts = readdirSync(home).filter((file) => /^(?:licen[cs]e|copying|notice)\b/i.test(file));
    if (texts.length === 0 && license === undefined) throw new Error(`${owner} has no licence`);
    const passedOn =
      texts.length > 0
        ? texts.map((file) => readFileSync(path.join(home, file), 'utf8')).join('\n\n')
        : declarationOf(manifest);
    // Of some libraries two versions are inside, and their texts may differ.
    writeFileSync(path.join(folder, `${owner.replace('/', '__')}@${version}.txt`), passedOn);
  }
}

/** Of who ships no text of the licence: what the package says of itself. */
function declarationOf({ name, version, license, author, repository }) {
  const owner = typeof author === 'object' ? author.name : author;
  const source = typeof repository === 'object' ? repository.url : repository;
  return [
    `${name} ${version}`,
    `License: ${license}`,
    owner && `Author: ${owner}`,
    source && `Source: ${source}`,
    '',
  ]
    .filter((line) => line !== undefined)
    .join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder, name = 'bundle'] = process.argv.slice(2);
  await bundle({ folder, output: path.join(root, folder, name) });
}
