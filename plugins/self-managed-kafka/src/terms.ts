import type { IsoDate } from '@chargeback/plugin-api';
import type { Change } from './changes-schema.ts';
import { type CostModel, type RateName, rateIn } from './cost-model-schema.ts';
import { PRODUCTS } from './products.ts';
import type { Settings } from './settings.ts';

/** What a day is billed by. */
export interface Terms {
  readonly brokerCount: number;
  readonly costModel: CostModel;
}

/** The terms of a day: those of the settings with every change that is valid by then. */
export function termsOn({ broker_count, cost_model, changes }: Settings, date: IsoDate): Terms {
  let terms: Terms = { brokerCount: broker_count, costModel: cost_model };
  for (const change of changes) if (change.valid_from <= date) terms = changed(terms, change);
  return terms;
}

function changed({ brokerCount, costModel }: Terms, change: Change): Terms {
  const { region_overrides: regions = {}, ...rates } = change.cost_model ?? {};
  const merged = new Map(Object.entries(costModel.region_overrides));
  for (const [region, overrides] of Object.entries(regions)) {
    merged.set(region, { ...merged.get(region), ...given(overrides) });
  }
  return {
    brokerCount: change.broker_count ?? brokerCount,
    costModel: { ...costModel, ...given(rates), region_overrides: Object.fromEntries(merged) },
  };
}

type Rates = { readonly [Name in RateName]?: CostModel[RateName] | undefined };

/** Without the keys that are there but undefined. */
function given(rates: Rates): Partial<Record<RateName, CostModel[RateName]>> {
  return Object.fromEntries(Object.entries(rates).filter(([, rate]) => rate !== undefined));
}

/** The rate of a product on a day, in the tenant's region. */
export function rateOn(settings: Settings, date: IsoDate, name: RateName): CostModel[RateName] {
  return rateIn(termsOn(settings, date).costModel, settings.region, name);
}

/** Every change in short, for what decides about gathering again. */
export function changesKey(settings: Settings): (readonly (string | number)[])[] {
  return settings.changes.map(({ valid_from: day }) => [
    day,
    termsOn(settings, day).brokerCount,
    ...Object.values(PRODUCTS).map(({ rate }) => rateOn(settings, day, rate).toString()),
  ]);
}
