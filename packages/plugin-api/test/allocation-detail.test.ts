import { describe, expect, it } from 'vitest';
import { ALLOCATION_DETAILS, DETAIL_SYNONYMS, parseAllocationDetail } from '../src/index.ts';

const details = Object.entries(ALLOCATION_DETAILS);

describe('allocation details', () => {
  it('have one definition each, all different', () => {
    expect(new Set(details.map(([, definition]) => definition)).size).toBe(details.length);
    for (const [detail, definition] of details) {
      expect(detail).toMatch(/^[A-Z]+(_[A-Z]+)*$/);
      expect(definition).toMatch(/^[A-Z].+\.$/);
    }
  });

  it('include the ones of the cost specification', () => {
    expect(Object.keys(ALLOCATION_DETAILS)).toEqual(
      expect.arrayContaining([
        'USAGE_RATIO_ALLOCATION',
        'NO_METRICS_LOCATED',
        'NO_ACTIVE_IDENTITIES_LOCATED',
        'NO_IDENTITIES_LOCATED',
        'NO_USAGE_FOR_ACTIVE_IDENTITIES',
      ]),
    );
  });

  it('are read in any case', () => {
    for (const [detail] of details) {
      expect(parseAllocationDetail(detail)).toBe(detail);
      expect(parseAllocationDetail(detail.toLowerCase())).toBe(detail);
    }
    expect(parseAllocationDetail('No_Metrics_Located')).toBe('NO_METRICS_LOCATED');
  });

  it('stand for the near-synonyms of the existing product, in any case', () => {
    for (const [synonym, detail] of Object.entries(DETAIL_SYNONYMS)) {
      expect(Object.keys(ALLOCATION_DETAILS)).toContain(detail);
      expect(Object.keys(ALLOCATION_DETAILS)).not.toContain(synonym.toUpperCase());
      expect(parseAllocationDetail(synonym)).toBe(detail);
      expect(parseAllocationDetail(synonym.toUpperCase())).toBe(detail);
    }
  });

  it.each([
    'using_default_allocator',
    'using_unknown_allocator',
    'no_identities_located',
    'no_active_identities_located',
    'no_metrics_located',
    'no_usage_for_active_identities',
    'metrics_fetch_failed',
    'no_metrics_no_active_identities',
    'metrics_present_no_active_identities',
    'usage_ratio_allocation',
    'even_split_allocation',
    'no_metrics_no_active_identities_located',
    'no_metrics_present_merged_identities_located',
    'no_metrics_present_penalty_allocation_for_everyone',
    'cluster_linking_cost',
    'no_flink_stmt_name_to_owner_map',
  ])('know %s of the existing product', (detail) => {
    expect(parseAllocationDetail(detail)).toBeDefined();
  });

  it.each(['', 'nonsense', 'constructor', 'toString', '__proto__', 'hasOwnProperty'])(
    'do not know %j',
    (text) => {
      expect(parseAllocationDetail(text)).toBeUndefined();
    },
  );
});
