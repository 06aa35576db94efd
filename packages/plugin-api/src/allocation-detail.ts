/** Why a row was allocated the way it was: one list, one definition each. Stored and shown as spelled here. */
export const ALLOCATION_DETAILS = {
  USAGE_RATIO_ALLOCATION: 'In proportion to measured usage.',
  EVEN_SPLIT_ALLOCATION: 'Evenly, because the cost is shared by nature.',
  DIRECT_OWNER_ALLOCATION: 'To the one who owns the resource.',
  NO_METRICS_LOCATED: 'No metrics speak of this line; evenly across the known identities.',
  METRICS_FETCH_FAILED: 'The metrics source could not be asked; evenly across the known identities.',
  NO_USAGE_FOR_ACTIVE_IDENTITIES: 'Metrics exist but every value is zero.',
  NO_ACTIVE_IDENTITIES_LOCATED:
    'No identity was active on the resource; across all identities of the period.',
  NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED:
    'Neither metrics nor active identities; across all identities of the period.',
  NO_IDENTITIES_LOCATED: 'Nobody could be identified; to the resource or to UNALLOCATED.',
  NO_OWNER_LOCATED: 'The resource has no known owner.',
  USING_DEFAULT_ALLOCATOR: 'The product type is charged to its resource by definition.',
  USING_UNKNOWN_ALLOCATOR: 'The product type is not known; charged to its resource.',
  CLUSTER_LINKING_COST: 'Cluster linking is charged to its resource.',
  ORG_WIDE_COST:
    'A cost of the whole organization, kept with UNALLOCATED because nobody in particular caused it.',
  PROPORTIONAL_TO_ALLOCATED: 'In proportion to what the other lines of the day were allocated.',
  NO_OTHER_COST_ALLOCATED: 'No other line of the day was allocated to anybody.',
  ALLOCATION_FAILED: 'The allocator failed until the retry limit was reached.',
} as const;

export type AllocationDetail = keyof typeof ALLOCATION_DETAILS;

/** Spellings of the existing product, by the detail of ours that they mean. */
export const DETAIL_SYNONYMS: Readonly<Record<string, AllocationDetail>> = {
  no_metrics_no_active_identities: 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED',
  metrics_present_no_active_identities: 'NO_ACTIVE_IDENTITIES_LOCATED',
  no_metrics_present_merged_identities_located: 'NO_METRICS_LOCATED',
  no_metrics_present_penalty_allocation_for_everyone: 'NO_METRICS_NO_ACTIVE_IDENTITIES_LOCATED',
  no_flink_stmt_name_to_owner_map: 'NO_OWNER_LOCATED',
};

/** Reads a detail in any case, the existing product's near-synonyms included; undefined when unknown. */
export function parseAllocationDetail(text: string): AllocationDetail | undefined {
  const upper = text.toUpperCase();
  if (Object.hasOwn(ALLOCATION_DETAILS, upper)) return upper as AllocationDetail;
  const lower = text.toLowerCase();
  return Object.hasOwn(DETAIL_SYNONYMS, lower) ? DETAIL_SYNONYMS[lower] : undefined;
}
