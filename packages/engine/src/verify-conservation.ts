import { formatMoney, formatUnits } from '@chargeback/money';
import { type BillingLineItem, ChargebackError } from '@chargeback/plugin-api';
import type { CalculatedLine } from '@chargeback/storage';

/**
 * Checks, before anything is written, that the rows and the retained cost of every allocated line add up to
 * the line, that no row has the wrong sign, and that every line has a result.
 * @throws {ChargebackError} `CB_UNCONSERVED`; nothing of the day is written then.
 */
export function verifyConservation(
  lines: readonly BillingLineItem[],
  results: ReadonlyMap<string, CalculatedLine>,
): void {
  if (results.size !== lines.length) {
    throw new ChargebackError('CB_UNCONSERVED', `${lines.length} lines, but ${results.size} results`);
  }
  for (const line of lines) {
    const result = results.get(line.lineId);
    if (!result) throw new ChargebackError('CB_UNCONSERVED', `line ${line.lineId} has no result`);
    if (result.state === 'held') {
      assertHeldHasNothing(result);
    } else {
      verifyLine(line, result);
    }
  }
}

function assertHeldHasNothing(result: CalculatedLine): void {
  if (result.portions.length > 0 || result.retainedUnits !== 0n) {
    throw new ChargebackError('CB_UNCONSERVED', `line ${result.lineId} is held but has rows`);
  }
}

function verifyLine(line: BillingLineItem, result: CalculatedLine): void {
  const total = line.totalCost.units;
  let sum = result.retainedUnits;
  for (const { units } of result.portions) {
    for (const amount of units) {
      if ((amount < 0n && total > 0n) || (amount > 0n && total < 0n)) {
        throw new ChargebackError(
          'CB_UNCONSERVED',
          `line ${line.lineId} of ${formatMoney(line.totalCost)} has a row of ${formatUnits(amount)}`,
        );
      }
      sum += amount;
    }
  }
  if (sum !== total) {
    throw new ChargebackError(
      'CB_UNCONSERVED',
      `line ${line.lineId} is ${formatMoney(line.totalCost)}, its rows and retained cost are ${formatUnits(sum)}`,
    );
  }
}
