import type { Generated } from 'kysely';

/** Days are days since 1970-01-01, instants are milliseconds since then, amounts are ledger units. */
export interface StorageSchema {
  store_meta: { id: number; ecosystem: string; tenant_id: string };
  names: { name_id: Generated<number>; name: string };
  resources: ResourceTable;
  identities: IdentityTable;
  doubted_identities: { identity_id: string };
  date_states: DateStateTable;
  line_keys: { line_key: Generated<number>; day: number; line_id: string };
  billing_lines: BillingLineTable;
  line_attempts: { day: number; line_id: string; attempts: number; tried_at: number };
  usage_coverage: UsageCoverageTable;
  usage_rows: { day: number; query_id: number; resource_id: number; identity_id: number; value: number };
  calculated_lines: CalculatedLineTable;
  line_portions: LinePortionTable;
  dimension_groups: DimensionGroupTable;
  dimensions: { dimension_id: Generated<number>; group_id: number; name_id: number };
  chargeback_facts: FactTable;
  runs: RunTable;
  problems: ProblemTable;
  emissions: EmissionTable;
  leases: { id: number; holder: string; acquired_at: number; expires_at: number };
  tenant_state: TenantStateTable;
  listing_counters: { kind: string; type: string; empty_count: number };
  date_revisions: DateRevisionTable;
}

export interface TenantStateTable {
  id: number;
  gather_failures: number;
  suspended_at: number | null;
  suspended_because: string | null;
  next_run_at: number | null;
  /** Day. */
  pruned_before: number | null;
}

/** Sums are texts of integers: the sum of a day may be larger than what an integer column holds. */
export interface DateRevisionTable {
  revision_key: Generated<number>;
  day: number;
  revised_at: number;
  run_id: string;
  reason: string;
  currency: string;
  billed_before: string;
  allocated_before: string;
  unallocated_before: string;
  retained_before: string;
  billed_after: string;
  allocated_after: string;
  unallocated_after: string;
  retained_after: string;
}

export interface ResourceTable {
  resource_key: Generated<number>;
  resource_id: string;
  resource_type: string;
  display_name: string | null;
  parent_id: string | null;
  owner_id: string | null;
  created_at: number | null;
  deleted_at: number | null;
  last_seen_at: number;
  metadata: string;
}

export interface IdentityTable {
  identity_key: Generated<number>;
  identity_id: string;
  identity_type: string;
  display_name: string | null;
  created_at: number | null;
  deleted_at: number | null;
  /** 1 while known from metrics only. */
  observed: number;
  last_seen_at: number;
  metadata: string;
  /** Since when a listing mentions it without listing it; null while only metrics name it. */
  mentioned_since: number | null;
}

export interface DateStateTable {
  day: number;
  state: string;
  gather_fingerprint: string;
  complete: number;
  gathered_at: number;
  lines_digest: string;
  input_digest: string;
  calculation_fingerprint: string | null;
  calculation_id: string | null;
  calculated_at: number | null;
  run_id: string | null;
  line_count: number;
  row_count: number;
  held_line_count: number;
  failed_line_count: number;
}

export interface BillingLineTable {
  line_key: number;
  day: number;
  timestamp: number;
  granularity: string;
  resource_id: string | null;
  environment_id: string | null;
  product_category: string;
  product_type: string;
  quantity: string;
  unit_price: string;
  total_units: bigint;
  currency: string;
  samples_seen: number | null;
  samples_expected: number | null;
  definition: string | null;
  metadata: string;
}

export interface UsageCoverageTable {
  day: number;
  query_id: number;
  samples_seen: number;
  samples_expected: number;
  outcome: string;
  /** 1 when the query has a resource label; then `usage_rows.resource_id` is a name, else 0. */
  has_resources: number;
  definition: string;
  digest: string;
}

/** The bill as it was when the rows were calculated. */
export interface CalculatedLineTable {
  line_key: number;
  day: number;
  timestamp: number;
  currency: string;
  billed_units: bigint;
  retained_units: bigint;
  state: string;
}

export interface LinePortionTable {
  line_key: number;
  portion_index: number;
  cost_type: string;
  allocation_method: string;
  allocation_detail: string | null;
  chain_tier: number | null;
  composition_index: number | null;
  composition_ratio: string | null;
  tiers_tried: string;
}

/** Everything that tells one row of a day from another, except the identity. */
export interface DimensionGroupTable {
  group_id: Generated<number>;
  resource_id: string | null;
  environment_id: string | null;
  product_category: string;
  product_type: string;
  cost_type: string;
  allocation_method: string;
  allocation_detail: string | null;
  currency: string;
}

export interface FactTable {
  day: number;
  line_key: number;
  portion_index: number;
  dimension_id: number;
  amount: bigint;
  ratio: number;
}

export interface RunTable {
  run_id: string;
  started_at: number;
  ended_at: number | null;
  status: string;
  dates_gathered: number;
  dates_calculated: number;
  dates_unchanged: number;
  dates_held: number;
  rows_written: number;
  /** JSON: milliseconds by stage. */
  stages: string;
}

export interface ProblemTable {
  problem_key: Generated<number>;
  stage: string;
  /** The day whose problems are replaced together; null for those saved without a day. */
  scope_day: number | null;
  day: number | null;
  code: string;
  severity: string;
  message: string;
  fix: string;
  path: string | null;
}

export interface EmissionTable {
  emitter: string;
  day: number;
  aggregation: string | null;
  batch_id: string | null;
  mark: string | null;
  /** JSON; null for none. */
  others: string | null;
  status: string;
  attempts: number;
  emitted_at: number;
}
