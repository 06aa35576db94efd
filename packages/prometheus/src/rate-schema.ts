import { Decimal } from '@chargeback/money';
import { z } from 'zod';

const MAX_RATE = new Decimal('1e12');

/** A price per unit, at least 0, kept exact: from text, or from a YAML number by its shortest form. */
export const rateSchema: z.ZodType<Decimal, string | number> = z
  .union([z.string(), z.number()])
  .transform((value, issues): Decimal => {
    const text = String(value).trim();
    if (!/^\d*\.?\d+(e[+-]?\d{1,3})?$/i.test(text)) {
      const message = 'a rate is a decimal number of at least 0, such as "0.0001"';
      issues.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
    const rate = new Decimal(text);
    if (rate.greaterThan(MAX_RATE)) {
      issues.addIssue({ code: 'custom', message: `a rate is at most ${MAX_RATE.toFixed()}` });
      return z.NEVER;
    }
    return rate;
  });
