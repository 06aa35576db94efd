import {
  confluentOrganization,
  type ConfluentOrganization,
  type ConfluentSimulatorOptions,
  createConfluentFetch,
} from '@chargeback/testkit';

export const DAY = 86_400_000;
export const END = new Date('2026-07-01T00:00:00Z');
export const CLOUD = 'https://api.confluent.cloud';
export const PROMETHEUS = 'http://prometheus.invalid/prometheus';
export const AUTHORIZATION = { authorization: `Basic ${Buffer.from('key:secret').toString('base64')}` };

export function small(options: { seed?: number; days?: number } = {}): ConfluentOrganization {
  return confluentOrganization({ clusters: 3, serviceAccounts: 30, days: 30, endDate: END, ...options });
}

export type Ask = (path: string, init?: RequestInit) => Promise<Response>;

export function cloud(options: Partial<ConfluentSimulatorOptions> = {}) {
  const organization = options.organization ?? small();
  const fetch = createConfluentFetch({ organization, ...options });
  const ask: Ask = (path, init = {}) =>
    fetch(path.startsWith('http') ? path : CLOUD + path, { headers: AUTHORIZATION, ...init });
  return { organization, fetch, ask };
}

export interface ListedItem {
  readonly id: string;
  readonly [field: string]: unknown;
}

/** Follows the links of a listing as a client would. */
export async function listAll(ask: Ask, path: string): Promise<ListedItem[]> {
  const items: ListedItem[] = [];
  for (let next: string = path; next !== '';) {
    const response = await ask(next);
    if (response.status !== 200) throw new Error(`${next}: ${response.status} ${await response.text()}`);
    const page = (await response.json()) as { data: ListedItem[]; metadata: { next: string } };
    items.push(...page.data);
    ({ next } = page.metadata);
  }
  return items;
}

export function costsPath(start: string, end: string, rest = ''): string {
  return `/billing/v1/costs?start_date=${start}&end_date=${end}${rest}`;
}
