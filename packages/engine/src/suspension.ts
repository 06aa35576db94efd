import { describeCause, makeProblem, type Problem } from '@chargeback/plugin-api';
import type { Store } from '@chargeback/storage';
import type { TenantDefinition } from './tenant-definition.ts';

/** Null when the tenant may run; else why not. */
export async function suspensionOf(
  tenant: TenantDefinition,
  store: Store,
  now: Date,
): Promise<Problem | null> {
  const { suspendedAt, suspendedBecause } = await store.tenantState();
  if (suspendedAt === null) return null;
  const { resumeAfterSeconds } = tenant.limits;
  if (resumeAfterSeconds !== null && now.getTime() >= suspendedAt.getTime() + resumeAfterSeconds * 1000)
    return null;
  const message = `suspended since ${suspendedAt.toISOString()}: ${suspendedBecause ?? ''}`;
  return makeProblem('CB_RUN_SUSPENDED', message, {
    severity: 'error',
    path: tenant.name,
    fix: `Mend the cause, then run \`chargeback resume ${tenant.name}\`.`,
  });
}

/** Counts gathers that brought nothing, in a row, and suspends the tenant when there are too many. */
export async function countGather(
  tenant: TenantDefinition,
  store: Store,
  gather: { readonly failure: unknown; readonly now: Date },
): Promise<Problem | null> {
  const before = await store.tenantState();
  if (gather.failure === null) {
    if (before.gatherFailures > 0 || before.suspendedAt !== null) {
      await store.saveTenantState({ gatherFailures: 0, suspendedAt: null, suspendedBecause: null });
    }
    return null;
  }
  const gatherFailures = before.gatherFailures + 1;
  if (gatherFailures < tenant.limits.gatherFailureThreshold) {
    await store.saveTenantState({ gatherFailures });
    return null;
  }
  const because = `${gatherFailures} gathers in a row brought nothing; the last one: ${describeCause(gather.failure)}`;
  await store.saveTenantState({ gatherFailures, suspendedAt: gather.now, suspendedBecause: because });
  return makeProblem('CB_RUN_SUSPENDED', because, {
    severity: 'error',
    path: tenant.name,
    fix: `Mend the cause, then run \`chargeback resume ${tenant.name}\`.`,
  });
}
