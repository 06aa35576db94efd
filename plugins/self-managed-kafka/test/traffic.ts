/**
 * One cluster's traffic, told by the exporters of every naming family: three brokers, two topics with two
 * replicas of each of two partitions, three clients. Broker 2 is drained, restarted and away for some minutes;
 * broker 3 restarts between two scrapes. Aggregates of all topics stand beside the topics, under the same names.
 */
export const MINUTES_PER_DAY = 1440;
const SECONDS = 60;

export type Direction = 'in' | 'out';
export const DIRECTIONS: readonly Direction[] = ['in', 'out'];
export const BROKERS = ['1', '2', '3'] as const;
export const TOPICS = ['orders', 'payments'] as const;
export const PRINCIPALS = ['alice', 'bob', 'carol'] as const;

type Broker = (typeof BROKERS)[number];
type Topic = (typeof TOPICS)[number];
type Principal = (typeof PRINCIPALS)[number];

/** Minutes of the first day. */
const at = (hour: number, minute: number): number => hour * 60 + minute;
const DRAINED = { from: at(10, 15), to: at(10, 31) };
/** No sample of broker 2 in these minutes; it counts from zero afterwards. */
const AWAY = { from: at(10, 21), to: at(10, 24) };
const RESET = at(7, 23);
/** Carol works for half an hour; her quota is forgotten an hour later. */
const CAROL = { from: at(8, 37), to: at(9, 10) };

/** Bytes in the minute that ends here: whole multiples of 60, so that rates per second are whole too. */
export function bytesIn(
  direction: Direction,
  { broker, topic, principal }: { broker: Broker; topic: Topic; principal: Principal },
  minute: number,
): number {
  if (minute <= 0) return 0;
  const drained = broker === '2' && minute > DRAINED.from && minute <= DRAINED.to;
  const idle = principal === 'carol' && (minute < CAROL.from || minute > CAROL.to);
  if (drained || idle) return 0;
  const seed = BROKERS.indexOf(broker) * 5 + TOPICS.indexOf(topic) * 3 + PRINCIPALS.indexOf(principal) * 11;
  const wave = ((minute * 7 + seed) % 23) + (direction === 'out' ? 9 : 1);
  return wave * SECONDS * 4096;
}

/** Bytes of one replica on disk: another size every hour. */
export function storedBytes(topic: Topic, partition: number, minute: number): number {
  const hour = Math.ceil(minute / 60);
  return (TOPICS.indexOf(topic) + 1) * (partition + 1) * 1_073_741_824 + hour * 1_048_576;
}

/** The brokers that hold a replica. */
const replicas = (partition: number): readonly Broker[] => (partition === 0 ? ['1', '2'] : ['2', '3']);

type Labels = Readonly<Record<string, string>>;

/** One series of OpenMetrics text; minutes without a value have no sample. */
function* series(
  shape: Shape,
  [metric, labels]: readonly [string, Labels],
  value: (minute: number) => number | null,
): Iterable<string> {
  const text = Object.entries(labels)
    .map(([name, one]) => `${name}=${JSON.stringify(one)}`)
    .join(',');
  for (let minute = 0; minute <= shape.days * MINUTES_PER_DAY; minute += 1) {
    const sample = value(minute);
    if (sample !== null) yield `${metric}{${text}} ${sample} ${shape.firstDay + minute * SECONDS}\n`;
  }
}

export interface Shape {
  /** Midnight UTC at the start of the first day, unix seconds. */
  readonly firstDay: number;
  readonly days: number;
}

const isAway = (broker: Broker, minute: number): boolean =>
  broker === '2' && minute >= AWAY.from && minute <= AWAY.to;

/** A counter of one broker that adds up some of its traffic and begins anew when the broker does. */
function counter(broker: Broker, perMinute: (minute: number) => number): (minute: number) => number | null {
  let total = 0;
  return (minute) => {
    const restarted = (broker === '3' && minute === RESET) || (broker === '2' && minute === AWAY.to + 1);
    total = (restarted ? 0 : total) + perMinute(minute);
    return isAway(broker, minute) ? null : total;
  };
}

interface Names {
  readonly cluster: string;
  /** Names of the counters; null where the family has none. */
  readonly bytes: Readonly<Record<Direction, string>> | null;
  /** Whether the counters tell the principal. */
  readonly byPrincipal?: boolean;
  /** Name and labels of the quota gauge; null where the family has none. */
  readonly quota: ((direction: Direction) => readonly [string, Labels]) | null;
  readonly brokerLabel: string;
}

function* byteCounters(shape: Shape, { cluster, bytes, byPrincipal, brokerLabel }: Names): Iterable<string> {
  if (bytes === null) return;
  for (const direction of DIRECTIONS) {
    const metric = bytes[direction];
    for (const broker of BROKERS) {
      const labels = { cluster, [brokerLabel]: broker };
      const of =
        (topics: readonly Topic[], principals: readonly Principal[]) =>
        (minute: number): number =>
          sum(topics, (topic) =>
            sum(principals, (principal) => bytesIn(direction, { broker, topic, principal }, minute)),
          );
      for (const topic of TOPICS) {
        const groups = byPrincipal ? PRINCIPALS.map((principal) => [principal]) : [PRINCIPALS];
        for (const group of groups) {
          const named = byPrincipal ? { ...labels, topic, principal: group[0]! } : { ...labels, topic };
          yield* series(shape, [metric, named], counter(broker, of([topic], group)));
        }
      }
      // The aggregate of all topics, under the same name.
      yield* series(shape, [metric, labels], counter(broker, of(TOPICS, PRINCIPALS)));
    }
  }
}

function* quotaGauges(shape: Shape, { cluster, quota, brokerLabel }: Names): Iterable<string> {
  if (quota === null) return;
  for (const direction of DIRECTIONS) {
    const [metric, extra] = quota(direction);
    for (const broker of BROKERS) {
      for (const principal of PRINCIPALS) {
        const labels = { cluster, [brokerLabel]: broker, user: principal, ...extra };
        yield* series(shape, [metric, labels], (minute) => {
          const forgotten = principal === 'carol' && (minute < CAROL.from || minute > CAROL.to + 60);
          if (forgotten || isAway(broker, minute)) return null;
          return sum(TOPICS, (topic) => bytesIn(direction, { broker, topic, principal }, minute)) / SECONDS;
        });
      }
    }
  }
}

function* logSizes(shape: Shape, { cluster, brokerLabel }: Names): Iterable<string> {
  for (const topic of TOPICS) {
    for (const partition of [0, 1]) {
      for (const broker of replicas(partition)) {
        const labels = { cluster, [brokerLabel]: broker, topic, partition: String(partition) };
        yield* series(shape, ['kafka_log_log_size', labels], (minute) =>
          isAway(broker, minute) ? null : storedBytes(topic, partition, minute),
        );
      }
    }
  }
}

function* kminionGauges(shape: Shape, cluster: string): Iterable<string> {
  for (const topic_name of TOPICS) {
    yield* series(
      shape,
      ['kminion_kafka_topic_log_dir_size_total_bytes', { cluster, topic_name }],
      (minute) =>
        sum([0, 1], (partition) => replicas(partition).length * storedBytes(topic_name, partition, minute)),
    );
    const shapeLabels = { partition_count: '2', replication_factor: '2', cleanup_policy: 'delete' };
    yield* series(shape, ['kminion_kafka_topic_info', { cluster, topic_name, ...shapeLabels }], () => 1);
  }
  for (const broker_id of BROKERS) {
    const labels = { cluster, broker_id, address: `broker-${broker_id}` };
    yield* series(shape, ['kminion_kafka_broker_log_dir_size_total_bytes', labels], () => 1);
    const exporter = { cluster, instance: broker_id };
    for (const name of ['jmx_scrape_duration_seconds', 'kafka_server_replicamanager_leadercount']) {
      yield* series(shape, [name, exporter], (minute) => (isAway(broker_id, minute) ? null : 1));
    }
  }
}

const JMX = 'kafka_server_brokertopicmetrics';
const bytes = (suffix: string): Names['bytes'] => ({
  in: `${JMX}_bytesin${suffix}`,
  out: `${JMX}_bytesout${suffix}`,
});
const jmxQuota: Names['quota'] = (direction) => [
  'kafka_server_quota_byte_rate',
  { resource: direction === 'in' ? 'Produce' : 'Fetch', clientId: 'app' },
];
const namedQuota: Names['quota'] = (direction) => [
  direction === 'in' ? 'kafka_server_produce_byte_rate' : 'kafka_server_fetch_byte_rate',
  { client_id: 'app' },
];

/** Each preset's family in a cluster of its own, all in one metrics server. */
export const FAMILIES = ['plain', 'jmx_exporter', 'strimzi', 'jmx_monitoring_stacks', 'kminion'] as const;

const NAMES: Readonly<Record<(typeof FAMILIES)[number], Names>> = {
  plain: { cluster: 'plain', bytes: bytes('_total'), byPrincipal: true, quota: null, brokerLabel: 'broker' },
  jmx_exporter: { cluster: 'jmx_exporter', bytes: bytes('_total'), quota: jmxQuota, brokerLabel: 'instance' },
  strimzi: { cluster: 'strimzi', bytes: bytes('persec_total'), quota: namedQuota, brokerLabel: 'instance' },
  jmx_monitoring_stacks: {
    cluster: 'jmx_monitoring_stacks',
    bytes: bytes('persec'),
    quota: namedQuota,
    brokerLabel: 'instance',
  },
  kminion: { cluster: 'kminion', bytes: null, quota: jmxQuota, brokerLabel: 'instance' },
};

/** OpenMetrics text of all families. */
export function* familiesText(shape: Shape): Iterable<string> {
  for (const family of FAMILIES) {
    const names = NAMES[family];
    yield* byteCounters(shape, names);
    yield* quotaGauges(shape, names);
    if (family === 'kminion') yield* kminionGauges(shape, names.cluster);
    else yield* logSizes(shape, names);
  }
  yield '# EOF\n';
}

/** Independent of the product: bytes of each principal on a day, counted from the traffic itself. */
export function bytesByPrincipal(direction: Direction, day: number): Map<string, number> {
  const totals = new Map<string, number>();
  for (const principal of PRINCIPALS) {
    let total = 0;
    for (let minute = day * MINUTES_PER_DAY + 1; minute <= (day + 1) * MINUTES_PER_DAY; minute += 1) {
      for (const broker of BROKERS) {
        for (const topic of TOPICS) total += bytesIn(direction, { broker, topic, principal }, minute);
      }
    }
    totals.set(principal, total);
  }
  return totals;
}

/** Bytes on disk at the ends of the hours of a day, replicas counted, by topic. */
export function storedByTopic(day: number): Map<string, number[]> {
  const hours = Array.from({ length: 24 }, (_, hour) => day * MINUTES_PER_DAY + (hour + 1) * 60);
  return new Map(
    TOPICS.map((topic) => [
      topic,
      hours.map((minute) => sum([0, 1], (partition) => 2 * storedBytes(topic, partition, minute))),
    ]),
  );
}

export function sum<Item>(items: readonly Item[], of: (item: Item) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
