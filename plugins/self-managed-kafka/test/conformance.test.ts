import { type EcosystemWorld, type MetricDefinition, testEcosystem } from '@chargeback/testkit';
import { describe, it } from 'vitest';
import { register } from '../src/index.ts';
import { days, GIB, settingsWith, simulated } from './support.ts';

const principals = ['svc-a', 'svc-b', 'svc-c'];

const traffic = (direction: string, gib: number): MetricDefinition => ({
  name: `kafka_server_brokertopicmetrics_bytes${direction}_total`,
  kind: 'counter',
  series: principals.map((principal, index) => ({
    labels: { topic: 'orders', principal },
    at: () => (index + 1) * gib * GIB,
  })),
});

function world(): EcosystemWorld {
  const stored: MetricDefinition = {
    name: 'kafka_log_log_size',
    kind: 'gauge',
    series: [{ labels: { topic: 'orders', partition: '0', broker: '1' }, at: () => 100 * GIB }],
  };
  return {
    window: days('2026-02-01', 3),
    fetch: simulated({ metrics: [traffic('in', 1), traffic('out', 2), stored] }),
    settings: { ...settingsWith({}) },
  };
}

testEcosystem({ describe, it }, register, { world });
