// One process of a benchmark: the job of the engine without the engine. It sends the same requests, parses and adds
// up what comes, inserts as many rows of the same width, and writes as many files of the same length. Nothing is
// checked, planned, explained or remembered: what it takes is what the machine takes.
import { readFile, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import Connection, { type Database } from 'better-sqlite3';
import { figuresOfProcess } from './figures.ts';
import type { FloorJob, FloorResult } from './jobs.ts';
import type { SentRequest } from './recording-fetch.ts';

/** As the engine does for one tenant. */
const REQUESTS_IN_FLIGHT = 4;

interface Matrix {
  readonly data?: { readonly result?: readonly { readonly values?: readonly [number, string][] }[] };
}

const spent = { parse: 0, insert: 0, csv: 0 };

function timed(part: keyof typeof spent, work: () => void): void {
  const before = process.threadCpuUsage();
  work();
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
      if (response.ok) timed('parse', () => totals.push(addUp(JSON.parse(bytes.toString()) as Matrix)));
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

/** The tables of the engine's own schema that grow with identities × days. */
function openDatabase(file: string): Database {
  const database = new Connection(file);
  database.exec(`pragma journal_mode = wal; pragma synchronous = normal;
    create table usage_rows (day integer not null, query_id integer not null, resource_id integer not null,
      identity_id integer not null, value real not null,
      primary key (day, query_id, resource_id, identity_id)) without rowid;
    create table chargeback_facts (day integer not null, line_key integer not null, portion_index integer not null,
      dimension_id integer not null, amount integer not null, ratio real not null,
      primary key (day, line_key, portion_index, dimension_id)) without rowid`);
  return database;
}

/** Rows of one day of `days`, spread evenly. */
function share(rows: number, day: number, days: number): number {
  return Math.floor((rows * (day + 1)) / days) - Math.floor((rows * day) / days);
}

const ROWS_PER_STATEMENT = 32;

/** Inserts by prepared statements of many rows, which no way of inserting that we know beats. */
function inserter(database: Database, table: string, columns: number) {
  const row = `(${Array.from({ length: columns }, () => '?').join(', ')})`;
  const prepare = (rows: number) =>
    database.prepare(`insert into ${table} values ${Array.from({ length: rows }, () => row).join(', ')}`);
  const [one, many] = [prepare(1), prepare(ROWS_PER_STATEMENT)];
  return database.transaction((count: number, fill: (row: number, into: unknown[], at: number) => void) => {
    const values: unknown[] = Array.from({ length: columns * ROWS_PER_STATEMENT });
    let next = 0;
    for (; next + ROWS_PER_STATEMENT <= count; next += ROWS_PER_STATEMENT) {
      for (let index = 0; index < ROWS_PER_STATEMENT; index += 1) fill(next + index, values, index * columns);
      many.run(values);
    }
    for (values.length = columns; next < count; next += 1) {
      fill(next, values, 0);
      one.run(values);
    }
  });
}

function insertAll(database: Database, { days, usageRows, factRows }: FloorJob): void {
  const insertUsage = inserter(database, 'usage_rows', 5);
  const insertFacts = inserter(database, 'chargeback_facts', 6);
  for (let day = 0; day < days; day += 1) {
    insertUsage(share(usageRows, day, days), (row, into, at) => {
      into[at] = 20_000 + day;
      into[at + 1] = 7;
      into[at + 2] = 0;
      into[at + 3] = 1 + row;
      into[at + 4] = 1_234_567.891 * (row + 1);
    });
    insertFacts(share(factRows, day, days), (row, into, at) => {
      into[at] = 20_000 + day;
      into[at + 1] = 100 + day;
      into[at + 2] = 0;
      into[at + 3] = 1 + row;
      into[at + 4] = 123_450_000n + BigInt(row);
      into[at + 5] = 1 / (row + 3);
    });
  }
}

async function writeFiles({ folder, days, csvRows, csvBytes }: FloorJob): Promise<void> {
  const width = Math.round(csvBytes / csvRows);
  // What is in a row of the engine's files, less the amount and the line end.
  const cells = 'bench,bench,2026-06-01T00:00:00+00:00,bench,network,NETWORK_0,USAGE,usage_ratio,';
  const identity = 'x'.repeat(Math.max(0, width - cells.length - 9));
  await mkdir(folder, { recursive: true });
  for (let day = 0; day < days; day += 1) {
    const count = share(csvRows, day, days);
    let text = '';
    let bytes = Buffer.alloc(0);
    timed('csv', () => {
      for (let row = 0; row < count; row += 1) text += `${cells}${identity}${(row % 9973) / 100}\r\n`;
      bytes = Buffer.from(text);
    });
    await writeFile(path.join(folder, `day-${day}.csv`), bytes);
  }
}

const job = JSON.parse(process.argv[2]!) as FloorJob;
const requests = JSON.parse(await readFile(job.requestsFile, 'utf8')) as SentRequest[];
const receivedBytes = await fetchAndAddUp(job.origin, requests);
const database = openDatabase(path.join(job.folder, 'floor.db'));
timed('insert', () => insertAll(database, job));
database.close();
await writeFiles(job);
const result: FloorResult = { ...figuresOfProcess(), receivedBytes, parts: spent };
process.send!(result);
process.disconnect();
