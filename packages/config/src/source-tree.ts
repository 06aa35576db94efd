import type { ConfigPath } from './config-problem.ts';

/** Where something is written; both count from 1. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

export interface SourceScalar {
  readonly kind: 'scalar';
  readonly place: Place;
  /** What the file says, after placeholders were replaced. */
  value: string | number | boolean | null;
  /** Written without quotes, so that YAML decided its type. */
  readonly plain: boolean;
  /** `whole`: the value was exactly one placeholder; `part`: a placeholder among other text. */
  placeholder: 'none' | 'part' | 'whole';
  /** A placeholder could not be replaced: the value means nothing. */
  unresolved: boolean;
}

export interface SourceEntry {
  /** Place of the key. */
  readonly place: Place;
  readonly node: SourceNode;
}

export interface SourceMap {
  readonly kind: 'map';
  readonly place: Place;
  readonly entries: Map<string, SourceEntry>;
}

interface SourceList {
  readonly kind: 'list';
  readonly place: Place;
  readonly items: readonly SourceNode[];
}

/** The parsed file as a plain tree: aliases and merges are expanded, every node knows its place. */
export type SourceNode = SourceScalar | SourceMap | SourceList;

/** The child of a node; undefined when there is none. */
export function childAt(node: SourceNode | undefined, step: string | number): SourceNode | undefined {
  if (node?.kind === 'map') return node.entries.get(String(step))?.node;
  if (node?.kind === 'list') return node.items[Number(step)];
  return undefined;
}

export function nodeAt(root: SourceNode | undefined, path: ConfigPath): SourceNode | undefined {
  let node = root;
  for (const step of path) node = childAt(node, step);
  return node;
}

/** Where a path is written: its key, or the key of the nearest ancestor that is there. Null for the top. */
export function placeOf(root: SourceNode | undefined, path: ConfigPath): Place | null {
  let node = root;
  let place: Place | null = null;
  for (const step of path) {
    const entry = node?.kind === 'map' ? node.entries.get(String(step)) : undefined;
    node = entry?.node ?? childAt(node, step);
    if (node === undefined) break;
    place = entry?.place ?? node.place;
  }
  return place;
}

/** Calls the function for each scalar, in the order of the file, with the path to it. */
export function forEachScalar(
  node: SourceNode,
  visit: (scalar: SourceScalar, path: ConfigPath) => void,
  path: ConfigPath = [],
): void {
  if (node.kind === 'scalar') visit(node, path);
  else if (node.kind === 'list')
    node.items.forEach((item, index) => forEachScalar(item, visit, [...path, index]));
  else for (const [key, entry] of node.entries) forEachScalar(entry.node, visit, [...path, key]);
}

/** True when a placeholder at the node or below it could not be replaced. */
export function hasUnresolved(node: SourceNode): boolean {
  if (node.kind === 'scalar') return node.unresolved;
  if (node.kind === 'list') return node.items.some(hasUnresolved);
  return [...node.entries.values()].some((entry) => hasUnresolved(entry.node));
}

/** The tree as plain data; `replaced` holds values that stand in for those of the file. */
export function toValue(
  node: SourceNode | undefined,
  replaced: ReadonlyMap<SourceNode, unknown> = new Map(),
): unknown {
  if (node === undefined) return undefined;
  if (replaced.has(node)) return replaced.get(node);
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'list') return node.items.map((item) => toValue(item, replaced));
  return Object.fromEntries([...node.entries].map(([key, entry]) => [key, toValue(entry.node, replaced)]));
}
