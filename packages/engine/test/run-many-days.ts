// Run by memory.test.ts in a process of its own: one process that runs a tenant day by day, as a worker does.
import path from 'node:path';
import { createCsvEmitter, createPrometheusEmitter } from '../../emitters/src/index.ts';
import { daysFrom, identity, TestTenant } from './support.ts';
import { DAY, dateOf, FIRST, LOOKBACK, Vendor } from './vendor-story.ts';
import { evenRoute, ownerRoute, usageRoute, world } from './worlds.ts';

const days = Number(process.argv[2]);
const every = Number(process.argv[3]);
const collectGarbage = (globalThis as { gc?: () => void }).gc!;

const tenant = await TestTenant.create(
  world({ routes: [evenRoute('COMPUTE', ['ana', 'bo']), usageRoute('NETWORK'), ownerRoute('STORAGE')] }),
);
try {
  tenant.minutesBetweenRuns = 0;
  tenant.limits = { ...tenant.limits, retentionDays: 45 };
  const output_dir = path.join(tenant.folder, 'out');
  const csv = { output_dir, filename_template: '{date}.csv' };
  const labels = ['identity_id' as const];
  tenant.emitters = [
    { name: 'days', aggregation: 'daily', lookbackDays: null, emitter: createCsvEmitter(csv) },
    {
      name: 'months',
      aggregation: 'monthly',
      lookbackDays: null,
      emitter: createCsvEmitter({ ...csv, filename_template: 'month-{date}.csv' }),
    },
    {
      name: 'gauges',
      aggregation: 'daily',
      lookbackDays: null,
      emitter: createPrometheusEmitter(
        { output_dir, labels, metric_prefix: 'cost' },
        { tenantId: 'tenant-1', ecosystem: 'test-world' },
      ),
    },
  ];
  const vendor = new Vendor(1);
  for (let today = 1; today <= days; today += 1) {
    vendor.advance(today - 1);
    vendor.forgetBefore(dateOf(today - 2 * LOOKBACK));
    tenant.now = new Date(FIRST + today * DAY + 3 * 3_600_000);
    tenant.world.lines = [...vendor.lines.values()];
    tenant.world.usage = [...vendor.usage.values()];
    tenant.world.identities = [...vendor.people].map((name) => identity(name));
    tenant.world.resources = [...vendor.clusters.values()];
    tenant.world.usageAsked = [];
    const first = Math.max(0, today - LOOKBACK);
    await tenant.run(daysFrom(dateOf(first), today - first));
    if (today % every !== 0) continue;
    collectGarbage();
    const { heapUsed, rss } = process.memoryUsage();
    console.log(JSON.stringify({ day: today, heapUsed, rss }));
  }
} finally {
  await tenant.dispose();
}
