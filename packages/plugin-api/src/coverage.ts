/**
 * How much of what was expected has been seen. A metrics outage is not the same as no traffic: an outage
 * lowers the coverage, no traffic does not.
 */
export interface Coverage {
  /** Sampling instants that had at least one usable sample. */
  readonly samplesSeen: number;
  /** Sampling instants in the window. */
  readonly samplesExpected: number;
}

export function isComplete(coverage: Coverage): boolean {
  return coverage.samplesSeen >= coverage.samplesExpected;
}
