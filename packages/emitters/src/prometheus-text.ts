import { formatUnits, LEDGER_SCALE } from '@chargeback/money';
import type { ChargebackRow } from '@chargeback/plugin-api';

/** The labels that can be left out. `tenant_id`, `ecosystem` and `currency` are always there. */
export const PROMETHEUS_LABELS = [
  'environment_id',
  'resource_id',
  'product_category',
  'product_type',
  'identity_id',
  'cost_type',
  'allocation_method',
  'allocation_detail',
] as const;

export type PrometheusLabel = (typeof PROMETHEUS_LABELS)[number];

/** Ledger units by the text of a series' labels, `{…}` included. */
export type SeriesSums = Map<string, bigint>;

const VALUE_OF: Readonly<Record<PrometheusLabel, (row: ChargebackRow) => string | null>> = {
  environment_id: (row) => row.environmentId,
  resource_id: (row) => row.resourceId,
  product_category: (row) => row.productCategory,
  product_type: (row) => row.productType,
  identity_id: (row) => row.identityId,
  cost_type: (row) => row.costType,
  allocation_method: (row) => row.allocationMethod,
  allocation_detail: (row) => row.allocationDetail,
};

/** Distinct label values whose text is remembered. */
const REMEMBERED_VALUES = 200_000;

/**
 * Turns the columns of rows into the text of a series' labels. To Prometheus an empty label and a missing one are the
 * same, so empty ones are not written: rows that it could not tell apart get the same text, and are added.
 */
export class LabelText {
  readonly #columns: readonly (readonly [prefix: string, valueOf: (row: ChargebackRow) => string | null])[];
  readonly #values = new Map<string, string>();

  constructor(labels: readonly PrometheusLabel[]) {
    this.#columns = PROMETHEUS_LABELS.filter((label) => labels.includes(label)).map(
      (label) => [`,${label}=`, VALUE_OF[label]] as const,
    );
  }

  of(row: ChargebackRow): string {
    let text = `{tenant_id=${this.#value(row.tenantId)},ecosystem=${this.#value(row.ecosystem)}`;
    for (const [prefix, valueOf] of this.#columns) {
      const value = valueOf(row);
      if (value !== null && value !== '') text += prefix + this.#value(value);
    }
    return `${text},currency=${this.#value(row.amount.currency)}}`;
  }

  #value(value: string): string {
    let text = this.#values.get(value);
    if (text === undefined) {
      if (this.#values.size >= REMEMBERED_VALUES) this.#values.clear();
      text = labelValue(value);
      this.#values.set(value, text);
    }
    return text;
  }
}

/** A quoted label value. What no Prometheus reads (half a character pair, NUL) becomes U+FFFD. */
export function labelValue(value: string): string {
  const escaped = value
    .toWellFormed()
    .replaceAll('\0', '\u{fffd}')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n');
  return `"${escaped}"`;
}

/** Characters of text that are gathered before they are passed on. */
const TEXT_PER_PIECE = 1_000_000;

/** One line per series, `name{…} 12.3400`, with the time in Unix seconds where one is given; in large pieces. */
export function* sampleLines(
  metric: string,
  sums: Iterable<readonly [labels: string, units: bigint]>,
  seconds?: number,
): Generator<string> {
  const ending = seconds === undefined ? '\n' : ` ${seconds}\n`;
  let text = '';
  for (const [labels, units] of sums) {
    text += `${metric}${labels} ${formatUnits(units)}${ending}`;
    if (text.length < TEXT_PER_PIECE) continue;
    yield text;
    text = '';
  }
  yield text;
}

/**
 * Adds the samples of a text that {@link sampleLines} wrote, whatever their time, to the sums.
 * @throws {Error} for a line that has another form.
 */
export function addSamples(sums: SeriesSums, text: string): void {
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf('\n', start);
    const end = newline === -1 ? text.length : newline;
    if (end > start && text.charCodeAt(start) !== 0x23) addSample(sums, text.slice(start, end));
    start = end + 1;
  }
}

const SAMPLE = /^[a-zA-Z_]\w*(\{.*\}) (-?)(\d+)\.(\d{1,8}) \d+$/su;

function addSample(sums: SeriesSums, line: string): void {
  const match = SAMPLE.exec(line);
  if (!match) throw new Error(`not a sample of ours: ${line.slice(0, 100)}`);
  const [, labels, sign, whole, decimals] = match as unknown as [string, string, string, string, string];
  const size = BigInt(whole + decimals.padEnd(LEDGER_SCALE, '0'));
  addUnits(sums, labels, sign === '-' ? -size : size);
}

export function addUnits(sums: SeriesSums, labels: string, units: bigint): void {
  sums.set(labels, (sums.get(labels) ?? 0n) + units);
}
