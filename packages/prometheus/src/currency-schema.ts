import { z } from 'zod';

/** The currency of a constructed bill. */
export const currencySchema = z
  .string()
  .regex(/^[A-Z]{3}$/, 'an ISO 4217 code such as USD')
  .default('USD');
