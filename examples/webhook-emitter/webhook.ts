import { formatUnits } from '@chargeback/money';
import {
  ChargebackError,
  type ChargebackRow,
  defineEmitter,
  type EmissionBatch,
  isoDateOf,
} from '@chargeback/plugin-api';
import { z } from 'zod';

const params = z.strictObject({
  url: z.url().describe('Each period is PUT to this address and /<tenant>/<period>.'),
  token: z.string().min(1).optional().describe('Sent as a bearer token.'),
  max_attempts: z.int().min(1).max(10).default(4),
});

type Params = z.output<typeof params>;

/**
 * PUTs each period as JSON to an address of its own. PUT replaces: sent twice, a period is there once, and a period
 * that was calculated again takes the place of the old one.
 */
export const webhook = defineEmitter({
  type: 'webhook',
  params,
  create: (settings, { fetch, sleep }) => ({
    destination: settings.url,
    async emit(batch, signal) {
      // The whole period before the first byte leaves: what fails on the way is not half there.
      const { rows, receipt } = await readRows(batch, signal);
      const body = JSON.stringify({ batch_id: batch.batchId, rows });
      for (let attempt = 1; ; attempt += 1) {
        // Whoever has lost the tenant to another process must not overwrite what that one sent.
        await batch.confirm();
        const outcome = await send(settings, { fetch, batch, body, signal });
        if (outcome === null) return receipt;
        if (attempt >= settings.max_attempts || !outcome.retry) {
          throw new ChargebackError('CB_EMIT_FAILED', `the webhook did not take the batch: ${outcome.why}`);
        }
        await sleep(500 * 2 ** attempt, signal);
      }
    },
  }),
});

async function readRows(batch: EmissionBatch, signal: AbortSignal) {
  const rows: object[] = [];
  const totals = new Map<string, bigint>();
  for await (const chunk of batch.rows) {
    signal.throwIfAborted();
    for (const row of chunk) {
      rows.push(jsonOf(row));
      totals.set(row.amount.currency, (totals.get(row.amount.currency) ?? 0n) + row.amount.units);
    }
  }
  signal.throwIfAborted();
  return { rows, receipt: { rowCount: rows.length, totals } };
}

/** Amounts are text: a JSON number would lose digits. */
function jsonOf({ timestamp, resourceId, productType, identityId, costType, amount }: ChargebackRow): object {
  return {
    timestamp: timestamp.toISOString(),
    resource_id: resourceId,
    product_type: productType,
    identity_id: identityId,
    cost_type: costType,
    amount: formatUnits(amount.units),
    currency: amount.currency,
  };
}

interface Sending {
  readonly fetch: typeof globalThis.fetch;
  readonly batch: EmissionBatch;
  readonly body: string;
  readonly signal: AbortSignal;
}

/** Null when the batch was taken; else why not, and whether to try again. */
async function send(
  { url, token }: Params,
  { fetch, batch, body, signal }: Sending,
): Promise<{ why: string; retry: boolean } | null> {
  const headers = {
    'content-type': 'application/json',
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const address = `${url.replace(/\/$/, '')}/${encodeURIComponent(batch.tenantId)}/${isoDateOf(batch.period.start)}`;
  try {
    const { ok, status } = await fetch(address, { method: 'PUT', headers, body, signal });
    return ok ? null : { why: `status ${status}`, retry: status === 429 || status >= 500 };
  } catch (error) {
    signal.throwIfAborted();
    return { why: error instanceof Error ? error.message : String(error), retry: true };
  }
}
