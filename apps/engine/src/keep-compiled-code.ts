import { statSync } from 'node:fs';
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
  // An answer that says it failed is as good as none: the program only starts slower.
  enableCompileCache(path.join(folder, 'chargeback', 'compiled'));
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
