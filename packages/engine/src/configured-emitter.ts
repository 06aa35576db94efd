import type { Aggregation, Emitter } from '@chargeback/plugin-api';

/** An emitter of one tenant, ready to use. */
export interface ConfiguredEmitter {
  /** Names its records; unique within the tenant. */
  readonly name: string;
  readonly aggregation: Aggregation | null;
  readonly lookbackDays: number | null;
  readonly emitter: Emitter;
}
