import { type AllocationModel, checkCompositeParams } from '@chargeback/allocation';
import type {
  AllocatorParams,
  ChargebackError,
  CostAllocator,
  IdentityResolver,
  ProductRoute,
  UsageQuery,
} from '@chargeback/plugin-api';
import { resolveFlink } from '../resolution/resolve-flink.ts';
import { resolveKafka, resolveKeyHolders } from '../resolution/resolve-kafka.ts';
import { resolveConnector, resolveKsqldb, resolveNobody } from '../resolution/resolve-owner.ts';
import { USAGE_KEYS, type UsageKey, usageMetric, usageQueryOf } from '../usage/usage-metrics.ts';
import {
  acrossActive,
  acrossHolders,
  byBytes,
  byComputeUnits,
  clusterUnits,
  toLinkedResource,
  toOwner,
  toResource,
  unknownToResource,
} from './allocators.ts';
import { orgWide, type OrgWideRule, type OrgWideSettings } from './org-wide.ts';

/** What decides how product types are routed. */
export interface RouteSettings {
  readonly metricsStepSeconds: number;
  /** Where usage comes from; with `none` no line waits for it. */
  readonly metricsSource: 'none' | 'prometheus' | 'ccloud_metrics_api';
  readonly allocatorParams: AllocatorParams;
  readonly orgWide: OrgWideSettings;
}

/** A rule: what is measured for it, whom it can mean, and how it splits. */
interface Rule {
  /** All that its resolver and its allocator look at: a line waits for this, and only for this. */
  readonly usage: readonly UsageKey[];
  readonly resolve: IdentityResolver;
  readonly allocate: AllocationModel;
  readonly afterOthers?: boolean;
}

const { bytesIn, bytesOut, flinkCfu } = USAGE_KEYS;

/** Who is active on a cluster is told by both, whatever the split goes by. */
const whoConnected: readonly UsageKey[] = [bytesOut, bytesIn];

/** The rules by name; the table below says which product type follows which. */
function rulesOf(org: OrgWideSettings) {
  return {
    'bytes read': rule(whoConnected, resolveKafka, byBytes(bytesOut)),
    'bytes written': rule(whoConnected, resolveKafka, byBytes(bytesIn)),
    'bytes both ways': rule(whoConnected, resolveKafka, byBytes(bytesIn, bytesOut)),
    'cluster units': rule(whoConnected, resolveKafka, clusterUnits()),
    partitions: rule(whoConnected, resolveKafka, acrossActive('NO_ACTIVE_IDENTITIES_LOCATED')),
    'active evenly': rule(
      whoConnected,
      resolveKafka,
      acrossActive('NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED'),
    ),
    'key holders evenly': rule([], resolveKeyHolders, acrossHolders()),
    'connector owner, usage': rule([], resolveConnector, toOwner('USAGE')),
    'connector owner, capacity': rule([], resolveConnector, toOwner('SHARED')),
    'ksqlDB owner': rule([], resolveKsqldb, acrossHolders()),
    'compute units by statement': rule([flinkCfu], resolveFlink, byComputeUnits()),
    resource: rule([], resolveNobody, toResource()),
    'linked resource': rule([], resolveNobody, toLinkedResource()),
    'org-wide: support': orgWideRule(org.support),
    'org-wide: audit log': orgWideRule(org.audit_log_read),
    'org-wide: credit': orgWideRule(org.promo_credit),
  } as const satisfies Record<string, Rule>;
}

type RuleName = keyof ReturnType<typeof rulesOf>;

/**
 * Which rule applies to which line type of the bill. Those that only older or other bills name are here too.
 * - KAFKA_REST_PRODUCE writes to the cluster like any producer; KAFKA_STREAMS both reads and writes it.
 * - CONNECT_NUM_RECORDS is consumed by the connector, so it goes where its throughput goes.
 * - USM_CONNECTED_NODE is a node of a cluster outside the cloud, whose principals this bill knows nothing of.
 * - PROMO_CREDIT belongs to the organization: whom it relieves is a policy, see `org_wide`.
 */
const PRODUCT_TABLE: readonly (readonly [productType: string, rule: RuleName])[] = [
  ['KAFKA_NETWORK_READ', 'bytes read'],
  ['KAFKA_NETWORK_WRITE', 'bytes written'],
  ['KAFKA_REST_PRODUCE', 'bytes written'],
  ['KAFKA_STREAMS', 'bytes both ways'],
  ['KAFKA_NUM_CKU', 'cluster units'],
  ['KAFKA_NUM_CKUS', 'cluster units'],
  ['KAFKA_PARTITION', 'partitions'],
  ['KAFKA_BASE', 'active evenly'],
  ['KAFKA_STORAGE', 'active evenly'],

  ['SCHEMA_REGISTRY', 'key holders evenly'],
  ['GOVERNANCE_BASE', 'key holders evenly'],
  ['NUM_RULES', 'key holders evenly'],

  ['CONNECT_NUM_TASKS', 'connector owner, usage'],
  ['CONNECT_THROUGHPUT', 'connector owner, usage'],
  ['CONNECT_NUM_RECORDS', 'connector owner, usage'],
  ['CUSTOM_CONNECT_NUM_TASKS', 'connector owner, usage'],
  ['CUSTOM_CONNECT_THROUGHPUT', 'connector owner, usage'],
  ['CONNECT_CAPACITY', 'connector owner, capacity'],
  ['CUSTOM_CONNECT_PLUGIN', 'connector owner, capacity'],

  ['KSQL_NUM_CSU', 'ksqlDB owner'],
  ['KSQL_NUM_CSUS', 'ksqlDB owner'],

  ['FLINK_NUM_CFU', 'compute units by statement'],
  ['FLINK_NUM_CFUS', 'compute units by statement'],

  ['TABLEFLOW_DATA_PROCESSED', 'resource'],
  ['TABLEFLOW_NUM_TOPICS', 'resource'],
  ['TABLEFLOW_STORAGE', 'resource'],
  ['USM_CONNECTED_NODE', 'resource'],

  ['CLUSTER_LINKING_PER_LINK', 'linked resource'],
  ['CLUSTER_LINKING_READ', 'linked resource'],
  ['CLUSTER_LINKING_WRITE', 'linked resource'],

  ['SUPPORT', 'org-wide: support'],
  ['AUDIT_LOG_READ', 'org-wide: audit log'],
  ['PROMO_CREDIT', 'org-wide: credit'],
];

function rule(usage: readonly UsageKey[], resolve: IdentityResolver, allocate: AllocationModel): Rule {
  return { usage, resolve, allocate };
}

function orgWideRule(chosen: OrgWideRule): Rule {
  const afterOthers = chosen === 'proportional_to_allocated';
  return { ...rule([], resolveNobody, orgWide(chosen)), ...(afterOthers ? { afterOthers } : {}) };
}

/**
 * The routes of a tenant. A product type that is not in the table goes to its resource.
 * @throws {ChargebackError} `CB_CONFIG_VALUE` for ratios that do not fit, see {@link checkAllocatorParams}.
 */
export function productRoutes(settings: RouteSettings): {
  routes: ProductRoute[];
  fallback: ProductRoute;
} {
  const [problem] = checkAllocatorParams(settings.allocatorParams);
  if (problem) throw problem;
  const rules: Record<RuleName, Rule> = rulesOf(settings.orgWide);
  return {
    routes: PRODUCT_TABLE.map(([productType, name]) => {
      const { usage, ...rest } = rules[name];
      return { productType, usage: usageQueries(usage, settings), ...rest };
    }),
    fallback: { productType: '*', usage: [], resolve: resolveNobody, allocate: unknownToResource() },
  };
}

/** What is wrong with the ratios in `allocator_params`; empty when nothing is. */
export function checkAllocatorParams(params: AllocatorParams): ChargebackError[] {
  const allocator: CostAllocator = clusterUnits();
  return checkCompositeParams(allocator, params);
}

/** Hours, whatever the step, where the Metrics API is asked: its finest buckets for a whole day. */
const API_STEP_SECONDS = 3600;

function usageQueries(keys: readonly UsageKey[], settings: RouteSettings): UsageQuery[] {
  const { metricsSource, metricsStepSeconds } = settings;
  if (metricsSource === 'none') return [];
  const step = metricsSource === 'prometheus' ? metricsStepSeconds : API_STEP_SECONDS;
  return keys.map((key) => usageQueryOf(usageMetric(key)!, step));
}
