import { startRealPostgres } from '@chargeback/testkit';
import { writeFileSync } from 'node:fs';
import { openStore } from '@chargeback/storage';
import { dayOf } from './storage.ts';
const server = await startRealPostgres();
writeFileSync('/tmp/pgb/url', server.url('postgres'));
{
  await using store = await openStore({ connectionString: server.url('postgres'), ecosystem: 'b', tenantId: 'b', workingDirectory: '/' });
  const c0 = process.cpuUsage();
  let t = performance.now();
  for (let i = 0; i < 30; i++) { const d = dayOf(i, 3334); await store.saveGatheredDay(d.gathered); await store.saveCalculatedDay(d.calculated); }
  const c = process.cpuUsage(c0);
  console.log('wall', (performance.now() - t) / 1000, 'client cpu', (c.user + c.system) / 1e6);
  for (const m of ['2026-05', '2026-07']) for (let i = 0; i < 28; i++) { const d = dayOf(i, 300); const date = m + d.gathered.date.slice(7); 
    const ts = new Date(date);
    await store.saveGatheredDay({ ...d.gathered, date, lines: d.gathered.lines.map((l) => ({ ...l, timestamp: ts })) }); await store.saveCalculatedDay({ ...d.calculated, date }); }
}
console.log('ready');
process.on('SIGTERM', () => void server.dispose().then(() => process.exit()));
setInterval(() => {}, 1000);
