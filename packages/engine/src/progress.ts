import type { IsoDate } from '@chargeback/plugin-api';

export type Stage = 'inventory' | 'gather' | 'calculate' | 'emit';

/** Where a tenant's run stands; for progress bars. `done` of `total` days or periods. */
export interface ProgressEvent {
  readonly tenant: string;
  readonly stage: Stage;
  readonly done: number;
  readonly total: number;
  readonly date: IsoDate | null;
}

export type ProgressListener = (event: ProgressEvent) => void;
