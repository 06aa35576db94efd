import { readFileSync } from 'node:fs';
import { ChargebackError, describeCause, ERROR_CODES } from '@chargeback/plugin-api';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import type { DemoOptions } from './commands/demo.ts';
import type { DoctorOptions } from './commands/doctor.ts';
import type { PluginsListOptions } from './commands/plugins-list.ts';
import type { PluginsWiringOptions } from './commands/plugins-wiring.ts';
import type { PruneOptions } from './commands/prune.ts';
import type { ReconcileOptions } from './commands/reconcile.ts';
import type { RunCommandOptions } from './commands/run.ts';
import type { StatusOptions } from './commands/status.ts';
import type { StorageCopyOptions, StorageOptions } from './commands/storage.ts';
import type { ValidateOptions } from './commands/validate.ts';
import type { WorkerOptions } from './commands/worker.ts';
import { paintFor } from './output/paint.ts';
import type { ConfigOptions, ProcessContext } from './session.ts';
import { abortOnSignals } from './signals.ts';
import { parseDay } from './window.ts';

type Action = (signal: AbortSignal) => Promise<number>;

/** Each command's own code is loaded when it is called: a run needs neither the demo's simulators nor the worker. */
const commands = {
  configSchema: () => import('./commands/config-schema.ts'),
  demo: () => import('./commands/demo.ts'),
  doctor: () => import('./commands/doctor.ts'),
  pluginsList: () => import('./commands/plugins-list.ts'),
  pluginsWiring: () => import('./commands/plugins-wiring.ts'),
  prune: () => import('./commands/prune.ts'),
  recalculate: () => import('./commands/recalculate.ts'),
  reconcile: () => import('./commands/reconcile.ts'),
  resume: () => import('./commands/resume.ts'),
  run: () => import('./commands/run.ts'),
  status: () => import('./commands/status.ts'),
  storage: () => import('./commands/storage.ts'),
  validate: () => import('./commands/validate.ts'),
  worker: () => import('./commands/worker.ts'),
};

/** Runs one command and says how the process should end. */
export async function runCommandLine(argv: readonly string[], context: NodeJS.Process): Promise<number> {
  let exitCode = 0;
  const program = createProgram(context, async (action) => {
    exitCode = await guarded(action, argv, context);
  });
  try {
    await program.parseAsync([...argv]);
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    return cause.exitCode === 0 ? 0 : 2;
  }
  return exitCode;
}

function createProgram(context: ProcessContext, start: (action: Action) => Promise<void>): Command {
  const program = new Command('chargeback')
    .description('Says who caused an infrastructure bill, to the last digit.')
    .version(ownVersion())
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  addRun(program, (options) => start(async (signal) => (await commands.run()).run(options, context, signal)));
  withConfig(program.command('validate').description('check the configuration without running anything'))
    .option('--no-import', 'run no code that the configuration names')
    .option('--json', 'print JSON')
    .action((options: ValidateOptions) =>
      start(async () => (await commands.validate()).validate(options, context)),
    );
  withConfig(program.command('doctor').description('ask the sources what can be billed, and what to write'))
    .option('--tenant <name>', 'only this tenant')
    .option('--json', 'print JSON')
    .action((options: DoctorOptions) =>
      start(async (signal) => (await commands.doctor()).doctor(options, context, signal)),
    );
  addService(program, context, start);
  addStorage(program, context, start);
  addReconcile(program, (options) =>
    start(async () => (await commands.reconcile()).reconcile(options, context)),
  );
  addPlugins(program, start, context);
  program
    .command('config')
    .description('about the configuration file')
    .command('schema')
    .description('print its JSON schema, for editors')
    .action(() => start(async () => (await commands.configSchema()).configSchema(context)));
  program
    .command('demo')
    .description('bill 30 days of a fictional company, with nothing to set up')
    .option('--output <folder>', 'folder for the database and the CSV files', 'demo-output')
    .option('--json', 'print JSON')
    .action((options: DemoOptions) =>
      start(async (signal) => (await commands.demo()).demo(options, context, signal)),
    );
  return program;
}

function addPlugins(
  program: Command,
  start: (action: Action) => Promise<void>,
  context: ProcessContext,
): void {
  const plugins = program.command('plugins').description('the ecosystems that are there');
  plugins
    .command('list')
    .description('list ecosystems, where they come from and what failed to load')
    .option('--config <file>', 'configuration that names further plugins')
    .option('--env-file <file>', 'environment file')
    .option('--json', 'print JSON')
    .action((options: PluginsListOptions) =>
      start(async () => (await commands.pluginsList()).pluginsList(options, context)),
    );
  withConfig(
    plugins.command('wiring').description('print who allocates each product type, and where that is set'),
  )
    .requiredOption('--tenant <name>', 'the tenant')
    .option('--json', 'print JSON')
    .action((options: PluginsWiringOptions) =>
      start(async (signal) => (await commands.pluginsWiring()).pluginsWiring(options, context, signal)),
    );
}

function withConfig(command: Command): Command {
  return command
    .requiredOption('--config <file>', 'configuration file (YAML)')
    .option('--env-file <file>', 'environment file; default: .env beside the configuration');
}

function withRange(command: Command): Command {
  return command
    .option('--from <day>', 'first day (YYYY-MM-DD); default: lookback_days ago', dayArgument)
    .option('--to <day>', 'last day, included; default: the day before cutoff_days ago', dayArgument);
}

function addRun(program: Command, action: (options: RunCommandOptions) => Promise<void>): void {
  withRange(withConfig(program.command('run').description('gather, calculate, store and emit, once')))
    .option('--tenant <name>', 'only this tenant')
    .option('--once', 'run one cycle and exit (the only mode of this command)')
    .option('--regather', 'ask the source again also for days that are complete')
    .option('--json', 'print JSON')
    .action(action);
}

/** What keeps tenants going for years. */
function addService(
  program: Command,
  context: ProcessContext,
  start: (action: Action) => Promise<void>,
): void {
  withConfig(program.command('worker').description('run again and again, until a signal stops it'))
    .option('--tenant <name>', 'only this tenant')
    .action((options: WorkerOptions) =>
      start(async (signal) => (await commands.worker()).worker(options, context, signal)),
    );
  withConfig(program.command('status').description('where each tenant stands, and what needs care'))
    .option('--tenant <name>', 'only this tenant')
    .option('--json', 'print JSON')
    .action((options: StatusOptions) =>
      start(async () => (await commands.status()).status(options, context)),
    );
  withConfig(
    program.command('resume').argument('<tenant>').description('bring a suspended tenant back'),
  ).action((name: string, options: ConfigOptions) =>
    start(async () => (await commands.resume()).resume(name, options, context)),
  );
  withRange(withConfig(program.command('recalculate').description('calculate days anew from what is stored')))
    .requiredOption('--tenant <name>', 'the tenant')
    .option('--regather', 'ask the source again first')
    .option('--json', 'print JSON')
    .action((options: RunCommandOptions & { tenant: string }) =>
      start(async (signal) => (await commands.recalculate()).recalculate(options, context, signal)),
    );
  withConfig(program.command('prune').description('remove what is older than retention_days'))
    .option('--tenant <name>', 'only this tenant')
    .option('--dry-run', 'only count')
    .option('--json', 'print JSON')
    .action((options: PruneOptions) =>
      start(async (signal) => (await commands.prune()).pruneCommand(options, context, signal)),
    );
}

function addStorage(
  program: Command,
  context: ProcessContext,
  start: (action: Action) => Promise<void>,
): void {
  const storage = program.command('storage').description('about the databases of the tenants');
  withConfig(storage.command('status').description('which schema each database has; changes nothing'))
    .option('--tenant <name>', 'only this tenant')
    .option('--json', 'print JSON')
    .action((options: StorageOptions) =>
      start(async () => (await commands.storage()).showStorage(options, context)),
    );
  withConfig(storage.command('migrate').description('bring the schemas up to date, as the next run would'))
    .option('--tenant <name>', 'only this tenant')
    .option('--json', 'print JSON')
    .action((options: StorageOptions) =>
      start(async () => (await commands.storage()).migrateStorage(options, context)),
    );
  storage
    .command('copy')
    .description('copy a tenant into an empty database and compare both')
    .requiredOption('--from <url>', 'connection string of the database copied from')
    .requiredOption('--to <url>', 'connection string of the empty database copied to')
    .requiredOption('--tenant <id>', 'the tenant_id that the database belongs to')
    .option('--json', 'print JSON')
    .action((options: StorageCopyOptions) =>
      start(async (signal) => (await commands.storage()).copyStorage(options, context, signal)),
    );
}

function addReconcile(program: Command, action: (options: ReconcileOptions) => Promise<void>): void {
  withRange(
    withConfig(program.command('reconcile').description('compare what was billed with what was allocated')),
  )
    .requiredOption('--tenant <name>', 'the tenant')
    .addOption(
      new Option('--by <grouping>', 'one row per').choices(['line', 'day', 'month']).default('month'),
    )
    .option('--json', 'print JSON')
    .action(action);
}

function dayArgument(text: string): string {
  try {
    return parseDay(text);
  } catch (cause) {
    throw new InvalidArgumentError(describeCause(cause));
  }
}

/** Turns coded errors into messages with their fix, and into exit codes. */
async function guarded(action: Action, argv: readonly string[], context: NodeJS.Process): Promise<number> {
  const stop = abortOnSignals(context);
  try {
    return await action(stop.signal);
  } catch (error) {
    const cause = stop.signal.aborted
      ? new ChargebackError('CB_RUN_INTERRUPTED', 'stopped before it was done')
      : error;
    const paint = paintFor(context.stderr);
    const { ConfigError } = await import('@chargeback/config');
    if (cause instanceof ConfigError) {
      if (argv.includes('--json')) {
        context.stdout.write(`${JSON.stringify({ valid: false, problems: cause.problems }, undefined, 2)}\n`);
      }
      context.stderr.write(`${paint.bad(cause.code)} ${cause.message}\n`);
    } else if (ChargebackError.isInstance(cause)) {
      context.stderr.write(`${paint.bad(cause.code)} ${describeCause(cause)}\n  ${paint.dim(cause.fix)}\n`);
    } else {
      context.stderr.write(
        `${paint.bad('CB_INTERNAL')} ${describeCause(cause)}\n  ${paint.dim(ERROR_CODES.CB_INTERNAL.fix)}\n`,
      );
      if (cause instanceof Error && cause.stack) context.stderr.write(`${paint.dim(cause.stack)}\n`);
    }
    return ChargebackError.isInstance(cause) ? ERROR_CODES[cause.code].exitCode : 1;
  } finally {
    stop[Symbol.dispose]();
  }
}

function ownVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  return (manifest as { version: string }).version;
}
