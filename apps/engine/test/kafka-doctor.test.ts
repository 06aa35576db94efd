import { requireReal, startRealPrometheus } from '@chargeback/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { workplace, type Workplace, jmx } from './kafka-support.ts';
import { chargeback } from './support.ts';
import { FAMILIES, familiesText } from '../../../plugins/self-managed-kafka/test/traffic.ts';

const real = requireReal('the doctor of the command line against a real Prometheus', process.env);

describe.skipIf(!real)('the doctor of the command line, asking a real Prometheus of the last day', () => {
  let prometheus: Awaited<ReturnType<typeof startRealPrometheus>>;
  let place: Workplace;
  const doctor = (tenant: string) => chargeback(['doctor', '--config', place.config, '--tenant', tenant]);
  beforeAll(async () => {
    const yesterday = (Math.floor(Date.now() / 60_000) - 24 * 60) * 60;
    const openMetrics = [...familiesText({ firstDay: yesterday, days: 1 })].join('');
    prometheus = await startRealPrometheus({ openMetrics });
    const tenants = FAMILIES.map((family) => {
      const settings = { metric_preset: family, selector: `cluster="${family}"` };
      return [family, settings] as const;
    });
    place = await workplace(prometheus.url, {
      ...Object.fromEntries(tenants),
      unfit: { ...jmx, metric_preset: 'strimzi' },
      mixed: { metric_preset: 'jmx_exporter' },
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await place?.remove();
  });

  it.each(FAMILIES)('%s: says that what is configured works', async (family) => {
    const { exitCode, stdout } = await doctor(family);
    expect(stdout).toContain(`metric_preset: ${family}`);
    expect(stdout).not.toContain('✗');
    // Kminion has no counters to compare.
    const compared = /add up to .* GiB, 100 % of the aggregate/.test(stdout);
    expect(compared).toBe(family !== 'kminion');
    expect(exitCode).toBe(0);
  });

  it('says which preset to write, and that clusters are mixed up', async () => {
    const unfit = await doctor('unfit');
    expect(unfit.stdout).toContain('metric_preset: jmx_exporter');
    expect(unfit.exitCode).toBe(1);
    const mixed = await doctor('mixed');
    expect(mixed.stdout).toContain('the label cluster has 2 values');
    expect(mixed.stdout).toMatch(/selector: "cluster=/);
  });
});
