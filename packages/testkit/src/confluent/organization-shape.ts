import { MILLISECONDS_PER_DAY, type Window } from '@chargeback/plugin-api';

export interface ConfluentOrganizationOptions {
  /** Default: 1. */
  readonly seed?: number;
  /** Kafka clusters. Default: 5. */
  readonly clusters?: number;
  /** Default: one for every ten clusters, and at least 2. */
  readonly environments?: number;
  /** Default: 200. */
  readonly serviceAccounts?: number;
  /** On how many clusters each account has a key and traffic. Default: 3. */
  readonly clustersPerAccount?: number;
  /** Billed days. Default: 30. */
  readonly days?: number;
  /** Midnight UTC after the last billed day. */
  readonly endDate: Date;
}

/** The options with their defaults, and what follows from them. */
export interface OrganizationShape extends Required<ConfluentOrganizationOptions> {
  readonly window: Window;
}

/** Throws RangeError for what cannot be. */
export function shapeOf(options: ConfluentOrganizationOptions): OrganizationShape {
  const { seed = 1, clusters = 5, serviceAccounts = 200, days = 30, endDate } = options;
  const { environments = Math.max(2, Math.ceil(clusters / 10)), clustersPerAccount = 3 } = options;
  for (const [name, value] of Object.entries({ clusters, serviceAccounts, days, environments })) {
    if (!Number.isInteger(value) || value < 1)
      throw new RangeError(`${name} must be a whole number of at least 1`);
  }
  if (endDate.getTime() % MILLISECONDS_PER_DAY !== 0)
    throw new RangeError('endDate must be a midnight in UTC');
  const start = new Date(endDate.getTime() - days * MILLISECONDS_PER_DAY);
  return {
    seed,
    clusters,
    serviceAccounts,
    days,
    endDate,
    environments,
    clustersPerAccount: Math.min(clustersPerAccount, clusters),
    window: { start, end: endDate },
  };
}
