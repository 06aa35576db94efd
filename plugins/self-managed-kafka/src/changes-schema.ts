import { z } from 'zod';
import { costModelChangeSchema } from './cost-model-schema.ts';
import { daySchema } from './day-schema.ts';

const changeSchema = z
  .strictObject({
    valid_from: daySchema.describe('First UTC day that is billed like this.'),
    broker_count: z.int().min(1).optional().describe('Brokers from that day on.'),
    cost_model: costModelChangeSchema.optional().describe('Rates from that day on; the others stay.'),
  })
  .refine(
    ({ broker_count: brokers, cost_model: model }) => brokers !== undefined || model !== undefined,
    'a change names a broker_count, a cost_model or both',
  );

export type Change = z.output<typeof changeSchema>;

/** What is billed differently from some day on: the days before stay as they are. In order of the days. */
export const changesSchema = z
  .array(changeSchema)
  .default([])
  .superRefine((changes, issues) => {
    for (const [index, { valid_from: day }] of changes.entries()) {
      const before = changes[index - 1]?.valid_from;
      if (before === undefined || before < day) continue;
      const message = `changes are written in order of their days, each day once: ${day} comes after ${before}`;
      issues.addIssue({ code: 'custom', path: [index, 'valid_from'], message });
    }
  });
