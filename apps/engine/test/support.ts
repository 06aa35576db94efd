import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const repository = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const application = path.join(repository, 'apps', 'engine');

/** Node's arguments for the program as it is written, and for what was built of it, which people run. */
export const PROGRAMS = {
  sources: ['--conditions=@chargeback/source', path.join(application, 'src', 'main.ts')],
  bundle: [path.join(application, 'bundle', 'main.js')],
} as const;
const tested = process.env['TEST_PROGRAM'] === 'bundle' ? PROGRAMS.bundle : PROGRAMS.sources;

export interface CommandResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  /** Undefined: not even what tests are run with. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Node's arguments up to the program; default: the sources, or the bundle with `TEST_PROGRAM=bundle`. */
  readonly program?: readonly string[];
  /** Bytes beyond which no file may grow; the operating system then refuses, as for a full disk. */
  readonly largestFile?: number;
  /** Sees the process as soon as it runs. */
  readonly onStart?: (child: ChildProcess) => void;
}

/** Runs the real command line in a process of its own. */
export function chargeback(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const program = options.program ?? tested;
    const node = [process.execPath, ...program, ...args];
    const [command, ...rest] = options.largestFile === undefined ? node : limited(node, options.largestFile);
    const child = spawn(command!, rest, {
      cwd: options.cwd ?? repository,
      // Of the home folder of whoever runs the tests nothing is touched.
      env: { PATH: process.env['PATH'] ?? '', NODE_DISABLE_COMPILE_CACHE: '1', ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ exitCode, signal, stdout, stderr }));
    options.onStart?.(child);
  });
}

/** In blocks of 512 bytes, as POSIX has it. */
function limited(command: readonly string[], largestFile: number): string[] {
  return ['sh', '-c', `ulimit -f ${Math.floor(largestFile / 512)}; exec "$@"`, 'sh', ...command];
}

export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-app-'));
  return { path: folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Every file below a folder with its text, by relative name. */
export async function filesIn(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  const entries = await Promise.all(
    files
      .toSorted()
      .map(async (file) => [path.relative(folder, file), await readFile(file, 'utf8')] as const),
  );
  return Object.fromEntries(entries);
}

export interface CsvRow {
  readonly day: string;
  readonly productType: string;
  readonly identity: string;
  readonly amount: string;
  readonly method: string;
  readonly detail: string;
}

/** Rows of a CSV file of ours; the cells of these tests need no quotes. */
export function parseCsv(text: string): CsvRow[] {
  const [, ...lines] = text.trimEnd().split('\r\n');
  return lines.map((cells) => {
    const [, , timestamp, , , productType, identity, , amount, method, detail] = cells.split(',');
    return {
      day: timestamp!.slice(0, 10),
      productType: productType!,
      identity: identity!,
      amount: amount!,
      method: method!,
      detail: detail!,
    };
  });
}

/** Decimal text as an integer count of 10⁻⁸: this file's own, so that the product's parser is not its own judge. */
export function unitsOf(text: string): bigint {
  const match = /^(-?)(\d+)(?:\.(\d{1,8}))?$/.exec(text);
  if (!match) throw new Error(`not an amount: ${text}`);
  const [, sign, whole, decimals = ''] = match;
  const units = BigInt(whole!) * 100_000_000n + BigInt(decimals.padEnd(8, '0'));
  return sign === '-' ? -units : units;
}

/** Asks again and again until the answer is as wanted; fails after a minute. */
export async function until<Answer>(
  ask: () => Promise<Answer>,
  wanted: (answer: Answer) => boolean,
): Promise<Answer> {
  const last = performance.now() + 60_000;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (performance.now() > last)
      throw new Error(`waited in vain; the last answer was ${JSON.stringify(answer)}`);
  }
}
