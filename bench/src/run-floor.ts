// One process of a benchmark: the job of the engine without the engine. It sends the same requests, parses and adds
// up what comes, inserts as many rows of the same width, and writes as many files of the same length. Nothing is
// checked, planned, explained or remembered: what it takes is what the machine takes.
import { readFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { figuresOfProcess } from './figures.ts';
import { openRowWriter } from './floor-rows.ts';
import type { FloorJob, FloorResult } from './jobs.ts';
import type { SentRequest } from './recording-fetch.ts';

/** As the engine does for one tenant. */
const REQUESTS_IN_FLIGHT = 4;

interface Matrix {
  readonly data?: { readonly result?: readonly { readonly values?: readonly [number, string][] }[] };
}

const spent = { parse: 0, insert: 0, csv: 0 };

/** Adds the CPU of this thread since `before` to a part. */
function spend(part: keyof typeof spent, before: NodeJS.CpuUsage): void {
  const { user, system } = process.threadCpuUsage(before);
  spent[part] += (user + system) / 1e6;
}

/** Returns the bytes received. */
async function fetchAndAddUp(origin: string, requests: readonly SentRequest[]): Promise<number> {
  let received = 0;
  const totals: number[] = [];
  const left = requests.values();
  const work = async (): Promise<void> => {
    for (const { path: address, method, headers, body } of left) {
      const response = await fetch(`${origin}${address}`, { method, headers, body, redirect: 'manual' });
      const bytes = Buffer.from(await response.arrayBuffer());
      received += bytes.length;
      if (!response.ok) continue;
      const before = process.threadCpuUsage();
      totals.push(addUp(JSON.parse(bytes.toString()) as Matrix));
      spend('parse', before);
    }
  };
  await Promise.all(Array.from({ length: REQUESTS_IN_FLIGHT }, work));
  return received;
}

function addUp({ data }: Matrix): number {
  let total = 0;
  for (const { values } of data?.result ?? []) {
    for (const [, value] of values ?? []) total += Number(value);
  }
  return total;
}

/** Rows of one day of `days`, spread evenly. */
function share(rows: number, day: number, days: number): number {
  return Math.floor((rows * (day + 1)) / days) - Math.floor((rows * day) / days);
}

async function insertAll({ database, days, usageRows, factRows }: FloorJob): Promise<void> {
  const writer = await openRowWriter(database);
  const before = process.threadCpuUsage();
  for (let day = 0; day < days; day += 1) {
    await writer.write({
      table: 'usage_rows',
      columns: 5,
      count: share(usageRows, day, days),
      fill(row, into, at) {
        into[at] = 20_000 + day;
        into[at + 1] = 7;
        into[at + 2] = 0;
        into[at + 3] = 1 + row;
        into[at + 4] = 1_234_567.891 * (row + 1);
      },
    });
    await writer.write({
      table: 'chargeback_facts',
      columns: 6,
      count: share(factRows, day, days),
      fill(row, into, at) {
        into[at] = 20_000 + day;
        into[at + 1] = 100 + day;
        into[at + 2] = 0;
        into[at + 3] = 1 + row;
        into[at + 4] = 123_450_000n + BigInt(row);
        into[at + 5] = 1 / (row + 3);
      },
    });
  }
  await writer.close();
  spend('insert', before);
}

async function writeFiles({ folder, days, csvRows, csvBytes }: FloorJob): Promise<void> {
  const width = Math.round(csvBytes / csvRows);
  // What is in a row of the engine's files, less the amount and the line end.
  const cells = 'bench,bench,2026-06-01T00:00:00+00:00,bench,network,NETWORK_0,USAGE,usage_ratio,';
  const identity = 'x'.repeat(Math.max(0, width - cells.length - 9));
  await mkdir(folder, { recursive: true });
  for (let day = 0; day < days; day += 1) {
    const count = share(csvRows, day, days);
    const before = process.threadCpuUsage();
    let text = '';
    for (let row = 0; row < count; row += 1) text += `${cells}${identity}${(row % 9973) / 100}\r\n`;
    const bytes = Buffer.from(text);
    spend('csv', before);
    await writeFile(path.join(folder, `day-${day}.csv`), bytes);
  }
}

const job = JSON.parse(process.argv[2]!) as FloorJob;
const requests = JSON.parse(await readFile(job.requestsFile, 'utf8')) as SentRequest[];
const receivedBytes = await fetchAndAddUp(job.origin, requests);
await insertAll(job);
await writeFiles(job);
const result: FloorResult = { ...figuresOfProcess(), receivedBytes, parts: spent };
process.send!(result);
process.disconnect();
