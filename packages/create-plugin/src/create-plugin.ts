import { cpSync, existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface CreatePluginOptions {
  /** Kebab-case name of the ecosystem, and of the folder. */
  readonly name: string;
  /** The folder that gets the new folder. */
  readonly parent: string;
}

/** The plugin cannot be written under that name; the message says what to do. */
export class PluginNameError extends Error {
  override readonly name = 'PluginNameError';
}

/** npm leaves a .gitignore out of packages, and a second package.json in one confuses tools. */
const HELD_BACK = { _gitignore: '.gitignore', '_package.json': 'package.json' };

const TEMPLATE = path.join(import.meta.dirname, '..', 'template');

/**
 * Writes a new plugin and returns its folder.
 * @throws {PluginNameError} for a name that is not kebab-case, and for a folder that has something in it.
 */
export function createPlugin({ name, parent }: CreatePluginOptions): string {
  if (!/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/u.test(name)) {
    throw new PluginNameError(`${JSON.stringify(name)} is no name for an ecosystem; use one like my-cloud`);
  }
  const folder = path.join(parent, name);
  if (existsSync(folder) && readdirSync(folder).length > 0) {
    throw new PluginNameError(`${folder} is there already and not empty; use another name`);
  }
  cpSync(TEMPLATE, folder, { recursive: true });
  for (const [held, real] of Object.entries(HELD_BACK)) {
    renameSync(path.join(folder, held), path.join(folder, real));
  }
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) fillIn(path.join(entry.parentPath, entry.name), name);
  }
  return folder;
}

function fillIn(file: string, name: string): void {
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replaceAll('__NAME__', name).replaceAll('__VERSION__', ownVersion()));
}

/** All packages of a release have one version: the plugin is written for the contract of its scaffold. */
function ownVersion(): string {
  const manifest = readFileSync(path.join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
