import type { ConfluentOrganization, MetricsModel, SimulatedCost } from '@chargeback/testkit';

/*
 * Who bears a Confluent Cloud bill, a second time: written from "How Costs Work" and the page on who bears what,
 * over what the simulated organisation is rather than what its interfaces say. It shares no code with what it is
 * compared with. Amounts are whole numbers of 0.00000001, shares are rounded to 0.0001.
 */

const QUANTUM = 10_000n;
const DAY = 86_400_000;
const HOUR = 3_600_000;
const MINUTES = 60;

export interface OpinionWorld {
  readonly organization: ConfluentOrganization;
  /** What is measured; null when nothing is. */
  readonly metrics: MetricsModel | null;
  /** When everything is listed: what has ended by then no listing names. */
  readonly listedAt: Date;
  /** The bill as it stands. */
  readonly costs: readonly SimulatedCost[];
}

type Weights = ReadonlyMap<string, bigint>;

/** `identity cost-type method detail`, and what it bears. */
type Rows = Map<string, bigint>;

interface Line {
  readonly day: string;
  readonly environmentId: string | null;
  readonly resourceId: string | null;
  readonly product: string;
  readonly lineType: string;
  readonly units: bigint;
}

const magnitude = (value: bigint): bigint => (value < 0n ? -value : value);

/** numerator / denominator, rounded half away from zero. */
function rounded(numerator: bigint, denominator: bigint): bigint {
  const quotient = magnitude(numerator) / denominator;
  const up = (magnitude(numerator) % denominator) * 2n >= denominator ? 1n : 0n;
  return numerator < 0n ? -(quotient + up) : quotient + up;
}

/**
 * In proportion, each share rounded to a quantum. What is less than a quantum goes to the first. What rounding leaves
 * is handed out one quantum at a time to the leading names, passing over whose share would change its sign or end
 * more than two quanta from exact.
 */
function share(total: bigint, weights: Weights): [name: string, units: bigint][] {
  const names = [...weights.keys()].filter((name) => weights.get(name)! > 0n).toSorted();
  const sum = names.reduce((all, name) => all + weights.get(name)!, 0n);
  const dust = total % QUANTUM;
  const quanta = (total - dust) / QUANTUM;
  const shares = names.map((name) => rounded(quanta * weights.get(name)!, sum));
  const whole = (index: number, part: bigint): bigint => part * QUANTUM + (index === 0 ? dust : 0n);
  const mayBe = (index: number, part: bigint): boolean => {
    const exactTimesSum = total * weights.get(names[index]!)!;
    const offTimesSum = whole(index, part) * sum - exactTimesSum;
    return part * total >= 0n && magnitude(offTimesSum) <= 2n * QUANTUM * sum;
  };
  let rest = quanta - shares.reduce((all, one) => all + one, 0n);
  const step = rest < 0n ? -1n : 1n;
  for (let index = 0; rest !== 0n; index = (index + 1) % names.length) {
    if (!mayBe(index, shares[index]! + step)) continue;
    shares[index]! += step;
    rest -= step;
  }
  return names.map((name, index) => [name, whole(index, shares[index]!)]);
}

const evenly = (names: Iterable<string>): Weights => new Map([...names].map((name) => [name, 1n]));

const only = (name: string): Weights => evenly([name]);

class Opinion {
  readonly #organization: ConfluentOrganization;
  readonly #metrics: MetricsModel | null;
  readonly #listedAt: Date;
  readonly #day: number;

  constructor({ organization, metrics, listedAt }: OpinionWorld, day: string) {
    this.#organization = organization;
    this.#metrics = metrics;
    this.#listedAt = listedAt;
    this.#day = Date.parse(`${day}T00:00:00Z`);
  }

  /** Rows of a line that follows no other. */
  rows(line: Line): Rows {
    const { lineType, resourceId, units } = line;
    const id = resourceId ?? '';
    const to = (weights: Weights, ...what: readonly string[]): Rows =>
      new Map(share(units, weights).map(([name, amount]) => [[name, ...what].join(' '), amount]));
    switch (lineType) {
      case 'KAFKA_NUM_CKUS':
        return this.#clusterUnits(id, units);
      case 'KAFKA_NETWORK_READ':
        return this.#byBytes(id, units, ['response']);
      case 'KAFKA_NETWORK_WRITE':
      case 'KAFKA_REST_PRODUCE':
        return this.#byBytes(id, units, ['request']);
      case 'KAFKA_STREAMS':
        return this.#byBytes(id, units, ['request', 'response']);
      case 'KAFKA_BASE':
      case 'KAFKA_STORAGE':
      case 'KAFKA_PARTITION':
        return to(evenly(this.#active(id)), 'SHARED even_split NO_METRICS_LOCATED');
      case 'SCHEMA_REGISTRY':
      case 'GOVERNANCE_BASE':
      case 'NUM_RULES': {
        const holders = this.#keyOwners(id);
        if (holders.size > 0) return to(evenly(holders), 'USAGE even_split -');
        return to(evenly(this.#owners()), 'SHARED even_split NO_ACTIVE_IDENTITIES_LOCATED');
      }
      case 'CONNECT_CAPACITY':
        return to(only(this.#connectorOwner(id)), 'SHARED even_split -');
      case 'CONNECT_NUM_TASKS':
      case 'CONNECT_THROUGHPUT':
      case 'CONNECT_NUM_RECORDS':
      case 'CUSTOM_CONNECT_NUM_TASKS':
      case 'CUSTOM_CONNECT_THROUGHPUT':
        return to(only(this.#connectorOwner(id)), 'USAGE even_split -');
      case 'KSQL_NUM_CSUS': {
        const owner = this.#organization.ksqldbClusters.find((one) => one.id === id)!.ownerId;
        return to(only(owner ?? 'ksqldb_owner_unknown'), 'USAGE even_split -');
      }
      case 'FLINK_NUM_CFUS': {
        const usage = this.#computeUnits(id);
        if (usage.size > 0) return to(usage, 'USAGE usage_ratio USAGE_RATIO_ALLOCATION');
        return to(this.#runningStatements(id), 'SHARED running_statements NO_METRICS_LOCATED');
      }
      case 'TABLEFLOW_NUM_TOPICS':
      case 'TABLEFLOW_DATA_PROCESSED':
      case 'TABLEFLOW_STORAGE':
      case 'USM_CONNECTED_NODE':
        return to(only(id), 'SHARED default USING_DEFAULT_ALLOCATOR');
      case 'CLUSTER_LINKING_PER_LINK':
      case 'CLUSTER_LINKING_READ':
      case 'CLUSTER_LINKING_WRITE':
        return to(only(id), 'USAGE cluster_linking CLUSTER_LINKING_COST');
      case 'SUPPORT':
      case 'AUDIT_LOG_READ':
        return to(evenly(this.#owners()), 'SHARED even_split -');
      default:
        throw new Error(`the second opinion knows no ${lineType}`);
    }
  }

  #clusterUnits(id: string, units: bigint): Rows {
    const used = rounded(units * 70n, 100n * QUANTUM) * QUANTUM;
    const bytes = this.#bytes(id, ['request', 'response']);
    const active = evenly(this.#active(id));
    const [weights, what] =
      bytes.size > 0
        ? [bytes, 'USAGE usage_ratio USAGE_RATIO_ALLOCATION']
        : [active, 'SHARED even_split NO_USAGE_FOR_ACTIVE_IDENTITIES'];
    return new Map([
      ...share(used, weights).map(([name, amount]) => [`${name} ${what}`, amount] as const),
      ...share(units - used, active).map(
        ([name, amount]) => [`${name} SHARED even_split -`, amount] as const,
      ),
    ]);
  }

  #byBytes(id: string, units: bigint, directions: readonly string[]): Rows {
    const bytes = this.#bytes(id, directions);
    const [weights, what] =
      bytes.size > 0
        ? [bytes, 'USAGE usage_ratio USAGE_RATIO_ALLOCATION']
        : [evenly(this.#active(id)), 'SHARED even_split NO_METRICS_LOCATED'];
    return new Map(share(units, weights).map(([name, amount]) => [`${name} ${what}`, amount]));
  }

  /** Whoever a listing names and who had begun by the end of the day. */
  #listed<Thing extends { readonly createdAt: Date; readonly deletedAt: Date | null }>(
    things: readonly Thing[],
  ): Thing[] {
    return things.filter(
      ({ createdAt, deletedAt }) =>
        createdAt.getTime() < this.#day + DAY && (deletedAt === null || deletedAt > this.#listedAt),
    );
  }

  #owners(): Set<string> {
    const { serviceAccounts, users, identityPools, certificatePools } = this.#organization;
    const all = [serviceAccounts, users, identityPools, certificatePools].map((list) => this.#listed(list));
    return new Set(all.flat().map(({ id }) => id));
  }

  #keyOwners(resourceId: string): Set<string> {
    const keys = this.#listed(this.#organization.apiKeys).filter((key) => key.resourceId === resourceId);
    return new Set(keys.map(({ ownerId }) => ownerId ?? 'api_key_owner_unknown'));
  }

  #keyOrOwner(name: string): string {
    const key = this.#listed(this.#organization.apiKeys).find(({ id }) => id === name);
    return key ? (key.ownerId ?? 'api_key_owner_unknown') : name;
  }

  #active(clusterId: string): Set<string> {
    const seen = ['request', 'response'].flatMap((direction) => [
      ...this.#measured(
        `confluent_kafka_server_${direction}_bytes`,
        ['kafka_id', clusterId],
        'principal_id',
      ).keys(),
    ]);
    return new Set([...this.#keyOwners(clusterId), ...seen.map((name) => this.#keyOrOwner(name))]);
  }

  #bytes(clusterId: string, directions: readonly string[]): Weights {
    const sums = new Map<string, bigint>();
    for (const direction of directions) {
      const metric = `confluent_kafka_server_${direction}_bytes`;
      for (const [name, total] of this.#measured(metric, ['kafka_id', clusterId], 'principal_id')) {
        const owner = this.#keyOrOwner(name);
        if (total > 0n) sums.set(owner, (sums.get(owner) ?? 0n) + total);
      }
    }
    return sums;
  }

  #computeUnits(poolId: string): Weights {
    const here: readonly [string, string] = ['compute_pool_id', poolId];
    const best = this.#measured('confluent_flink_num_cfu', here, 'flink_statement_name');
    const fallback = 'confluent_flink_statement_utilization_cfu_minutes_consumed';
    const measured = best.size > 0 ? best : this.#measured(fallback, here, 'flink_statement_name');
    const sums = new Map<string, bigint>();
    for (const [name, total] of measured) {
      const statement = this.#statements(poolId).find(({ displayName }) => displayName === name);
      const owner = statement?.principal ?? 'flink_stmt_owner_unknown';
      sums.set(owner, (sums.get(owner) ?? 0n) + total);
    }
    return sums;
  }

  #statements(poolId: string) {
    return this.#listed(this.#organization.statements).filter((one) => one.computePoolId === poolId);
  }

  #runningStatements(poolId: string): Weights {
    const counts = new Map<string, bigint>();
    for (const { principal, phase } of this.#statements(poolId)) {
      if (principal !== null && phase === 'RUNNING')
        counts.set(principal, (counts.get(principal) ?? 0n) + 1n);
    }
    return counts;
  }

  /** What a metric brought on the day by name, 0 for those that only stood there: a sample every minute. */
  #measured(metric: string, [label, id]: readonly [string, string], nameLabel: string): Weights {
    const sums = new Map<string, bigint>();
    for (const { labels, at, starts, ends } of this.#metrics?.metrics.find(({ name }) => name === metric)
      ?.series ?? []) {
      if (labels[label] !== id) continue;
      for (let time = this.#day; time < this.#day + DAY; time += HOUR) {
        if ((starts && time < starts.getTime()) || (ends && time >= ends.getTime())) continue;
        const name = labels[nameLabel]!;
        sums.set(name, (sums.get(name) ?? 0n) + BigInt(at(time / HOUR)) * BigInt(MINUTES));
      }
    }
    return sums;
  }

  #connectorOwner(id: string): string {
    const { credentials } = this.#organization.connectors.find((one) => one.id === id)!;
    const account = credentials['kafka.service.account.id'];
    const apiKey = credentials['kafka.api.key'];
    if (account !== undefined) return account;
    // Its way to authenticate is not known: it stands for itself.
    if (apiKey === undefined) return id;
    if (/^\*+$/.test(apiKey)) return 'connector_api_key_masked';
    const key = this.#listed(this.#organization.apiKeys).find((one) => one.id === apiKey);
    return key ? (key.ownerId ?? 'connector_credentials_unknown') : 'connector_api_key_not_found';
  }
}

/** Rows of the bill that are one line, added up. */
function linesOf(costs: readonly SimulatedCost[]): Line[] {
  const lines = new Map<string, Line>();
  for (const { day, environmentId, resourceId, product, lineType, amountUnits } of costs) {
    const line = { day, environmentId, resourceId, product: product ?? 'UNKNOWN', lineType };
    const key = JSON.stringify(Object.values(line));
    lines.set(key, { ...line, units: (lines.get(key)?.units ?? 0n) + amountUnits });
  }
  return [...lines.values()];
}

/**
 * Every row that there must be, sorted: `day environment resource product type identity cost-type method detail
 * amount`, the amount in 0.00000001. Credits follow what the other lines of the day came to; support and audit
 * logs are shared by all.
 */
export function secondOpinion(world: OpinionWorld): string[] {
  const told: string[] = [];
  const tell = (line: Line, rows: Rows): void => {
    const { day, environmentId, resourceId, product, lineType } = line;
    const key = [day, environmentId ?? '-', resourceId ?? '-', product, lineType].join(' ');
    for (const [row, units] of rows) told.push(`${key} ${row} ${units}`);
  };
  for (const [day, lines] of Map.groupBy(linesOf(world.costs), (line) => line.day)) {
    const opinion = new Opinion(world, day);
    const allocated = new Map<string, bigint>();
    for (const line of lines.filter(({ lineType }) => lineType !== 'PROMO_CREDIT')) {
      const rows = opinion.rows(line);
      tell(line, rows);
      for (const [row, units] of rows) {
        const name = row.split(' ', 1)[0]!;
        allocated.set(name, (allocated.get(name) ?? 0n) + units);
      }
    }
    for (const line of lines.filter(({ lineType }) => lineType === 'PROMO_CREDIT')) {
      const what = 'SHARED proportional_to_allocated PROPORTIONAL_TO_ALLOCATED';
      const shares = share(line.units, allocated).map(([name, units]) => [`${name} ${what}`, units] as const);
      tell(line, new Map(shares));
    }
  }
  return told.toSorted();
}
