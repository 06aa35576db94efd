/** Cases of one property: its part of FAST_CHECK_RUNS, by default 100,000 over all properties. */
export function runs(share: number): { readonly numRuns: number } {
  const total = Number(process.env['FAST_CHECK_RUNS'] ?? 100_000);
  return { numRuns: Math.max(1, Math.round(total * share)) };
}
