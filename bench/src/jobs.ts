// What the processes of a benchmark are asked, and what they answer.
import path from 'node:path';
import type { Figures } from './figures.ts';
import type { ShapeName, ShapeSize } from './shapes.ts';

export interface ServeJob {
  readonly shape: ShapeName;
  readonly size: ShapeSize;
  /** Metrics sample by sample, though the server would add them up. */
  readonly hourly: boolean;
}

/** What the parent is told once the simulator serves. */
export interface Served {
  readonly origin: string;
  readonly settings: object;
  readonly start: string;
  readonly end: string;
  readonly now: string;
}

export interface EngineJob {
  readonly shape: ShapeName;
  readonly served: Served;
  /** Holds files; a second run on the same folder and database finds what the first one left. */
  readonly folder: string;
  /** Connection string of where the tenant's results go. */
  readonly database: string;
  /** How much later than the first run this one is. */
  readonly laterMilliseconds: number;
}

export interface EngineResult extends Figures {
  readonly rows: number;
  readonly requests: number;
  /** Milliseconds by stage. */
  readonly stages: Readonly<Record<string, number>>;
}

/** Several runs in one process. */
export interface CyclesJob extends Omit<EngineJob, 'laterMilliseconds'> {
  /** How much later than the first run each one is; the first is 0. */
  readonly cycles: readonly number[];
}

export interface CycleResult extends Pick<EngineResult, 'rows' | 'requests' | 'stages'> {
  readonly milliseconds: number;
}

/** The requests of the first run, for the floor to send once more. */
export function requestsFile(folder: string): string {
  return path.join(folder, 'requests.json');
}

export interface FloorJob {
  readonly origin: string;
  /** Where the engine left its requests. */
  readonly requestsFile: string;
  /** Connection string of an empty database. */
  readonly database: string;
  /** An empty folder for files. */
  readonly folder: string;
  readonly days: number;
  /** In the whole run. */
  readonly factRows: number;
  readonly usageRows: number;
  readonly csvRows: number;
  readonly csvBytes: number;
}

export interface FloorResult extends Figures {
  readonly receivedBytes: number;
  /** CPU seconds of this thread by what they were spent on; awaiting the network is not in them. */
  readonly parts: { readonly parse: number; readonly insert: number; readonly csv: number };
}
