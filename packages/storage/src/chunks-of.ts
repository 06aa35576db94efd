/** Ids per query: well below the number of parameters a statement may have. */
const IDS_PER_QUERY = 1000;

/** Cuts ids into lists that fit a query. */
export function chunksOf(ids: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let start = 0; start < ids.length; start += IDS_PER_QUERY) {
    chunks.push(ids.slice(start, start + IDS_PER_QUERY));
  }
  return chunks;
}
