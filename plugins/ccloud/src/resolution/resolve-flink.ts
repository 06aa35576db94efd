import { compareKeys } from '@chargeback/money';
import {
  type Identity,
  type IdentityResolver,
  type Inventory,
  type ResolveContext,
  type Resource,
  UNALLOCATED,
} from '@chargeback/plugin-api';
import { METADATA } from '../inventory/names.ts';
import { USAGE_KEYS } from '../usage/usage-metrics.ts';
import { identityIn, SENTINELS } from './sentinels.ts';
import { textOf } from './text-of.ts';
import { windowIndex } from './window-index.ts';

/**
 * The metrics of a compute pool name its statements; a statement stands for its owner. Without usage the owners
 * of the statements that run are active.
 */
export const resolveFlink: IdentityResolver = (context) => {
  const statements = statementsOf(context);
  const owners = ownersByName(statements);
  const usageOwners = new Map<string, string>();
  const active = new Map<string, Identity>();
  for (const [name, total] of context.usage(USAGE_KEYS.flinkCfu).totals) {
    // What no statement is named for is nobody's.
    if (name === UNALLOCATED) continue;
    const owner = ownerIdentity(context.inventory, owners.get(name) ?? null);
    usageOwners.set(name, owner.identityId);
    if (total > 0) active.set(owner.identityId, owner);
  }
  if (active.size === 0) {
    for (const [ownerId] of runningStatements(context))
      active.set(ownerId, identityIn(context.inventory, ownerId));
  }
  return { resourceActive: [...active.values()], metricsDerived: [], usageOwners };
};

/** How many running statements each owner has in the billed pool. Statements without owner do not count. */
export function runningStatements(context: ResolveContext): Map<string, number> {
  const counts = new Map<string, number>();
  for (const statement of statementsOf(context)) {
    const owner = ownerOf(statement);
    if (owner === null || statement.metadata[METADATA.isStopped] === true) continue;
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return counts;
}

function statementsOf({ line, inventory }: ResolveContext): readonly Resource[] {
  if (line.resourceId === null) return [];
  return windowIndex(inventory).statementsOf.get(line.resourceId) ?? [];
}

/**
 * A name may be used again, by somebody else: the statement that began last in the window has it. Statements
 * without owner come after those with one.
 */
function ownersByName(statements: readonly Resource[]): Map<string, string> {
  const owners = new Map<string, string>();
  const byAge = statements.toSorted(
    (left, right) =>
      (left.createdAt?.getTime() ?? 0) - (right.createdAt?.getTime() ?? 0) ||
      compareKeys(left.resourceId, right.resourceId),
  );
  for (const statement of byAge) {
    const owner = ownerOf(statement);
    const name = textOf(statement.metadata[METADATA.statementName]) ?? statement.displayName;
    if (owner !== null && name !== null) owners.set(name, owner);
  }
  return owners;
}

function ownerOf({ ownerId, metadata }: Resource): string | null {
  return textOf(ownerId) ?? textOf(metadata[METADATA.principal]);
}

function ownerIdentity(inventory: Inventory, ownerId: string | null): Identity {
  return ownerId === null ? SENTINELS.flinkStatementOwnerUnknown : identityIn(inventory, ownerId);
}
