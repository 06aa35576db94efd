import { ERROR_CODES, type ExitCode } from '@chargeback/plugin-api';
import pLimit from 'p-limit';
import { runTenant } from './run-tenant.ts';
import type { RunOptions, TenantDefinition, TenantRun } from './tenant-definition.ts';

export interface RunTenantsOptions extends Omit<RunOptions, 'window' | 'host'> {
  readonly maxParallelTenants: number;
  readonly windowOf: (tenant: TenantDefinition) => RunOptions['window'];
  readonly host: (tenant: TenantDefinition) => RunOptions['host'];
}

/** Runs tenants side by side. One that fails does not disturb the others. Results are in the order given. */
export async function runTenants(
  tenants: readonly TenantDefinition[],
  options: RunTenantsOptions,
): Promise<TenantRun[]> {
  const limit = pLimit(options.maxParallelTenants);
  return Promise.all(
    tenants.map((tenant) =>
      limit(() =>
        runTenant(tenant, { ...options, window: options.windowOf(tenant), host: options.host(tenant) }),
      ),
    ),
  );
}

/**
 * 0: done. 1: some dates or tenants failed and will be retried. 2: a configuration is needed. 3: conservation
 * broken.
 */
export function exitCodeOf(runs: readonly TenantRun[]): 0 | ExitCode {
  let exitCode: 0 | ExitCode = 0;
  for (const run of runs) {
    if (run.status !== 'completed' || run.datesHeld > 0) exitCode = exitCode === 0 ? 1 : exitCode;
    for (const { code, severity } of run.problems) {
      if (severity === 'error' && ERROR_CODES[code].exitCode > exitCode)
        exitCode = ERROR_CODES[code].exitCode;
    }
  }
  return exitCode;
}
