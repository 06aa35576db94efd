import { Decimal } from '@chargeback/money';
import { confluentOrganization, costsOfDay, costsVisibleAt, type SimulatedCost } from '@chargeback/testkit';
import { describe, expect, it } from 'vitest';
import { cloud, costsPath, DAY, END, small } from './confluent-fixture.ts';

const SETTLED = new Date(END.getTime() + 5 * DAY);

/** A row as sent, its numbers as text. */
function textsOf(json: string): Record<string, string> {
  const number = /"(price|quantity|amount|original_amount|discount_amount)":(-?[\d.]+)/g;
  return Object.fromEntries([...json.matchAll(number)].map(([, name, text]) => [name!, text!]));
}

function typesOf(rows: readonly SimulatedCost[]): string[] {
  return [...new Set(rows.map(({ lineType }) => lineType))].toSorted();
}

const LINE_TYPES =
  `KAFKA_STORAGE KAFKA_PARTITION KAFKA_NETWORK_READ KAFKA_NETWORK_WRITE KAFKA_BASE KAFKA_NUM_CKUS
  KAFKA_REST_PRODUCE KAFKA_STREAMS KSQL_NUM_CSUS CONNECT_CAPACITY CONNECT_NUM_TASKS CONNECT_THROUGHPUT
  CONNECT_NUM_RECORDS CUSTOM_CONNECT_NUM_TASKS CUSTOM_CONNECT_THROUGHPUT CLUSTER_LINKING_PER_LINK
  CLUSTER_LINKING_WRITE CLUSTER_LINKING_READ AUDIT_LOG_READ GOVERNANCE_BASE SCHEMA_REGISTRY NUM_RULES
  FLINK_NUM_CFUS TABLEFLOW_DATA_PROCESSED TABLEFLOW_NUM_TOPICS TABLEFLOW_STORAGE USM_CONNECTED_NODE SUPPORT
  PROMO_CREDIT`.split(/\s+/);

describe('the simulated bill', () => {
  const organization = confluentOrganization({ endDate: END });
  const settled = costsVisibleAt(organization, organization.window, SETTLED);

  it('has all line types of the vendor on every day', () => {
    expect(LINE_TYPES).toHaveLength(29);
    for (const day of Map.groupBy(settled, (row) => row.day).values()) {
      expect(LINE_TYPES.filter((type) => !typesOf(day).includes(type)).length).toBeLessThanOrEqual(2);
    }
    expect(typesOf(settled)).toEqual(LINE_TYPES.toSorted());
  });

  it('states amounts that follow exactly from quantity, price and discount', () => {
    for (const { json, amountUnits } of settled) {
      const { price, quantity, original_amount: original, discount_amount: discount, amount } = textsOf(json);
      const product = new Decimal(price!).times(quantity!);
      expect(new Decimal(original!).abs().toFixed()).toBe(product.toFixed());
      expect(new Decimal(original!).minus(discount!).toFixed()).toBe(amount);
      expect(new Decimal(amount!).times(1e8).toFixed()).toBe(amountUnits.toString());
      expect(JSON.parse(json)).toMatchObject({ granularity: 'DAILY', unit: expect.any(String) });
    }
  });

  it('holds credits, refunds, tiers, and rows without resource, environment or product', () => {
    const rows = settled.map(({ json }) => JSON.parse(json) as Record<string, unknown>);
    const credits = settled.filter(({ amountUnits }) => amountUnits < 0n);
    expect(typesOf(credits)).toEqual(['KAFKA_NETWORK_READ', 'PROMO_CREDIT']);
    expect(rows.some((row) => row['tier_dimensions'] !== undefined)).toBe(true);
    expect(rows.some((row) => row['resource'] === null)).toBe(true);
    expect(rows.some((row) => row['product'] === undefined)).toBe(true);
    expect(
      rows.some((row) => (row['resource'] as { environment?: object } | null)?.environment === undefined),
    ).toBe(true);
  });

  it('is the same for the same seed, down to the byte, and another for another', () => {
    const texts = (seed: number): string[] => {
      const one = small({ seed });
      return costsVisibleAt(one, one.window, SETTLED).map(({ json }) => json);
    };
    expect(texts(7)).toEqual(texts(7));
    expect(texts(7)).not.toEqual(texts(8));
  });

  it('shows late rows late, corrects some downwards and withdraws a few, each under its own id', () => {
    const day = organization.window.start;
    const at = (days: number): Map<string, bigint> => {
      const now = new Date(day.getTime() + days * DAY);
      const rows = costsVisibleAt(organization, { start: day, end: new Date(day.getTime() + 7 * DAY) }, now);
      return new Map(rows.map(({ id, amountUnits }) => [id, amountUnits]));
    };
    expect(at(1).size).toBe(0);
    const early = at(2);
    const final = at(11);
    const days = [0, 1, 2, 3, 4, 5, 6].flatMap((index) =>
      costsOfDay(organization, new Date(day.getTime() + index * DAY)),
    );
    expect(early.size).toBeGreaterThan(40);
    const versions = [...Map.groupBy(days, ({ id }) => id).values()];
    const corrected = versions.filter(({ length }) => length === 2);
    expect(corrected.length).toBeGreaterThan(0);
    for (const [before, after] of corrected) {
      expect(before!.visibleUntil).toEqual(after!.visibleFrom);
      const sizeOf = (value: bigint): bigint => (value < 0n ? -value : value);
      expect(sizeOf(after!.amountUnits)).toBeLessThan(sizeOf(before!.amountUnits));
      expect(final.get(after!.id)).toBe(after!.amountUnits);
    }
    const withdrawn = versions.filter((all) => all.at(-1)!.visibleUntil !== null);
    expect(withdrawn.length).toBeGreaterThan(0);
    for (const [row] of withdrawn) expect(final.has(row!.id)).toBe(false);
    const late = days.filter(({ visibleFrom, day: of }) => {
      return visibleFrom.getTime() - Date.parse(`${of}T00:00:00Z`) === DAY + 60 * 3_600_000;
    });
    expect(late.length).toBeGreaterThan(0);
  });

  it('is what the interface serves by its clock', async () => {
    const one = small();
    let now = new Date('2026-06-11T06:00:00Z');
    const { ask } = cloud({ organization: one, clock: () => now });
    const served = async (): Promise<number> => {
      const response = await ask(costsPath('2026-06-10', '2026-06-11', '&page_size=10000'));
      return ((await response.json()) as { data: unknown[] }).data.length;
    };
    expect(await served()).toBe(0);
    now = new Date('2026-06-11T09:00:00Z');
    const usual = await served();
    now = new Date('2026-06-20T00:00:00Z');
    expect(usual).toBeGreaterThan(0);
    expect(await served()).toBeGreaterThanOrEqual(usual - 3);
  });

  it('bills only the days of the organisation', () => {
    const outside = { start: new Date(END.getTime()), end: new Date(END.getTime() + DAY) };
    expect(costsVisibleAt(organization, outside, SETTLED)).toEqual([]);
  });

  it('refuses an organisation that cannot be', () => {
    expect(() => confluentOrganization({ endDate: new Date('2026-07-01T01:00:00Z') })).toThrow(RangeError);
    expect(() => confluentOrganization({ endDate: END, clusters: 0 })).toThrow(RangeError);
  });
});
