import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  Scalar,
  visit,
  type YAMLMap,
} from 'yaml';
import type { Place, SourceEntry, SourceMap, SourceNode, SourceScalar } from './source-tree.ts';
import type { ParsedSource, YamlFinding } from './yaml-finding.ts';

/** Most values that a file may stand for once its aliases are written out. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 64;
/** More mistakes than anyone reads; the rest is not collected. */
const MAX_FINDINGS = 1000;

/** Ends the reading at once, when going on could take for ever. */
export class SourceProblem extends Error {
  readonly finding: YamlFinding;

  constructor(finding: YamlFinding) {
    super(finding.message);
    this.finding = finding;
  }
}

interface Expansion {
  readonly lineCounter: LineCounter;
  readonly targets: ReadonlyMap<Alias, Node>;
  readonly findings: YamlFinding[];
  /** Aliases being written out, to catch one that contains itself. */
  readonly open: Set<Node>;
  count: number;
  depth: number;
}

/**
 * Writes out aliases and merge keys (`<<`), giving each use nodes of its own. An exact count of the nodes is
 * the bound: the library's `maxAliasCount` also rejects an innocent anchor that many tenants share.
 *
 * @throws {SourceProblem} when the document stands for too many values or is nested too deeply.
 */
export function expandDocument(document: Document, lineCounter: LineCounter): ParsedSource {
  const targets = aliasTargets(document);
  const expansion: Expansion = { lineCounter, targets, findings: [], open: new Set(), count: 0, depth: 0 };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return { root: undefined, findings: [] };
  }
  const root = expand(document.contents, expansion);
  if (root.kind !== 'map') {
    const message = 'the file does not hold a map of keys';
    report(expansion, { place: root.place, message, fix: 'Begin with a key such as tenants:' });
    return { root: undefined, findings: expansion.findings };
  }
  return { root, findings: expansion.findings };
}

/** Each alias with the last node before it that carries the anchor, in one pass. */
function aliasTargets(document: Document): Map<Alias, Node> {
  const anchors = new Map<string, Node>();
  const targets = new Map<Alias, Node>();
  visit(document, {
    Node: (_, node) => {
      if (!isAlias(node)) {
        if (node.anchor !== undefined) anchors.set(node.anchor, node);
        return;
      }
      const target = anchors.get(node.source);
      if (target !== undefined) targets.set(node, target);
    },
  });
  return targets;
}

function expand(node: Node | null, expansion: Expansion): SourceNode {
  expansion.count += 1;
  const place = placeOfNode(node, expansion);
  if (expansion.count > MAX_NODES) {
    const message = `the file stands for more than ${MAX_NODES} values once its aliases are written out`;
    throw new SourceProblem({
      place,
      message,
      fix: 'Use fewer aliases (*name), or split the tenants over several files.',
    });
  }
  if (expansion.depth > MAX_DEPTH) {
    throw new SourceProblem({
      place,
      message: `the nesting is deeper than ${MAX_DEPTH} levels`,
      fix: 'Flatten it.',
    });
  }
  if (isAlias(node)) return expandAlias(node, expansion);
  expansion.depth += 1;
  try {
    if (isMap(node)) return expandMap(node, expansion);
    if (isSeq(node)) {
      return { kind: 'list', place, items: node.items.map((item) => expand(item as Node | null, expansion)) };
    }
    return scalar(isScalar(node) ? node : null, place);
  } finally {
    expansion.depth -= 1;
  }
}

function scalar(node: Scalar | null, place: Place): SourceScalar {
  const value = node?.value ?? null;
  const known = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  const plain = node === null || node.type === undefined || node.type === Scalar.PLAIN;
  return {
    kind: 'scalar',
    place,
    value: known ? value : null,
    plain,
    placeholder: 'none',
    unresolved: false,
  };
}

function expandAlias(alias: Alias, expansion: Expansion): SourceNode {
  const target = expansion.targets.get(alias);
  const place = placeOfNode(alias, expansion);
  if (target === undefined || expansion.open.has(target)) {
    const message =
      target === undefined
        ? `no anchor &${alias.source} is set before *${alias.source}`
        : `*${alias.source} contains itself`;
    report(expansion, { place, message, fix: 'Set the anchor above, or write the value out.' });
    return { ...scalar(null, place), unresolved: true };
  }
  expansion.open.add(target);
  try {
    return expand(target, expansion);
  } finally {
    expansion.open.delete(target);
  }
}

function expandMap(map: YAMLMap, expansion: Expansion): SourceMap {
  const entries = new Map<string, SourceEntry>();
  const merged: SourceNode[] = [];
  for (const pair of map.items) {
    const key = pair.key as Node | null;
    const value = pair.value as Node | null;
    if (isScalar(key) && key.value === '<<' && key.type === Scalar.PLAIN) {
      const node = expand(value, expansion);
      merged.push(...(node.kind === 'list' ? node.items : [node]));
      continue;
    }
    const place = placeOfNode(key, expansion);
    const name = keyName(key, expansion);
    if (name === null) {
      const message = 'a key must be a plain text';
      report(expansion, { place, message, fix: 'Write a name before the colon.' });
      continue;
    }
    const first = entries.get(name);
    if (first === undefined) {
      const node = expand(value, expansion);
      // An empty value has no place of its own.
      entries.set(name, { place, node: value === null ? { ...node, place } : node });
    } else {
      const message = `the key ${name} is written twice, first on line ${first.place.line}`;
      report(expansion, { place, message, fix: 'Keep one of the two.' });
    }
  }
  const place = placeOfNode(map, expansion);
  for (const node of merged) merge(entries, node, expansion);
  return { kind: 'map', place, entries };
}

/** A merge adds what is not there: the map's own keys win, then earlier merges. */
function merge(entries: Map<string, SourceEntry>, from: SourceNode, expansion: Expansion): void {
  if (from.kind === 'map') {
    for (const [key, entry] of from.entries) if (!entries.has(key)) entries.set(key, entry);
  } else if (!(from.kind === 'scalar' && from.unresolved)) {
    const message = '<<: can only merge maps';
    report(expansion, { place: from.place, message, fix: 'Name an anchor that stands at a map.' });
  }
}

/** A number or a word as a key keeps its spelling. `__proto__` would not survive as a property. */
function keyName(key: Node | null, expansion: Expansion): string | null {
  const node = isAlias(key) ? expansion.targets.get(key) : key;
  if (!isScalar(node) || node.value === null) return null;
  const name = typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
  return name === '__proto__' ? null : name;
}

function report({ findings }: Expansion, finding: YamlFinding): void {
  if (findings.length < MAX_FINDINGS) findings.push(finding);
}

function placeOfNode(node: Node | null, { lineCounter }: Expansion): Place {
  const { line, col } = lineCounter.linePos(node?.range?.[0] ?? 0);
  return { line, column: col };
}
