import { MILLISECONDS_PER_DAY, MILLISECONDS_PER_HOUR, type Window } from '@chargeback/plugin-api';
import { hourlyLoad, type LoadOptions, storedBytes } from './company-load.ts';
import {
  COMPANY_PRINCIPALS,
  COMPANY_TEAMS,
  type CompanyPrincipal,
  type CompanyTeam,
} from './company-principals.ts';
import { companyTenant } from './company-tenant.ts';
import type { SimulatedPaths } from './generic-metrics-config.ts';
import type { SeriesDefinition } from './metric-definition.ts';
import { createMetricsModel, type MetricsModel } from './metrics-model.ts';
import { tenantsYaml, type YamlMap } from './yaml-text.ts';

const BYTES_PER_MIB = 1_048_576;
const BYTES_PER_GIB = 1_073_741_824;
/** Mean size of one request. */
const BYTES_PER_REQUEST = 24_000;

export interface FictionalCompanyOptions {
  readonly seed: number;
  /** Whole days of metrics. */
  readonly days: number;
  /** Midnight UTC after the last of them. */
  readonly endDate: Date;
}

/** Nordwind Logistics: six teams that share one instrumented streaming platform. */
export interface FictionalCompany {
  readonly model: MetricsModel;
  readonly teams: readonly CompanyTeam[];
  readonly principals: readonly CompanyPrincipal[];
  /** The company as a tenant, see {@link configYaml}. */
  tenant(url: string, paths: SimulatedPaths): YamlMap;
  /**
   * A configuration whose bill covers exactly the days of the model when the product's clock stands anywhere on
   * the UTC day that begins at `endDate` plus one day.
   */
  configYaml(url: string, paths: SimulatedPaths): string;
}

/** The same seed and dates always give the same company, down to the byte. Throws RangeError. */
export function fictionalCompany({ seed, days, endDate }: FictionalCompanyOptions): FictionalCompany {
  if (endDate.getTime() % MILLISECONDS_PER_DAY !== 0)
    throw new RangeError('endDate must be a midnight in UTC');
  if (!Number.isInteger(days) || days < 1) throw new RangeError('days must be a whole number of at least 1');
  const window = { start: new Date(endDate.getTime() - days * MILLISECONDS_PER_DAY), end: endDate };
  const each = (make: (one: CompanyPrincipal) => SeriesDefinition[]): SeriesDefinition[] =>
    COMPANY_PRINCIPALS.flatMap((one) =>
      make(one).map((series) => ({ ...series, ...lifetimeOf(one, window) })),
    );
  const load = (one: CompanyPrincipal, name: string, mean: number): LoadOptions => {
    const growth = COMPANY_TEAMS.find((team) => team.name === one.team)?.growth ?? 1;
    return { window, seed, name: `${name}/${one.id}`, rhythm: one.rhythm, mean, growth };
  };
  const received = each((one) =>
    one.streams.map((stream, index) => {
      // The first stream takes the larger part.
      const share = one.streams.length === 1 ? 1 : index === 0 ? 0.7 : 0.3 / (one.streams.length - 1);
      const at = hourlyLoad(load(one, `received/${stream}`, one.receivedMib * BYTES_PER_MIB * share));
      return { labels: { principal: one.id, stream }, at };
    }),
  );
  const perPrincipal = (at: (one: CompanyPrincipal) => SeriesDefinition['at']): SeriesDefinition[] =>
    each((one) => [{ labels: { principal: one.id }, at: at(one) }]);
  const sent = perPrincipal((one) => hourlyLoad(load(one, 'sent', one.sentMib * BYTES_PER_MIB)));
  const stored = perPrincipal((one) => storedBytes(load(one, 'stored', one.storedGib * BYTES_PER_GIB)));
  const requests = perPrincipal((one) => {
    const bytes = (one.receivedMib + one.sentMib) * BYTES_PER_MIB;
    return hourlyLoad(load(one, 'requests', bytes / BYTES_PER_REQUEST));
  });
  const model = createMetricsModel({
    window,
    metrics: [
      { name: 'platform_bytes_received_total', kind: 'counter', series: received },
      { name: 'platform_bytes_sent_total', kind: 'counter', series: sent },
      { name: 'platform_storage_bytes', kind: 'gauge', series: stored },
      { name: 'platform_requests_total', kind: 'counter', series: requests },
    ],
  });
  return {
    model,
    teams: COMPANY_TEAMS,
    principals: COMPANY_PRINCIPALS,
    tenant: (url, paths) => companyTenant(days, url, paths),
    configYaml: (url, paths) => tenantsYaml(companyTenant(days, url, paths)),
  };
}

function lifetimeOf({ startsAt, endsAt }: CompanyPrincipal, window: Window): { starts?: Date; ends?: Date } {
  const length = window.end.getTime() - window.start.getTime();
  const instant = (part: number): Date => {
    const exact = window.start.getTime() + length * part;
    return new Date(Math.round(exact / MILLISECONDS_PER_HOUR) * MILLISECONDS_PER_HOUR);
  };
  return {
    ...(startsAt === undefined ? {} : { starts: instant(startsAt) }),
    ...(endsAt === undefined ? {} : { ends: instant(endsAt) }),
  };
}
