import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { endProcess, freePort, hasEnded, runToEnd } from './server-process.ts';

const READY_WITHIN_MS = 60_000;
const POLL_MS = 50;
const STARTS = 3;

export interface RealPrometheusOptions {
  /** Back-dated samples in OpenMetrics text, with `# EOF` at its end; in pieces when there are many. */
  readonly openMetrics?: string | AsyncIterable<string>;
  /** Serves everything below this path: `/prometheus`. */
  readonly pathPrefix?: string;
  /** `host:port` of servers whose `/metrics` it scrapes every second. */
  readonly scrape?: readonly string[];
}

/** A Prometheus server of one's own, on loopback, holding nothing but the given samples and what it scrapes. */
export interface RealPrometheus {
  /** With the path prefix, without a slash at its end. */
  readonly url: string;
  stop(): Promise<void>;
}

/** Whether `prometheus` and `promtool` are on the path. */
export function prometheusAvailable(): boolean {
  return ['prometheus', 'promtool'].every((name) => spawnSync(name, ['--version']).status === 0);
}

/**
 * True when a test against a real Prometheus can run. When it cannot it says so loudly, and with
 * `REQUIRE_REAL=1` in the environment it throws: such a test must not go missing in silence.
 */
export function requireReal(
  what: string,
  environment: Readonly<Record<string, string | undefined>>,
): boolean {
  if (prometheusAvailable()) return true;
  const message = `${what}: prometheus and promtool are not on the path (Debian: apt-get install prometheus)`;
  if (environment['REQUIRE_REAL'] === '1') throw new Error(`REQUIRE_REAL=1, but ${message}`);
  // oxlint-disable-next-line no-console -- meant for the person who reads the test output
  console.warn(`\nSKIPPED ${message}\n`);
  return false;
}

/** Loads the samples into blocks, starts a server on them and waits until it answers. */
export async function startRealPrometheus(options: RealPrometheusOptions): Promise<RealPrometheus> {
  const folder = await mkdtemp(path.join(tmpdir(), 'chargeback-prometheus-'));
  try {
    await mkdir(path.join(folder, 'data'));
    if (options.openMetrics !== undefined) await loadBlocks(folder, options.openMetrics);
    return await startOn(folder, options);
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function loadBlocks(folder: string, openMetrics: string | AsyncIterable<string>): Promise<void> {
  const file = path.join(folder, 'samples.om');
  await writeFile(file, openMetrics);
  // Long blocks: with the default of two hours loading takes minutes.
  const args = [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    '--max-block-duration=768h',
    file,
    path.join(folder, 'data'),
  ];
  const { status, stderr } = await runToEnd('promtool', args);
  if (status !== 0) throw new Error(`promtool could not load the samples: ${stderr.slice(0, 2000)}`);
}

async function startOn(
  folder: string,
  { pathPrefix = '', scrape = [] }: RealPrometheusOptions,
): Promise<RealPrometheus> {
  const marker = path.basename(folder);
  const config = {
    global: { external_labels: { marker }, scrape_interval: '1s' },
    scrape_configs: [{ job_name: 'scraped', static_configs: [{ targets: scrape }] }],
  };
  // JSON is YAML.
  await writeFile(path.join(folder, 'prometheus.yml'), JSON.stringify(config));
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const server = spawnServer(folder, { port, pathPrefix });
    const url = `http://127.0.0.1:${port}${pathPrefix}`;
    const outcome = await untilReady(server, url, marker);
    if (outcome === 'ready') return { url, stop: () => stop(server.child, folder) };
    await endProcess(server.child);
    // Somebody else may have taken the port in between.
    if (attempt >= STARTS) throw new Error(`prometheus did not start: ${server.output().slice(-2000)}`);
  }
}

interface Server {
  readonly child: ChildProcess;
  readonly output: () => string;
}

function spawnServer(folder: string, { port, pathPrefix }: { port: number; pathPrefix: string }): Server {
  const child = spawn(
    'prometheus',
    [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      '--storage.tsdb.retention.time=10y',
      `--web.listen-address=127.0.0.1:${port}`,
      ...(pathPrefix === '' ? [] : [`--web.route-prefix=${pathPrefix}`]),
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return { child, output: () => output };
}

/** Ready is only who answers with our own configuration: another server may sit on the port. */
async function untilReady({ child }: Server, url: string, marker: string): Promise<'ready' | 'ended'> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (performance.now() < deadline) {
    if (hasEnded(child)) return 'ended';
    const config = await answerOf(`${url}/api/v1/status/config`);
    if (config.includes(marker) && (await answerOf(`${url}/-/ready`)) !== '') return 'ready';
    await pause(POLL_MS);
  }
  return 'ended';
}

async function answerOf(url: string): Promise<string> {
  try {
    const response = await globalThis.fetch(url);
    const text = await response.text();
    return response.ok ? text : '';
  } catch {
    return '';
  }
}

async function stop(child: ChildProcess, folder: string): Promise<void> {
  await endProcess(child);
  await rm(folder, { recursive: true, force: true });
}
