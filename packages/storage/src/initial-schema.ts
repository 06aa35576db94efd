import { sql } from 'kysely';
import type { Tables } from './schema-tables.ts';

/** The tables of `schema.ts` as they were first released. */
export async function createInitialSchema(tables: Tables): Promise<void> {
  await tables.create('store_meta', { id: 'key', ecosystem: 'text!', tenant_id: 'text!' });
  await tables.create('names', { name_id: 'key', name: 'text!' });
  await tables.index('names__name', ['name'], true);
  await createInventory(tables);
  await createInputs(tables);
  await createUsage(tables);
  await createResults(tables);
  if (tables.partitioned) await createDayTotals(tables);
  await createJournal(tables);
  await createCoordination(tables);
}

async function createInventory(tables: Tables): Promise<void> {
  await tables.create('resources', {
    resource_key: 'key',
    resource_id: 'text!',
    resource_type: 'text!',
    display_name: 'text',
    parent_id: 'text',
    owner_id: 'text',
    created_at: 'integer',
    deleted_at: 'integer',
    last_seen_at: 'integer!',
    metadata: 'text!',
  });
  await tables.index('resources__id', ['resource_id', 'resource_key']);
  await tables.create('identities', {
    identity_key: 'key',
    identity_id: 'text!',
    identity_type: 'text!',
    display_name: 'text',
    created_at: 'integer',
    deleted_at: 'integer',
    observed: 'integer!',
    last_seen_at: 'integer!',
    metadata: 'text!',
  });
  await tables.index('identities__id', ['identity_id', 'identity_key']);
}

async function createInputs(tables: Tables): Promise<void> {
  await tables.create(
    'date_states',
    {
      day: 'integer!',
      state: 'text!',
      gather_fingerprint: 'text!',
      complete: 'integer!',
      gathered_at: 'integer!',
      lines_digest: 'text!',
      input_digest: 'text!',
      calculation_fingerprint: 'text',
      calculation_id: 'text',
      calculated_at: 'integer',
      run_id: 'text',
      line_count: 'integer!',
      row_count: 'integer!',
      held_line_count: 'integer!',
      failed_line_count: 'integer!',
    },
    { primaryKey: ['day'] },
  );
  await tables.create('line_keys', { line_key: 'key', day: 'integer!', line_id: 'text!' });
  await tables.index('line_keys__line', ['day', 'line_id'], true);
  await tables.create(
    'billing_lines',
    {
      line_key: 'integer!',
      day: 'integer!',
      timestamp: 'integer!',
      granularity: 'text!',
      resource_id: 'text',
      environment_id: 'text',
      product_category: 'text!',
      product_type: 'text!',
      quantity: 'text!',
      unit_price: 'text!',
      total_units: 'integer!',
      currency: 'text!',
      samples_seen: 'integer',
      samples_expected: 'integer',
      definition: 'text',
      metadata: 'text!',
    },
    { primaryKey: ['line_key'], references: { line_key: 'line_keys.line_key' } },
  );
  await tables.index('billing_lines__day', ['day']);
  await tables.create(
    'line_attempts',
    { day: 'integer!', line_id: 'text!', attempts: 'integer!', tried_at: 'integer!' },
    { primaryKey: ['day', 'line_id'], clustered: true },
  );
}

async function createUsage(tables: Tables): Promise<void> {
  await tables.create(
    'usage_coverage',
    {
      day: 'integer!',
      query_id: 'integer!',
      samples_seen: 'integer!',
      samples_expected: 'integer!',
      outcome: 'text!',
      has_resources: 'integer!',
      definition: 'text!',
      digest: 'text!',
    },
    { primaryKey: ['day', 'query_id'], clustered: true, references: { query_id: 'names.name_id' } },
  );
  await tables.create(
    'usage_rows',
    {
      day: 'integer!',
      query_id: 'integer!',
      resource_id: 'integer!',
      identity_id: 'integer!',
      value: 'real!',
    },
    {
      primaryKey: ['day', 'query_id', 'resource_id', 'identity_id'],
      clustered: true,
      partitionIndex: ['day', 'query_id'],
    },
  );
}

async function createResults(tables: Tables): Promise<void> {
  await tables.create(
    'calculated_lines',
    {
      line_key: 'integer!',
      day: 'integer!',
      timestamp: 'integer!',
      currency: 'text!',
      billed_units: 'integer!',
      retained_units: 'integer!',
      state: 'text!',
    },
    { primaryKey: ['line_key'], references: { line_key: 'line_keys.line_key' } },
  );
  await tables.index('calculated_lines__day', ['day']);
  await tables.create(
    'line_portions',
    {
      line_key: 'integer!',
      portion_index: 'integer!',
      cost_type: 'text!',
      allocation_method: 'text!',
      allocation_detail: 'text',
      chain_tier: 'integer',
      composition_index: 'integer',
      composition_ratio: 'text',
      tiers_tried: 'text!',
    },
    {
      primaryKey: ['line_key', 'portion_index'],
      clustered: true,
      references: { line_key: 'calculated_lines.line_key' },
    },
  );
  await createDimensions(tables);
  await tables.create(
    'chargeback_facts',
    {
      day: 'integer!',
      line_key: 'integer!',
      portion_index: 'integer!',
      dimension_id: 'integer!',
      amount: 'integer!',
      ratio: 'real!',
    },
    {
      primaryKey: ['day', 'line_key', 'portion_index', 'dimension_id'],
      clustered: true,
      references: { dimension_id: 'dimensions.dimension_id' },
      partitionIndex: ['day', 'line_key'],
    },
  );
}

/** A dimension is an identity within a group; the view shows both as one flat row. */
async function createDimensions(tables: Tables): Promise<void> {
  await tables.create('dimension_groups', {
    group_id: 'key',
    resource_id: 'text',
    environment_id: 'text',
    product_category: 'text!',
    product_type: 'text!',
    cost_type: 'text!',
    allocation_method: 'text!',
    allocation_detail: 'text',
    currency: 'text!',
  });
  // Null and the empty text are kept apart, which a plain unique index does not do for null.
  await sql`create unique index dimension_groups__unique on dimension_groups (
    product_type, (coalesce(resource_id, '')), (resource_id is null), (coalesce(environment_id, '')),
    (environment_id is null), product_category, cost_type, allocation_method,
    (coalesce(allocation_detail, '')), currency)`.execute(tables.database);
  await tables.create(
    'dimensions',
    { dimension_id: 'key', group_id: 'integer!', name_id: 'integer!' },
    { references: { group_id: 'dimension_groups.group_id', name_id: 'names.name_id' } },
  );
  await tables.index('dimensions__unique', ['group_id', 'name_id'], true);
  await sql`create view chargeback_dimensions as
    select dimension_id, resource_id, environment_id, product_category, product_type, name as identity_id,
      cost_type, allocation_method, allocation_detail, currency
    from dimensions
    join dimension_groups on dimension_groups.group_id = dimensions.group_id
    join names on names.name_id = dimensions.name_id`.execute(tables.database);
}

/**
 * The facts of a day added up by identity, and by group: where many processes read one large database, the
 * questions asked most often need not look at every row. Written together with the facts.
 */
async function createDayTotals(tables: Tables): Promise<void> {
  await tables.create(
    'identity_totals',
    {
      day: 'integer!',
      name_id: 'integer!',
      currency: 'text!',
      amount: 'exact!',
      row_count: 'integer!',
    },
    { partitionIndex: ['day'] },
  );
  await tables.create(
    'group_totals',
    { day: 'integer!', group_id: 'integer!', amount: 'exact!', row_count: 'integer!' },
    { partitionIndex: ['day'] },
  );
}

async function createJournal(tables: Tables): Promise<void> {
  await tables.create(
    'runs',
    {
      run_id: 'text!',
      started_at: 'integer!',
      ended_at: 'integer',
      status: 'text!',
      dates_gathered: 'integer!',
      dates_calculated: 'integer!',
      dates_unchanged: 'integer!',
      dates_held: 'integer!',
      rows_written: 'integer!',
      stages: 'text!',
    },
    { primaryKey: ['run_id'] },
  );
  await tables.index('runs__started', ['started_at']);
  await tables.create('problems', {
    problem_key: 'key',
    stage: 'text!',
    scope_day: 'integer',
    day: 'integer',
    code: 'text!',
    severity: 'text!',
    message: 'text!',
    fix: 'text!',
    path: 'text',
  });
  await tables.index('problems__scope', ['stage', 'scope_day']);
  await tables.create(
    'emissions',
    {
      emitter: 'text!',
      day: 'integer!',
      aggregation: 'text',
      batch_id: 'text',
      status: 'text!',
      attempts: 'integer!',
      emitted_at: 'integer!',
    },
    { primaryKey: ['emitter', 'day'], clustered: true },
  );
}

/** What keeps processes apart and a tenant's runs together. */
async function createCoordination(tables: Tables): Promise<void> {
  await tables.create(
    'leases',
    { id: 'integer!', holder: 'text!', acquired_at: 'integer!', expires_at: 'integer!' },
    { primaryKey: ['id'] },
  );
  await tables.create(
    'tenant_state',
    {
      id: 'integer!',
      gather_failures: 'integer!',
      suspended_at: 'integer',
      suspended_because: 'text',
      next_run_at: 'integer',
    },
    { primaryKey: ['id'] },
  );
  await tables.create(
    'listing_counters',
    { kind: 'text!', type: 'text!', empty_count: 'integer!' },
    { primaryKey: ['kind', 'type'] },
  );
  await tables.create('date_revisions', {
    revision_key: 'key',
    day: 'integer!',
    revised_at: 'integer!',
    run_id: 'text!',
    reason: 'text!',
    currency: 'text!',
    billed_before: 'text!',
    allocated_before: 'text!',
    unallocated_before: 'text!',
    retained_before: 'text!',
    billed_after: 'text!',
    allocated_after: 'text!',
    unallocated_after: 'text!',
    retained_after: 'text!',
  });
  await tables.index('date_revisions__day', ['day']);
}
