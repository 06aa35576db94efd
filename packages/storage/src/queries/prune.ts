/** Days that have anything: usage may be there before a bill is. */
export const OLDEST_DAYS =
  'select min(day) as day from date_states union all select min(day) from usage_coverage';
