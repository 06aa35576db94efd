import { assertHolder } from '../queries/coordination.ts';
import type { PostgresSession } from './postgres-session.ts';

/**
 * Inside a write transaction of a holder: what another has taken over must not be written to. Nobody takes
 * the lease over before the transaction ends.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export async function assertLease(session: PostgresSession, holder: string, place: string): Promise<void> {
  const [stored] = await session.arrays<[string]>('select holder from leases where id = 1 for share', []);
  assertHolder(stored?.[0], holder, place);
}
