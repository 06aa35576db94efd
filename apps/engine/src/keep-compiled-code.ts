import { mkdirSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

/**
 * Lets Node keep what it compiles, so that the next start need not. In the user's own cache folder: in a temporary
 * folder, or in the home of somebody else that `sudo` leaves in place, others could put code there. Where there is no
 * such folder, or nothing can be written, nothing is kept. `NODE_COMPILE_CACHE` names another folder and
 * `NODE_DISABLE_COMPILE_CACHE` turns it off, as for any program.
 */
export function keepCompiledCode({ env, platform, getuid }: Surroundings): void {
  const folder = cacheFolder(env, platform);
  if (folder === undefined || (getuid && !isOwnedBy(getuid(), folder))) return;
  const own = path.join(folder, 'chargeback');
  const compiled = path.join(own, 'compiled');
  // One by one: Node's own way to make all of them never ends where the system says of each that it is missing.
  if (![folder, own, compiled].every(isMade)) return;
  // In a folder that all may write to, as a temporary one, somebody else may have made them.
  if (getuid && [own, compiled].some((made) => ownerOf(made) !== getuid())) return;
  // An answer that says it failed is as good as none: the program only starts slower.
  enableCompileCache(compiled);
}

function isMade(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o700 });
    return true;
  } catch (cause) {
    return cause instanceof Error && 'code' in cause && cause.code === 'EEXIST';
  }
}

type Surroundings = Pick<NodeJS.Process, 'env' | 'platform' | 'getuid'>;

/** The folder, or the one that it is to be made in; not where neither can be looked at. */
function isOwnedBy(user: number, folder: string): boolean {
  try {
    return (ownerOf(folder) ?? ownerOf(path.dirname(folder))) === user;
  } catch {
    return false;
  }
}

function ownerOf(folder: string): number | undefined {
  return statSync(folder, { throwIfNoEntry: false })?.uid;
}

function cacheFolder(env: NodeJS.ProcessEnv, platform: NodeJS.Platform): string | undefined {
  const named = platform === 'win32' ? env['LOCALAPPDATA'] : env['XDG_CACHE_HOME'];
  if (named && path.isAbsolute(named)) return named;
  try {
    const home = homedir();
    return path.isAbsolute(home) ? path.join(home, '.cache') : undefined;
  } catch {
    // A user that the system does not know, as containers have them.
    return undefined;
  }
}
