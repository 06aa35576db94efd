// Runs a command of this repository on a machine that has nothing but Node (20 or newer) and npm.
// It installs what is missing, builds where the command needs it, and hands over to the job. No dependencies.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const bin = path.join(root, 'node_modules', '.bin');
const stampFile = path.join(root, 'node_modules', '.chargeback-installed');
const windows = process.platform === 'win32';
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));

// npm puts node_modules/.bin on the path, where a bundled Node may already lie: pnpm must see the system's.
const systemPath = (process.env.PATH ?? '')
  .split(path.delimiter)
  .filter((entry) => !entry.split(path.sep).join('/').includes('/node_modules/.bin'))
  .join(path.delimiter);
const quiet = { TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', npm_config_update_notifier: 'false' };

/** What V8 would allow on this machine, and at most two gigabytes. */
const HEAP_MEGABYTES = Math.min(2000, Math.floor(getHeapStatistics().heap_size_limit / 2 ** 20));
/**
 * Up to two gigabytes in use, of which V8 lets the heap double between collections instead of letting it grow fourfold:
 * a quarter less memory. Only sizes: with any other option V8 compiles Node's own modules anew at every start. NODE_OPTIONS
 * go before these.
 */
const SMALL_MEMORY = [
  '--max-semi-space-size=16',
  '--min-semi-space-size=16',
  `--max-old-space-size=${HEAP_MEGABYTES}`,
];

// Ctrl-C reaches the job too, which decides how to stop; this process waits for it.
process.on('SIGINT', () => {});

const [command, ...rest] = process.argv.slice(2);
const commands = { start, test, bench, check, docs, packages };
if (!Object.hasOwn(commands, command)) {
  fail(`unknown command ${command ?? ''}; use one of ${Object.keys(commands).join(', ')}`);
}
checkNode(process.versions.node, 20);
install();
commands[command](rest);

function start(args) {
  build();
  const main = path.join(root, 'apps', 'engine', 'bundle', 'main.js');
  if (args.length === 0) node([main, 'demo']);
  // `npm start -- --config FILE` bills a real set-up instead of the demo.
  else if (args[0].startsWith('--') && !['--help', '--version'].includes(args[0]))
    node([main, 'run', ...args]);
  else node([main, ...args]);
}

function test(args) {
  build();
  tool('vitest', ['run', ...args]);
}

function bench(args) {
  build();
  node([path.join(root, 'bench', 'dist', 'main.js'), ...args]);
}

function check() {
  build();
  for (const script of ['format:check', 'lint', 'types', 'imports', 'unused']) {
    console.log(`\n> ${script}`);
    for (const part of manifest.scripts[script].split(' && ')) {
      const [name, ...args] = part.split(' ');
      tool(name, args);
    }
  }
}

function docs() {
  build();
  run(usableNode(), [path.join(root, '.ci', 'write-docs.mjs')], { path: toolPath() });
}

function packages() {
  build();
  run(usableNode(), [path.join(root, '.ci', 'check-packages.mjs')], { path: toolPath() });
}

function install() {
  const hash = createHash('sha256');
  for (const file of ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.pnpmfile.mjs']) {
    hash.update(readFileSync(path.join(root, file)));
  }
  const system = systemNodeVersion();
  const stamp = `${hash.digest('hex')} ${system} ${process.platform}-${process.arch}`;
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp && usableNode()) return;
  console.log('Installing dependencies (once) …');
  installWithPnpm();
  if (!usableNode()) {
    // pnpm keeps its decision about the bundled Node from an earlier install: decide anew.
    rmSync(path.join(root, 'node_modules'), { recursive: true, force: true });
    installWithPnpm();
  }
  if (!usableNode())
    fail(`Node ${system} is too old and none could be installed; install Node 22.18 or newer`);
  mkdirSync(path.dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, stamp);
}

function installWithPnpm() {
  const pnpm = manifest.packageManager;
  const args = ['--yes', pnpm, '--dir', root, '--loglevel=error', 'install', '--frozen-lockfile'];
  // From another folder: npx would add this repository's node_modules/.bin to the path again.
  run('npx', args, { cwd: tmpdir(), path: systemPath, shell: windows });
}

function build() {
  run(
    path.join(bin, windows ? 'turbo.cmd' : 'turbo'),
    ['run', 'build', '--output-logs=errors-only', '--log-order=grouped', '--no-update-notifier'],
    {
      path: toolPath(),
      shell: windows,
      quietOutput: true,
    },
  );
}

function tool(name, args) {
  run(path.join(bin, windows ? `${name}.cmd` : name), args, { path: toolPath(), shell: windows });
}

function node(args) {
  // Node takes both spellings.
  const own = (process.env.NODE_OPTIONS ?? '').replaceAll('_', '-');
  const memory = SMALL_MEMORY.filter((option) => !own.includes(option.slice(0, option.indexOf('='))));
  // Without the dashes Node takes options such as --env-file for its own.
  run(usableNode(), [...memory, '--', ...args], {
    path: toolPath(),
    cwd: process.env.INIT_CWD ?? root,
  });
}

function run(file, args, options) {
  const result = spawnSync(file, args, {
    cwd: options.cwd ?? root,
    stdio: options.quietOutput ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    shell: options.shell ?? false,
    env: { ...process.env, ...quiet, PATH: options.path },
  });
  if (result.error) fail(`${path.basename(file)} could not be started: ${result.error.message}`);
  if (result.status !== 0) {
    if (options.quietOutput) process.stderr.write(`${result.stdout}${result.stderr}`);
    process.exit(result.status ?? 1);
  }
}

function toolPath() {
  return `${bin}${path.delimiter}${systemPath}`;
}

/** The Node to run on: the bundled one where it was installed, else the system's where it is new enough. */
function usableNode() {
  for (const name of windows ? ['node.cmd', 'node.exe'] : ['node']) {
    if (existsSync(path.join(bin, name))) return path.join(bin, name);
  }
  return newEnough(systemNodeVersion()) ? 'node' : undefined;
}

function systemNodeVersion() {
  const result = spawnSync('node', ['--version'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: systemPath },
  });
  return result.stdout?.trim().replace(/^v/, '') ?? '';
}

function newEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}

function checkNode(version, least) {
  if (Number(version.split('.')[0]) < least)
    fail(`Node ${least} or newer is needed to start; this is ${version}`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
