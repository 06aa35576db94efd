// One process of a benchmark: the engine bills a window again and again, as a worker does.
import { billWindow } from './bill-once.ts';
import type { CyclesJob, CycleResult } from './jobs.ts';
import type { SentRequest } from './recording-fetch.ts';

const job = JSON.parse(process.argv[2]!) as CyclesJob;
const cycles: CycleResult[] = [];
for (const laterMilliseconds of job.cycles) {
  const sent: SentRequest[] = [];
  const startedAt = performance.now();
  const { rowsWritten, stages } = await billWindow({ ...job, laterMilliseconds }, sent);
  const milliseconds = performance.now() - startedAt;
  cycles.push({ milliseconds, rows: rowsWritten, requests: sent.length, stages });
}
process.send!(cycles);
process.disconnect();
