import { z } from 'zod';

/** A real day of the calendar as text. */
export const daySchema = z
  .string()
  .refine(isDay, 'a day is written as 2026-02-28')
  .describe('A UTC day, such as 2026-02-28.');

function isDay(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const day = new Date(`${text}T00:00:00.000Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
}
