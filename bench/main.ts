// npm run bench -- [--identities N] [--days N]
// Bills a simulated platform in one process and prints what it took: wall time, CPU, peak memory, rows per second.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { runGenericMetrics } from './generic-metrics.ts';

const { values } = parseArgs({
  options: { identities: { type: 'string', default: '500' }, days: { type: 'string', default: '30' } },
});
const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-bench-'));
try {
  const shape = { identities: Number(values.identities), days: Number(values.days), folder };
  const first = await runGenericMetrics(shape);
  const second = await runGenericMetrics(shape);
  console.table([
    { run: 'first', ...first },
    { run: 'second, nothing changed', ...second },
  ]);
} finally {
  await rm(folder, { recursive: true, force: true });
}
