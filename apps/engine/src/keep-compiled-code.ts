import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

/**
 * Lets Node keep what it compiles, so that the next start need not. In the user's own cache folder: in a temporary
 * folder others could put code there before us. Without such a folder, or where nothing can be written, nothing is
 * kept; `NODE_COMPILE_CACHE` names another folder and `NODE_DISABLE_COMPILE_CACHE` turns it off, as for any program.
 */
export function keepCompiledCode({ env, platform }: Pick<NodeJS.Process, 'env' | 'platform'>): void {
  const folder = cacheFolder(env, platform);
  // An answer that says it failed is as good as none: the program only starts slower.
  if (folder !== undefined) enableCompileCache(path.join(folder, 'chargeback', 'compiled'));
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
