import type { BillingLineItem, Resource, UsageDay } from '@chargeback/plugin-api';
import { line, resource, usageDay } from './support.ts';

export const FIRST = Date.UTC(2026, 0, 1);
export const DAY = 86_400_000;
export const LOOKBACK = 14;
const BILL_LATE = 3;

/** A small generator with a seed: the same story at every run of the test. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 4_294_967_296;
  };
}

export const dateOf = (index: number): string => new Date(FIRST + index * DAY).toISOString().slice(0, 10);

/** What the vendor's books and the metrics hold, changed day by day. */
export class Vendor {
  readonly lines = new Map<string, BillingLineItem>();
  readonly usage = new Map<string, UsageDay>();
  readonly people = new Set(['ana', 'bo', 'cy']);
  /** What the vendor lists: a cluster that is deleted is not listed, and may come back under its name with another owner. */
  readonly clusters = new Map<string, Resource>([['cluster-1', resource('cluster-1')]]);
  /** Who owned a cluster on each day on which there was one, by line. */
  readonly owners = new Map<string, string>();
  /** Bills that come when the cluster may be gone. */
  #unsent: (readonly [due: number, date: string, name: string])[] = [];
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomFrom(seed);
  }

  /** The day becomes known; older ones inside the lookback may be restated. */
  advance(index: number): void {
    const random = this.#random;
    const date = dateOf(index);
    for (const productType of ['COMPUTE', 'NETWORK']) {
      // Some lines come a few days late.
      if (random() > 0.15) this.#bill(date, productType, random());
    }
    const late = dateOf(index - Math.floor(random() * BILL_LATE));
    if (index > BILL_LATE && random() < 0.4) this.#bill(late, 'NETWORK', random());
    const withdrawn = `cluster-1/COMPUTE/${dateOf(index - 1 - Math.floor(random() * 5))}`;
    if (random() < 0.15) this.lines.delete(withdrawn);
    if (random() < 0.1) this.#bill(date, 'COMPUTE', -random());
    this.#changeClusters(index);
    this.#changePeople();
    this.#measure(date);
  }

  /** What nobody asks for any more. */
  forgetBefore(date: string): void {
    for (const [lineId, { timestamp }] of this.lines) {
      if (timestamp < new Date(date)) this.lines.delete(lineId);
    }
    for (const day of this.usage.keys()) if (day < date) this.usage.delete(day);
  }

  #bill(date: string, productType: string, size: number, resourceId = 'cluster-1'): void {
    const lineId = `${resourceId}/${productType}/${date}`;
    this.lines.set(lineId, line(date, (size * 100).toFixed(6), { productType, resourceId, lineId }));
  }

  /** Some clusters are deleted and created again; those that there are store something. */
  #changeClusters(index: number): void {
    for (const name of ['cluster-2', 'cluster-3']) {
      const turn = this.#random();
      const owner = ['ana', 'bo', 'cy', 'di'][Math.floor(this.#random() * 4)]!;
      if (this.clusters.has(name) && turn < 0.15) this.clusters.delete(name);
      else if (!this.clusters.has(name) && turn < 0.3) {
        const created = { ...resource(name, { createdAt: new Date(FIRST + index * DAY) }), ownerId: owner };
        this.clusters.set(name, created);
      }
      const cluster = this.clusters.get(name);
      if (!cluster) continue;
      this.owners.set(`${name}/STORAGE/${dateOf(index)}`, cluster.ownerId!);
      this.#unsent.push([index + Math.floor(this.#random() ** 2 * 5), dateOf(index), name]);
    }
    for (const [, date, name] of this.#unsent.filter(([due]) => due <= index)) {
      this.#bill(date, 'STORAGE', this.#random(), name);
    }
    this.#unsent = this.#unsent.filter(([due]) => due > index);
  }

  #changePeople(): void {
    const name = ['ana', 'bo', 'cy', 'di', 'eve'][Math.floor(this.#random() * 5)]!;
    if (this.#random() < 0.2 && this.people.size > 1) this.people.delete(name);
    else if (this.#random() < 0.3) this.people.add(name);
  }

  #measure(date: string): void {
    const totals = Object.fromEntries(
      [...this.people].map((name) => [name, Math.floor(this.#random() * 1e6)]),
    );
    const outage = this.#random();
    const seen = outage < 0.08 ? 0 : outage < 0.2 ? 19 : 24;
    this.usage.set(
      date,
      usageDay(date, seen === 0 ? {} : totals, { samplesSeen: seen, samplesExpected: 24 }),
    );
  }
}
