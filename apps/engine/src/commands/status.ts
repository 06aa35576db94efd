import { ChargebackError, type IsoDate, type Problem } from '@chargeback/plugin-api';
import type { DateRevision, DateState } from '@chargeback/storage';
import { formatUnits } from '@chargeback/money';
import { createHost } from '../host.ts';
import { daysAndOpenDays, openProblems } from '../open-days.ts';
import { type ConfigOptions, openSession, type ProcessContext } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';
import { renderStatus } from '../output/status.ts';
import type { TenantStatus } from '../output/tenant-status.ts';
import { paintFor } from '../output/paint.ts';
import { runWindow } from '../window.ts';

export interface StatusOptions extends ConfigOptions {
  readonly tenant?: string;
  readonly json?: boolean;
}

const RUNS_SHOWN = 5;

/** `chargeback status`: dates by state, what is held and why, the last runs, the next one. Exit 1 when something needs care. */
export async function status(options: StatusOptions, context: ProcessContext): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, {
    only: options.tenant,
    importCode: false,
  });
  const now = createHost({ configDirectory: session.loaded.directory }).clock();
  const all: TenantStatus[] = unavailable.map(({ name, problem }) => nothingOf(name, '', problem));
  for (const tenant of definitions) all.push(await statusOf(tenant, now));
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ tenants: all.map(jsonOf) }, undefined, 2)}\n`
      : all.map((one) => renderStatus(one, now, paintFor(context.stdout))).join('\n'),
  );
  return all.some(needsCare) ? 1 : 0;
}

function needsCare({ unavailable, dates, state, problems }: TenantStatus): boolean {
  return (
    unavailable !== null ||
    state?.suspendedAt !== null ||
    dates.some((date) => date.state !== 'calculated') ||
    problems.some(({ severity }) => severity === 'error')
  );
}

async function statusOf(tenant: ConfiguredTenant, now: Date): Promise<TenantStatus> {
  const { ecosystem } = tenant.plugin;
  try {
    if (!(await tenant.hasStore())) {
      return nothingOf(tenant.name, ecosystem, {
        code: 'CB_STORAGE_OPEN',
        severity: 'warning',
        message: 'nothing was run yet',
        fix: 'Run `chargeback run`.',
        path: null,
        date: null,
      });
    }
    await using store = await tenant.openStore();
    const window = runWindow(tenant.config, {}, now);
    const dates = await daysAndOpenDays(store, window);
    return {
      tenant: tenant.name,
      ecosystem,
      unavailable: null,
      window,
      dates,
      state: await store.tenantState(),
      lease: await store.lease(),
      problems: await openProblems(store, window, dates),
      runs: await store.runs(RUNS_SHOWN),
      revisions: await store.revisions(window),
    };
  } catch (cause) {
    if (!ChargebackError.isInstance(cause)) throw cause;
    const { code, message, fix, path } = cause;
    return nothingOf(tenant.name, ecosystem, { code, severity: 'error', message, fix, path, date: null });
  }
}

function nothingOf(tenant: string, ecosystem: string, unavailable: Problem): TenantStatus {
  const none = { window: null, dates: [], state: null, lease: null, problems: [], runs: [], revisions: [] };
  return { tenant, ecosystem, unavailable, ...none };
}

function jsonOf(one: TenantStatus): object {
  const days = (state: DateState['state']): IsoDate[] =>
    one.dates.filter((date) => date.state === state).map(({ date }) => date);
  return {
    tenant: one.tenant,
    ecosystem: one.ecosystem,
    unavailable: one.unavailable,
    dates: { calculated: days('calculated').length, held: days('held'), gathered: days('gathered') },
    suspended: one.state?.suspendedAt
      ? { since: one.state.suspendedAt, because: one.state.suspendedBecause }
      : null,
    gather_failures: one.state?.gatherFailures ?? 0,
    next_run_at: one.state?.nextRunAt ?? null,
    lease: one.lease,
    problems: one.problems,
    runs: one.runs,
    revisions: one.revisions.map((revision) => ({
      ...revision,
      before: texts(revision.before),
      after: texts(revision.after),
    })),
  };
}

function texts(totals: DateRevision['before']): object {
  return Object.fromEntries(
    Object.entries(totals).map(([name, units]) => [name, formatUnits(units as bigint)]),
  );
}
