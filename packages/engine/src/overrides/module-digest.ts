import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { digestOf } from '../fingerprint.ts';

/** Relative modules that a source names, in any form of import; what is in a comment counts too, and does no harm. */
const RELATIVE_IMPORT = /(?:\bfrom|\bimport)\s*\(?\s*['"](?<specifier>\.{1,2}\/[^'"]+)['"]/gu;

/**
 * Digest of a module's source and of every file that it imports by a relative path, so that editing one of them
 * recalculates. A package counts with its own entry file and version only.
 */
export function moduleDigest(url: string): string {
  const sources = new Map<string, string>();
  collect(url, sources);
  const ordered = [...sources].toSorted(([left], [right]) => (left < right ? -1 : 1));
  // By content and order only: the same files elsewhere, or on another machine, decide the same.
  return digestOf([...ordered.map(([, source]) => source), versionOf(url)]);
}

function collect(url: string, sources: Map<string, string>): void {
  if (sources.has(url) || !url.startsWith('file:')) return;
  const file = fileURLToPath(url);
  if (!statSync(file, { throwIfNoEntry: false })?.isFile()) return;
  const source = readFileSync(file, 'utf8');
  sources.set(url, source);
  for (const { groups } of source.matchAll(RELATIVE_IMPORT)) {
    collect(new URL(groups!['specifier']!, url).href, sources);
  }
}

/** Version of the package that an installed module belongs to; empty for a file of the user's own. */
function versionOf(url: string): string {
  if (!url.includes('/node_modules/')) return '';
  let folder = path.dirname(fileURLToPath(url));
  while (path.basename(folder) !== 'node_modules' && path.dirname(folder) !== folder) {
    const manifest = path.join(folder, 'package.json');
    if (existsSync(manifest)) {
      const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: unknown };
      if (typeof version === 'string') return version;
    }
    folder = path.dirname(folder);
  }
  return '';
}
