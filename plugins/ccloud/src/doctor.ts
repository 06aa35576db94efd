import {
  ChargebackError,
  dayWindow,
  type Finding,
  isoDateOf,
  type ListingBatch,
  type MetricsSource,
  MILLISECONDS_PER_DAY,
  type Problem,
  type UsageDay,
  type UsageQuery,
} from '@chargeback/plugin-api';
import { type BillSource, costsRequest } from './billing/gather-bill.ts';
import { oldestDay } from './billing/query-windows.ts';
import { listAll } from './http/ccloud-client.ts';
import { listIdentities } from './inventory/list-identities.ts';
import type { InventorySource } from './inventory/inventory-source.ts';
import { listResources } from './inventory/list-resources.ts';

export interface Organization {
  readonly bill: BillSource;
  readonly inventory: InventorySource;
  readonly metrics: MetricsSource | undefined;
  readonly queries: readonly UsageQuery[];
}

/** The vendor's bill may be three days late. */
const SETTLED_DAYS = 3;
const PROBED_DAYS_BACK = [SETTLED_DAYS, 7, 30, 90, 180, 270] as const;

/** Asks every endpoint that a run needs and says which answer, how far the bill reaches back, and who is measured. */
export async function examineOrganization(
  organization: Organization,
  now: Date,
  signal: AbortSignal,
): Promise<Finding[]> {
  const [bill, resources, identities, metrics] = await Promise.all([
    examineBill(organization.bill, now, signal),
    examineListings(listResources(organization.inventory, signal), resourceTypes),
    examineListings(listIdentities(organization.inventory, signal), identityTypes),
    examineMetrics(organization, now, signal),
  ]);
  return [...bill, ...resources, ...identities, ...metrics];
}

async function examineBill(source: BillSource, now: Date, signal: AbortSignal): Promise<Finding[]> {
  const today = dayWindow(isoDateOf(now)).start.getTime();
  const days = [
    ...PROBED_DAYS_BACK.map((back) => today - back * MILLISECONDS_PER_DAY),
    oldestDay(now).getTime(),
  ];
  const dates = days.map((time) => isoDateOf(new Date(time)));
  try {
    const rows = await Promise.all(
      dates.map((date) => listAll(source.client, costsRequest(dayWindow(date)), signal)),
    );
    const billed = dates.filter((_, index) => rows[index]!.length > 0).toSorted();
    const [oldest] = billed;
    if (oldest === undefined) {
      const evidence = `the endpoint answers, and has no costs on ${dates.join(', ')}`;
      const advice = 'Check that the key belongs to the organization that is billed.';
      return [{ severity: 'warning', what: 'bill', evidence, advice }];
    }
    const lookback = Math.floor((today - dayWindow(oldest).start.getTime()) / MILLISECONDS_PER_DAY);
    const evidence = `it reaches back at least ${lookback} days: costs on ${billed.length} of the ${dates.length} days looked at, the oldest on ${oldest}`;
    return [{ severity: 'ok', what: 'bill', evidence, advice: '' }];
  } catch (cause) {
    signal.throwIfAborted();
    if (!ChargebackError.isInstance(cause)) throw cause;
    return [{ severity: 'error', what: 'bill', evidence: cause.message, advice: cause.fix }];
  }
}

type TypesOf<Batch> = (batch: Batch) => readonly string[];

const resourceTypes: TypesOf<{ resources: readonly { resourceType: string }[] }> = ({ resources }) =>
  resources.map(({ resourceType }) => resourceType);

const identityTypes: TypesOf<{ identities: readonly { identityType: string }[] }> = ({ identities }) =>
  identities.map(({ identityType }) => identityType);

async function examineListings<Batch extends ListingBatch>(
  batches: AsyncIterable<Batch>,
  typesOf: TypesOf<Batch>,
): Promise<Finding[]> {
  const counts = new Map<string, number>();
  const problems: Problem[] = [];
  for await (const batch of batches) {
    for (const type of batch.authoritativeFor) counts.set(type, counts.get(type) ?? 0);
    for (const type of typesOf(batch)) counts.set(type, (counts.get(type) ?? 0) + 1);
    problems.push(...(batch.problems ?? []));
  }
  const troubled = new Set(problems.map(({ path }) => path));
  const fine = [...counts].filter(([type]) => !troubled.has(type));
  return [
    ...fine.map(([type, count]): Finding => ({
      severity: 'ok',
      what: type,
      evidence: `${count} listed`,
      advice: '',
    })),
    ...problems.map(({ path, severity, message, fix }): Finding => ({
      severity,
      what: path ?? 'listing',
      evidence: message,
      advice: fix,
      ...(path === null || path === 'environment' ? {} : { yaml: `skip_listings:\n  - ${path}\n` }),
    })),
  ];
}

async function examineMetrics(
  { metrics, queries }: Organization,
  now: Date,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (!metrics || queries.length === 0) {
    const advice =
      'Without metrics what clients cause is split evenly. Add metrics to plugin_settings to follow usage.';
    return [{ severity: 'warning', what: 'metrics', evidence: 'none are configured', advice }];
  }
  const date = isoDateOf(new Date(now.getTime() - SETTLED_DAYS * MILLISECONDS_PER_DAY));
  const findings: Finding[] = [];
  for await (const day of metrics.usage(queries, dayWindow(date), signal)) findings.push(metricFinding(day));
  return findings.toSorted((left, right) => (left.what < right.what ? -1 : 1));
}

function metricFinding({ queryKey, date, outcome, coverage, totals, problems }: UsageDay): Finding {
  const what = `metrics ${queryKey}`;
  const [problem] = problems;
  const seen = `${coverage.samplesSeen} of ${coverage.samplesExpected} samples on ${date}`;
  const evidence = `${seen}, ${new Set(totals.identityIds).size} names`;
  if (outcome === 'complete' && !problem) return { severity: 'ok', what, evidence, advice: '' };
  return {
    severity: outcome === 'failed' ? 'error' : 'warning',
    what,
    evidence: problem ? `${evidence}: ${problem.message}` : evidence,
    advice: problem?.fix ?? 'Look whether the exporter was scraped all day.',
  };
}
