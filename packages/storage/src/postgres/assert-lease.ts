import { assertHolder } from '../queries/coordination.ts';
import type { PostgresSession } from './postgres-session.ts';

/**
 * Inside a write transaction of a holder: what another has taken over must not be written to. Nobody takes
 * the lease over before the transaction ends. It is asked with the next statement, and nothing is committed unless the
 * answer is the holder.
 * @throws {ChargebackError} `CB_STORAGE_LEASE`.
 */
export async function assertLease(session: PostgresSession, holder: string, place: string): Promise<void> {
  await session.later('select holder from leases where id = 1 for share', ([stored]) => {
    assertHolder(stored?.[0] as string | undefined, holder, place);
  });
}
