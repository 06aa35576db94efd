import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { paintFor } from '../output/paint.ts';
import { tenantWithDatabase } from './open-tenant.ts';

/** `chargeback resume TENANT`: a suspended tenant takes part in the next cycle again, without a restart. */
export async function resume(name: string, options: ConfigOptions, context: ProcessContext): Promise<number> {
  const session = await openSession(options, context);
  const tenant = await tenantWithDatabase(session, name);
  await using store = await tenant.openStore();
  const { suspendedAt } = await store.tenantState();
  await store.saveTenantState({ suspendedAt: null, suspendedBecause: null, gatherFailures: 0 });
  const paint = paintFor(context.stdout);
  context.stdout.write(
    suspendedAt === null
      ? `${name} was not suspended.\n`
      : `${paint.good('✓')} ${name} is resumed; it was suspended since ${suspendedAt.toISOString()}.\n`,
  );
  return 0;
}
