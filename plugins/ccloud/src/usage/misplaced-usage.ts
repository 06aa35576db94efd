import { UNALLOCATED, type UsageTotals } from '@chargeback/plugin-api';

/**
 * Whether some usage names no resource. It is missing from one of them and nobody knows which, so that the day
 * must not count as whole. Usage that only names no identity is where it belongs.
 */
export function hasMisplacedUsage({ resourceIds, values }: UsageTotals): boolean {
  return resourceIds?.some((resourceId, index) => resourceId === UNALLOCATED && values[index]! > 0) ?? false;
}
