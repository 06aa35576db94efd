// Tries the packages as their users get them: packs every one, lints the tarballs, installs them in empty folders
// outside this workspace, makes a plugin with the scaffold, and bills a day with it and with an override.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const work = mkdtempSync(path.join(tmpdir(), 'chargeback-packages-'));
const tarballs = path.join(work, 'tarballs');
mkdirSync(tarballs);

try {
  pack();
  lint();
  const plugin = path.join(work, 'my-cloud');
  step('create a plugin with the scaffold', () => {
    npm(work, ['exec', '--yes', `--package=${tarball('create-plugin')}`, '--', 'create-plugin', 'my-cloud']);
  });
  step('install it, with every tarball in the place of the registry', () => {
    const needed = readdirSync(tarballs).map((name) => path.join(tarballs, name));
    npm(plugin, ['install', '--no-audit', '--no-fund', '--loglevel=error', ...needed]);
  });
  step('test, build and validate the plugin, and bill with it', () => {
    for (const script of ['test', 'build', 'validate', 'bill']) npm(plugin, ['run', '--silent', script]);
    expectBill(plugin, ['COMPUTE,team-a,USAGE,12.0000,', 'NETWORK,team-b,SHARED,0.6500,']);
  });
  step('override an allocator, and bill again', () => {
    writeOverride(plugin);
    npm(plugin, ['run', '--silent', 'bill']);
    expectBill(plugin, ['NETWORK,team-a,SHARED,0.9750,', 'NETWORK,team-b,SHARED,0.3250,']);
    const wiring = chargeback(plugin, [
      'plugins',
      'wiring',
      '--config',
      'config.yaml',
      '--tenant',
      'example',
    ]);
    if (!/NETWORK.*weighted-team.*config\.yaml:\d+/u.test(wiring))
      throw new Error(`the wiring is\n${wiring}`);
  });
  step('bill with the plugin as a folder of plugins_path', () => {
    const config = path.join(plugin, 'config.yaml');
    const text = readFileSync(config, 'utf8');
    writeFileSync(config, text.replace(/plugins:\n.*\n/u, `plugins_path: ${JSON.stringify(work)}\n`));
    rmSync(path.join(plugin, 'out'), { recursive: true });
    rmSync(path.join(plugin, 'data'), { recursive: true });
    npm(plugin, ['run', '--silent', 'bill']);
    expectBill(plugin, ['COMPUTE,team-a,USAGE,12.0000,']);
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}

function pack() {
  step('pack every package', () => {
    const folders = ['packages', 'plugins', 'apps'].flatMap((name) => ['--filter', `./${name}/*`]);
    run('pnpm', ['-r', ...folders, 'pack', '--pack-destination', tarballs], root);
  });
}

function lint() {
  step('publint and attw', () => {
    for (const name of readdirSync(tarballs)) {
      const file = path.join(tarballs, name);
      run('publint', ['run', '--strict', file], root);
      const manifest = JSON.parse(run('tar', ['-xzOf', file, 'package/package.json'], root));
      // What nobody can import has no types to look at.
      if (manifest.exports) run('attw', ['--profile', 'esm-only', file], root);
    }
  });
}

function writeOverride(plugin) {
  writeFileSync(
    path.join(plugin, 'weighted-team.ts'),
    readFileSync(path.join(root, 'examples', 'weighted-team', 'weighted-team.ts')),
  );
  const config = path.join(plugin, 'config.yaml');
  const override = `    plugin_settings:
      allocator_overrides:
        NETWORK: { use: weighted-team.weightedTeam, params: { weights: { team-a: 3, team-b: 1 } } }
`;
  writeFileSync(config, readFileSync(config, 'utf8').replace('    plugin_settings:\n', override));
}

function expectBill(plugin, wanted) {
  const out = path.join(plugin, 'out');
  for (const name of readdirSync(out)) {
    const text = readFileSync(path.join(out, name), 'utf8');
    for (const row of wanted) if (!text.includes(row)) throw new Error(`${name} lacks ${row}:\n${text}`);
  }
}

function tarball(name) {
  return path.join(
    tarballs,
    readdirSync(tarballs).find((file) => file.startsWith(`chargeback-${name}-`)),
  );
}

function chargeback(folder, args) {
  return run(path.join(folder, 'node_modules', '.bin', 'chargeback'), args, folder);
}

function npm(folder, args) {
  return run('npm', args, folder);
}

function run(file, args, cwd) {
  try {
    return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    throw new Error(`${path.basename(file)} ${args.join(' ')} failed:\n${error.stdout}${error.stderr}`, {
      cause: error,
    });
  }
}

function step(what, task) {
  const startedAt = performance.now();
  task();
  console.log(`${what}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
}
