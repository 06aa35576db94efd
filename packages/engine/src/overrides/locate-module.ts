import { statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ChargebackError, describeCause } from '@chargeback/plugin-api';
import { resolve } from 'import-meta-resolve';
import type { Reference } from './reference.ts';

/** Where modules are looked for. */
export interface ModulePlaces {
  /** Folder of the configuration file. */
  readonly directory: string;
  /** Resolves a package as the application itself would; throws when it is not there. */
  readonly resolveFromApplication: (specifier: string) => string;
  /** The runtime runs TypeScript. */
  readonly stripsTypes: boolean;
}

const SUFFIXES = ['.js', '.mjs', '/index.js', '/index.mjs'];
const TYPESCRIPT_SUFFIXES = ['.ts', '.mts', '/index.ts'];

/**
 * The URL of the module of an override. A file is looked for beside the configuration, a package from there and
 * then from the application. TypeScript counts where the runtime strips types.
 * @throws {ChargebackError} `CB_OVERRIDE_MODULE` with every path tried, also when several files answer.
 */
export function locateModule(reference: Reference, places: ModulePlaces): string {
  if (reference.form === 'dotted') return locateDotted(reference.segments, places);
  const { specifier } = reference;
  return /^\.{0,2}\//u.test(specifier)
    ? locateFile(path.resolve(places.directory, specifier))
    : locatePackage(specifier, places);
}

/** The URL of a package, seen from the configuration file and then from the application. */
export function locatePackage(
  specifier: string,
  { directory, resolveFromApplication }: ModulePlaces,
): string {
  const beside = pathToFileURL(path.join(directory, 'chargeback.yaml')).href;
  const refusals: string[] = [];
  for (const attempt of [() => resolve(specifier, beside), () => resolveFromApplication(specifier)]) {
    try {
      const url = attempt();
      if (!url.startsWith('file:') || isFile(fileURLToPath(url))) return url;
      refusals.push(`${fileURLToPath(url)} is not there`);
    } catch (cause) {
      refusals.push(describeCause(cause));
    }
  }
  throw new ChargebackError(
    'CB_OVERRIDE_MODULE',
    `the package ${specifier} was found neither from ${directory} (${refusals[0]}) nor from the application`,
    { fix: `Install it beside the configuration file: npm install ${packageName(specifier)}.` },
  );
}

function locateDotted(segments: readonly string[], { directory, stripsTypes }: ModulePlaces): string {
  const base = path.join(directory, ...segments);
  const tried = [...SUFFIXES, ...(stripsTypes ? TYPESCRIPT_SUFFIXES : [])].map((suffix) => base + suffix);
  const found = tried.filter(isFile);
  if (found.length === 1) return pathToFileURL(found[0]!).href;
  if (found.length > 1) {
    throw new ChargebackError('CB_OVERRIDE_MODULE', `several files answer: ${found.join(', ')}`, {
      fix: 'Remove all but one, or name the file: ./file.mjs#export.',
    });
  }
  throw new ChargebackError('CB_OVERRIDE_MODULE', `there is no such module; tried ${tried.join(', ')}`);
}

function locateFile(file: string): string {
  if (isFile(file)) return pathToFileURL(file).href;
  throw new ChargebackError('CB_OVERRIDE_MODULE', `there is no such module; tried ${file}`);
}

function isFile(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
