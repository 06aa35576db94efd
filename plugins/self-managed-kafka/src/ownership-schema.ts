import { z } from 'zod';
import { daySchema } from './day-schema.ts';

const PATTERN_KEYS = ['topic', 'topic_regex', 'principal', 'principal_regex'] as const;

const entrySchema = z
  .strictObject({
    team: z.string().min(1),
    topic: z.string().min(1).nullish().describe('Glob over the whole name of a topic: orders.*'),
    topic_regex: z.string().min(1).nullish().describe('Regular expression over the whole name of a topic.'),
    principal: z.string().min(1).nullish().describe('Glob over the whole name of a principal.'),
    principal_regex: z.string().min(1).nullish().describe('Regular expression over the whole principal.'),
    valid_from: daySchema.nullish().describe('First day on which this holds; always, without it.'),
    valid_to: daySchema.nullish().describe('First day on which this no longer holds.'),
  })
  .superRefine((entry, issues) => {
    const given = PATTERN_KEYS.filter((key) => entry[key]);
    if (given.length !== 1) {
      issues.addIssue({ code: 'custom', message: `give exactly one of ${PATTERN_KEYS.join(', ')}` });
    }
    for (const key of ['topic_regex', 'principal_regex'] as const) {
      const problem = regexProblem(entry[key]);
      if (problem !== null) issues.addIssue({ code: 'custom', path: [key], message: problem });
    }
    const { valid_from: from, valid_to: to } = entry;
    if (from && to && to <= from) {
      const message = `valid_to must be later than valid_from (${from}): it is the first day that no longer counts`;
      issues.addIssue({ code: 'custom', path: ['valid_to'], message });
    }
  });

function regexProblem(pattern: string | null | undefined): string | null {
  if (!pattern) return null;
  try {
    void new RegExp(pattern, 'u');
    return null;
  } catch (cause) {
    return cause instanceof Error ? cause.message : 'not a regular expression';
  }
}

/** Who owns what, and when. The first entry that fits a name on a day counts. */
export const ownershipSchema = z.array(entrySchema);

export type OwnershipEntry = z.output<typeof entrySchema>;
