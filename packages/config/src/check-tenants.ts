import { DEFAULT_CONNECTION_STRING, tenantSchema } from './config-schema.ts';
import { databaseIdentity } from './database-identity.ts';
import type { Described } from './describe-issue.ts';
import { retype } from './retype.ts';
import { childAt, nodeAt, type SourceNode, toValue } from './source-tree.ts';

/**
 * The rules that bind several values ("Validation constraints" of the specification). They read the file and
 * not the validated configuration, so that they are judged even when other values are wrong.
 */
export function checkTenants(root: SourceNode, workingDirectory: string): Described[] {
  const tenants = childAt(root, 'tenants');
  if (tenants?.kind !== 'map') return [];
  const found: Described[] = [];
  const owners = new Map<string, string>();
  for (const [name, { node }] of tenants.entries) {
    if (node.kind !== 'map') continue;
    const lookback = daysOf(node, 'lookback_days');
    const cutoff = daysOf(node, 'cutoff_days');
    if (lookback !== undefined && cutoff !== undefined && lookback <= cutoff) {
      found.push({
        path: ['tenants', name, 'lookback_days'],
        code: 'CB_CONFIG_VALUE',
        message: `lookback_days must be > cutoff_days (${lookback} is not more than ${cutoff})`,
        fix: 'Raise lookback_days or lower cutoff_days.',
      });
    }
    const connection = connectionString(node);
    if (connection === undefined) continue;
    const identity = databaseIdentity(connection, workingDirectory);
    const owner = owners.get(identity);
    if (owner === undefined) owners.set(identity, name);
    else found.push(sharedDatabase(name, owner));
  }
  return found;
}

function sharedDatabase(name: string, owner: string): Described {
  return {
    path: ['tenants', name, 'storage', 'connection_string'],
    code: 'CB_CONFIG_SHARED_DATABASE',
    message: `each tenant must have a unique storage.connection_string; tenants ${owner} and ${name} use the same database`,
    fix: `Give ${name} a database of its own.`,
  };
}

/** The number a value stands for, or the default; undefined when it is not valid, which is reported elsewhere. */
function daysOf(tenant: SourceNode, key: 'lookback_days' | 'cutoff_days'): number | undefined {
  const node = childAt(tenant, key);
  const value = node === undefined ? undefined : (retype(node)?.value ?? toValue(node));
  return tenantSchema.shape[key].safeParse(value).data;
}

function connectionString(tenant: SourceNode): string | undefined {
  const node = nodeAt(tenant, ['storage', 'connection_string']);
  if (node === undefined) return DEFAULT_CONNECTION_STRING;
  return node.kind === 'scalar' && !node.unresolved && typeof node.value === 'string'
    ? node.value
    : undefined;
}
