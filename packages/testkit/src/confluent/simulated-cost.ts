/** One version of a row of the bill. The vendor may correct a row later, or withdraw it. */
export interface SimulatedCost {
  readonly id: string;
  /** `2026-06-01`. */
  readonly day: string;
  readonly product: string | null;
  readonly lineType: string;
  /** Null: the row has no resource. */
  readonly resourceId: string | null;
  readonly environmentId: string | null;
  /** After discount, in 10⁻⁸ of a US dollar. */
  readonly amountUnits: bigint;
  /** The row as the API writes it. */
  readonly json: string;
  /** From when on the API shows this version; the first later version of the same row replaces it. */
  readonly visibleFrom: Date;
  /** From when on it shows it no more; null: it stays. */
  readonly visibleUntil: Date | null;
}

/** What a row is made of before it is written. Quantity and price in 10⁻⁴, so that amounts are exact in 10⁻⁸. */
export interface CostDraft {
  readonly product: string | null;
  readonly lineType: string;
  readonly unit: string;
  readonly quantity: number;
  readonly price: number;
  readonly resource: {
    readonly id: string;
    readonly displayName: string;
    readonly environmentId: string | null;
  } | null;
  readonly networkAccessType?: string;
  readonly description?: string;
  readonly tier?: string;
  /** A credit or refund. */
  readonly negative?: boolean;
}

const UNITS_PER_DOLLAR = 100_000_000;
/** What the organisation has agreed on, in percent of the list price. */
const DISCOUNT_PERCENT = 4;

export interface WrittenRow {
  readonly json: string;
  readonly amountUnits: bigint;
}

/** Writes a row; `part` is the share of its quantity that this version bills, in percent. */
export function writeRow(
  draft: CostDraft,
  { id, day, nextDay, part }: { id: string; day: string; nextDay: string; part: number },
): WrittenRow {
  const quantity = Math.round((draft.quantity * part) / 100);
  const sign = draft.negative ? -1 : 1;
  const original = sign * quantity * draft.price;
  const discount = draft.negative ? 0 : Math.floor((original * DISCOUNT_PERCENT) / 100);
  const amount = original - discount;
  const numbers =
    `"price":${decimal(draft.price, 10_000)},"quantity":${decimal(quantity, 10_000)},` +
    `"original_amount":${decimal(original, UNITS_PER_DOLLAR)},"discount_amount":${decimal(discount, UNITS_PER_DOLLAR)},` +
    `"amount":${decimal(amount, UNITS_PER_DOLLAR)}`;
  const { resource, tier, description, networkAccessType } = draft;
  const rest = {
    id,
    start_date: day,
    end_date: nextDay,
    granularity: 'DAILY',
    ...(networkAccessType === undefined ? {} : { network_access_type: networkAccessType }),
    ...(draft.product === null ? {} : { product: draft.product }),
    line_type: draft.lineType,
    unit: draft.unit,
    ...(description === undefined ? {} : { description }),
    ...(tier === undefined ? {} : { tier_dimensions: { tier } }),
    resource:
      resource === null
        ? null
        : {
            id: resource.id,
            display_name: resource.displayName,
            ...(resource.environmentId === null ? {} : { environment: { id: resource.environmentId } }),
          },
  };
  return { json: `${JSON.stringify(rest).slice(0, -1)},${numbers}}`, amountUnits: BigInt(amount) };
}

/** A decimal text without zeros at its end. */
function decimal(value: number, scale: number): string {
  const digits = String(Math.abs(value)).padStart(String(scale).length, '0');
  const places = String(scale).length - 1;
  const text = `${digits.slice(0, -places)}.${digits.slice(-places)}`.replace(/\.?0+$/, '');
  return value < 0 ? `-${text}` : text;
}
