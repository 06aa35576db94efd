import { ChargebackError } from '@chargeback/plugin-api';
import type { Session } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';

/**
 * The one tenant that a command is about, whose database must be there already.
 * @throws {ChargebackError} when the tenant is not configured, its plugin is missing, or nothing was run yet.
 */
export async function tenantWithDatabase(session: Session, name: string): Promise<ConfiguredTenant> {
  const { definitions, unavailable } = await configureTenants(session, { only: name, importCode: false });
  const [tenant] = definitions;
  if (!tenant) {
    // A name that is not configured has been refused before.
    const { code, message, fix } = unavailable[0]!.problem;
    throw new ChargebackError(code, message, { fix });
  }
  await assertDatabase(tenant);
  return tenant;
}

/** @throws {ChargebackError} `CB_STORAGE_OPEN` before a command that only looks would make an empty database. */
export async function assertDatabase({ database, hasStore }: ConfiguredTenant): Promise<void> {
  if (await hasStore()) return;
  throw new ChargebackError('CB_STORAGE_OPEN', `there is no database ${database} yet`, {
    fix: 'Run `chargeback run` first, from the same folder: relative paths start from the working directory.',
  });
}
