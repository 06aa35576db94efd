import type { CcloudClient } from '../http/ccloud-client.ts';

/** The regional APIs of Flink. */
export interface FlinkRegions {
  /** Client of a region of a cloud, both in lower case; null when no credentials are configured for it. */
  clientOf(place: { cloud: string; region: string }): CcloudClient | null;
}

/** Where the inventory is listed. */
export interface InventorySource {
  readonly client: CcloudClient;
  readonly flink: FlinkRegions;
  /** Types that are not asked for. */
  readonly skip: ReadonlySet<string>;
}
