/** How the load of a principal moves through the week. */
export type Rhythm = 'shop' | 'office' | 'night' | 'steady';

export interface CompanyTeam {
  readonly name: string;
  /** How many times its load grows over the month; 1 for a team that stays as it is. */
  readonly growth: number;
}

export interface CompanyPrincipal {
  readonly id: string;
  /** Null: the configuration maps it to no team. */
  readonly team: string | null;
  readonly rhythm: Rhythm;
  /** Mean of an hour on a weekday. */
  readonly receivedMib: number;
  readonly sentMib: number;
  readonly storedGib: number;
  /** Streams it writes to; their loads differ. */
  readonly streams: readonly string[];
  /** Part of the month after which it appears; absent: from the beginning. */
  readonly startsAt?: number;
  /** Part of the month after which it is gone; absent: never. */
  readonly endsAt?: number;
}

export const COMPANY_TEAMS: readonly CompanyTeam[] = [
  { name: 'Checkout', growth: 1 },
  { name: 'Tracking', growth: 2.2 },
  { name: 'Warehouse', growth: 1 },
  { name: 'Pricing', growth: 1 },
  { name: 'Analytics', growth: 1 },
  { name: 'Foundation', growth: 1 },
];

type Load = readonly [receivedMib: number, sentMib: number, storedGib: number];

function principal(
  id: string,
  [team, rhythm, streams]: readonly [string | null, Rhythm, readonly string[]],
  [receivedMib, sentMib, storedGib]: Load,
): CompanyPrincipal {
  return { id, team, rhythm, streams, receivedMib, sentMib, storedGib };
}

/** Everybody who uses the platform of Nordwind Logistics. */
export const COMPANY_PRINCIPALS: readonly CompanyPrincipal[] = [
  principal('svc-checkout-api', ['Checkout', 'shop', ['orders', 'payments']], [5200, 3900, 640]),
  principal('svc-checkout-web', ['Checkout', 'shop', ['clicks']], [7400, 900, 310]),
  principal('svc-payment-gateway', ['Checkout', 'shop', ['payments']], [2100, 2600, 420]),
  principal('svc-cart', ['Checkout', 'shop', ['carts']], [3300, 3100, 95]),
  principal('svc-tracking-ingest', ['Tracking', 'steady', ['positions', 'scans']], [9800, 400, 2300]),
  principal('svc-tracking-api', ['Tracking', 'office', ['positions']], [600, 8700, 120]),
  principal('svc-geofence', ['Tracking', 'steady', ['geofences']], [1400, 6100, 210]),
  principal('svc-eta-predictor', ['Tracking', 'office', ['estimates']], [1900, 7200, 540]),
  principal('svc-warehouse-sync', ['Warehouse', 'office', ['stock', 'scans']], [4100, 2800, 880]),
  principal('svc-inventory', ['Warehouse', 'office', ['stock']], [2700, 3600, 760]),
  principal('svc-picking', ['Warehouse', 'office', ['tasks']], [1600, 1900, 90]),
  // Deployed, seen by the platform, and never used.
  principal('svc-label-printer', ['Warehouse', 'office', ['labels']], [0, 0, 0]),
  principal('svc-pricing-engine', ['Pricing', 'steady', ['prices']], [2200, 5400, 330]),
  principal('svc-tariff-loader', ['Pricing', 'night', ['tariffs']], [3800, 200, 1100]),
  { ...principal('svc-quote-api', ['Pricing', 'shop', ['quotes']], [2900, 4400, 60]), startsAt: 0.5 },
  principal('svc-lake-loader', ['Analytics', 'night', ['lake']], [900, 11_800, 4200]),
  principal('svc-report-builder', ['Analytics', 'night', ['reports']], [700, 9300, 1500]),
  principal('svc-forecast', ['Analytics', 'night', ['forecasts']], [1200, 6600, 980]),
  principal('svc-dashboards', ['Analytics', 'office', ['views']], [150, 5200, 40]),
  principal('svc-gateway', ['Foundation', 'shop', ['access']], [6300, 1200, 350]),
  principal('svc-notifications', ['Foundation', 'shop', ['messages']], [1700, 2100, 75]),
  principal('svc-audit-log', ['Foundation', 'steady', ['audit']], [2400, 100, 3100]),
  { ...principal('svc-legacy-edi', ['Foundation', 'office', ['edi']], [800, 700, 450]), endsAt: 2 / 3 },
  principal('svc-backup', [null, 'night', ['backup']], [3100, 300, 5200]),
];
