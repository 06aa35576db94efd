import { Wiring, type WiringRow } from '@chargeback/engine';
import type { RoutingTable } from '@chargeback/plugin-api';
import { createHost } from '../host.ts';
import { renderTable } from '../output/render-table.ts';
import { type ConfigOptions, openSession, type ProcessContext, type Session } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';
import { ConfigError } from '@chargeback/config';

export interface PluginsWiringOptions extends ConfigOptions {
  readonly tenant: string;
  readonly json?: boolean;
}

/** `chargeback plugins wiring`: who resolves and allocates each product type, and where that is written. */
export async function pluginsWiring(
  options: PluginsWiringOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, { only: options.tenant });
  const [tenant] = definitions;
  if (!tenant) throw unavailableError(session, unavailable[0]!.problem.message);
  const rows = await wiringOf(session, tenant, signal);
  if (options.json) {
    context.stdout.write(
      `${JSON.stringify({ tenant: tenant.name, wiring: rows.map(jsonOf) }, undefined, 2)}\n`,
    );
    return 0;
  }
  const origin = (place: string | null): string => place ?? tenant.plugin.ecosystem;
  context.stdout.write(
    renderTable(
      ['Product type', 'Resolver', 'from', 'Allocator', 'from', 'Usage'].map((title) => ({ title })),
      rows.map((row) => [
        row.productType,
        row.resolver,
        origin(row.resolverPlace),
        row.allocator,
        origin(row.allocatorPlace),
        row.usage.join(', '),
      ]),
    ),
  );
  return 0;
}

function unavailableError({ loaded }: Session, message: string): ConfigError {
  return new ConfigError([loaded.problemAt(['tenants'], 'CB_PLUGIN_UNKNOWN_ECOSYSTEM', message)]);
}

/** From the plugin's settings alone where it can tell, else from a connection that is closed again. */
async function wiringOf(
  { loaded, logger }: Session,
  tenant: ConfiguredTenant,
  signal: AbortSignal,
): Promise<WiringRow[]> {
  const { plugin, settings, overrides } = tenant;
  const rowsOf = (table: RoutingTable): WiringRow[] =>
    new Wiring(table, overrides ? { overrides } : {}).rows(settings.allocator_params);
  const routing = plugin.routing?.(settings);
  if (routing) return rowsOf(routing);
  const host = {
    ...createHost({ configDirectory: loaded.directory }),
    logger,
    signal,
    tenantId: tenant.tenantId,
    concurrency: 1,
  };
  await using ecosystem = await plugin.create(settings, host);
  return rowsOf(ecosystem);
}

function jsonOf(row: WiringRow): object {
  return {
    product_type: row.productType,
    resolver: row.resolver,
    resolver_origin: row.resolverPlace ?? 'plugin',
    allocator: row.allocator,
    allocator_origin: row.allocatorPlace ?? 'plugin',
    usage: row.usage,
  };
}
