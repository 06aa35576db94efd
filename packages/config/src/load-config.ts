import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';
import { parse as parseEnvironment } from 'dotenv';
import { type Environment, type LoadedConfig, parseConfig, type ParseConfigOptions } from './parse-config.ts';
import { MAX_FILE_BYTES } from './parse-source.ts';

export interface LoadConfigOptions extends ParseConfigOptions {
  /** Read instead of the `.env` beside the configuration file; must be there. */
  readonly envFile?: string;
}

/**
 * Reads a configuration file. Variables come from `environment`, and what it lacks from the `.env` file;
 * neither is changed.
 *
 * @throws {ChargebackError} CB_CONFIG_READ when a file cannot be read.
 * @throws {ConfigError} CB_CONFIG_INVALID with every problem of the file.
 */
export async function loadConfig(options: LoadConfigOptions): Promise<LoadedConfig> {
  const text = await readText(options.file, 'configuration file');
  const fromFile = await readEnvironment(options);
  return parseConfig(text, { ...options, environment: layered(options.environment, fromFile) });
}

async function readEnvironment({ file, envFile }: LoadConfigOptions): Promise<Environment> {
  if (envFile !== undefined) return parseEnvironment(await readText(envFile, 'environment file'));
  const beside = path.join(path.dirname(file), '.env');
  // A folder of that name is something else, and no file at all is the usual case.
  const isFile = await stat(beside).then(
    (found) => found.isFile(),
    () => false,
  );
  return isFile ? parseEnvironment(await readText(beside, 'environment file')) : {};
}

/** The process wins, with an empty value too; a variable that is there but undefined is not set. */
function layered(environment: Environment, fromFile: Environment): Environment {
  const set = Object.entries(environment).filter(([, value]) => value !== undefined);
  return { ...fromFile, ...Object.fromEntries(set) };
}

async function readText(file: string, what: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) throw new RangeError(`it is larger than ${MAX_FILE_BYTES / 1_000_000} MB`);
    bytes = await readFile(file);
  } catch (cause) {
    throw new ChargebackError('CB_CONFIG_READ', `The ${what} ${file} cannot be read: ${reasonOf(cause)}`, {
      path: file,
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const message = `The ${what} ${file} is not UTF-8 text`;
    throw new ChargebackError('CB_CONFIG_READ', message, { path: file, fix: 'Save it as UTF-8.' });
  }
}

const REASONS = new Map([
  ['ENOENT', 'there is no such file'],
  ['EACCES', 'its permissions do not allow it'],
  ['EISDIR', 'it is a folder'],
  ['ENOTDIR', 'a part of its path is a file'],
]);

function reasonOf(cause: unknown): string {
  if (cause instanceof RangeError) return cause.message;
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return REASONS.get(code) ?? code;
}
