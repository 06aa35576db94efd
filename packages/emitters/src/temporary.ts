import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { formatUnits } from '@chargeback/money';
import type { EmitterPlugin } from '@chargeback/plugin-api';
import { z } from 'zod';
const params = z.strictObject({
  output_dir: z.string(),
  filename_template: z.string().default('{tenant_id}_{date}.csv'),
});
const csv: EmitterPlugin<z.output<typeof params>> = {
  type: 'csv',
  params,
  create: (p, host) => ({
    async emit(batch) {
      let text =
        'ecosystem,tenant_id,timestamp,resource_id,product_category,product_type,identity_id,cost_type,amount,allocation_method,allocation_detail\r\n';
      let rowCount = 0;
      const totals = new Map<string, bigint>();
      for await (const c of batch.rows)
        for (const r of c) {
          rowCount++;
          totals.set(r.amount.currency, (totals.get(r.amount.currency) ?? 0n) + r.amount.units);
          text +=
            [
              r.ecosystem,
              r.tenantId,
              r.timestamp.toISOString().replace('.000Z', '+00:00'),
              r.resourceId ?? '',
              r.productCategory,
              r.productType,
              r.identityId,
              r.costType,
              formatUnits(r.amount.units),
              r.allocationMethod ?? '',
              r.allocationDetail ?? '',
            ].join(',') + '\r\n';
        }
      await mkdir(p.output_dir, { recursive: true });
      const f = path.join(
        p.output_dir,
        p.filename_template
          .replace('{tenant_id}', host.tenantId)
          .replace('{date}', batch.period.start.toISOString().slice(0, 10)),
      );
      await writeFile(f + '.tmp', text);
      await rename(f + '.tmp', f);
      return { rowCount, totals };
    },
  }),
};
export function findEmitter(type: string): EmitterPlugin {
  if (type === 'csv') return csv as EmitterPlugin;
  throw new Error(`no emitter ${type}; csv`);
}
