import { MILLISECONDS_PER_HOUR, type Window } from '@chargeback/plugin-api';
import type { Rhythm } from './company-principals.ts';
import { noise, seedOf } from './random.ts';

const HOURS_PER_DAY = 24;
const HOURS_PER_WEEK = 168;
/** 1970-01-01 was a Thursday; the tables begin with Monday. */
const DAYS_BEFORE_EPOCH = 3;

/** Share of the mean load by hour of a weekday, UTC. */
const DAY_SHAPES: Readonly<Record<Rhythm, readonly number[]>> = {
  shop: [
    0.3, 0.2, 0.15, 0.15, 0.2, 0.4, 0.7, 0.9, 1, 1.1, 1.2, 1.3, 1.4, 1.3, 1.2, 1.2, 1.3, 1.5, 1.8, 2, 1.9,
    1.5, 0.9, 0.5,
  ],
  office: [
    0.15, 0.1, 0.1, 0.1, 0.2, 0.5, 1, 1.6, 2, 2.1, 2.1, 1.9, 1.6, 1.9, 2, 1.9, 1.7, 1.2, 0.7, 0.4, 0.3, 0.2,
    0.2, 0.15,
  ],
  night: [
    2.4, 3.6, 3.8, 3.4, 2.4, 1.2, 0.6, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.4, 0.5,
    0.6, 0.9, 1.4,
  ],
  steady: [
    0.8, 0.8, 0.75, 0.75, 0.8, 0.9, 1, 1.1, 1.15, 1.2, 1.2, 1.15, 1.1, 1.15, 1.2, 1.15, 1.1, 1.05, 1, 0.95,
    0.95, 0.9, 0.9, 0.85,
  ],
};

const WEEKEND: Readonly<Record<Rhythm, number>> = { shop: 0.7, office: 0.2, night: 0.55, steady: 0.8 };

/** Share of the mean load for each hour of the week. */
function weekShape(rhythm: Rhythm): Float64Array {
  return Float64Array.from({ length: HOURS_PER_WEEK }, (_, hour) => {
    const weekend = hour >= 5 * HOURS_PER_DAY ? WEEKEND[rhythm] : 1;
    return DAY_SHAPES[rhythm][hour % HOURS_PER_DAY]! * weekend;
  });
}

export interface LoadOptions {
  readonly window: Window;
  readonly seed: number;
  /** Gives each series a noise of its own. */
  readonly name: string;
  readonly rhythm: Rhythm;
  /** Mean of an hour on a weekday. */
  readonly mean: number;
  /** How many times it grows over the window. */
  readonly growth: number;
}

/** Whole numbers that follow the rhythm of the week, growth and a noise of ± 20 %. */
export function hourlyLoad({
  window,
  seed,
  name,
  rhythm,
  mean,
  growth,
}: LoadOptions): (hour: number) => number {
  const shape = weekShape(rhythm);
  const own = seedOf(seed, name);
  const progress = progressIn(window);
  return (hour) => {
    const hourOfWeek = (hour + DAYS_BEFORE_EPOCH * HOURS_PER_DAY) % HOURS_PER_WEEK;
    const grown = 1 + (growth - 1) * progress(hour);
    return Math.round(mean * shape[hourOfWeek]! * grown * (0.8 + 0.4 * noise(own, hour)));
  };
}

/** Stored bytes: they grow by a tenth over the window, more where the load grows, and breathe a little. */
export function storedBytes({ window, seed, name, mean, growth }: LoadOptions): (hour: number) => number {
  const own = seedOf(seed, name);
  const progress = progressIn(window);
  return (hour) => {
    const grown = 1 + (0.1 + (growth - 1) / 2) * progress(hour);
    return Math.round(mean * grown * (0.99 + 0.02 * noise(own, hour)));
  };
}

function progressIn({ start, end }: Window): (hour: number) => number {
  const first = start.getTime() / MILLISECONDS_PER_HOUR;
  const hours = (end.getTime() - start.getTime()) / MILLISECONDS_PER_HOUR;
  return (hour) => (hour - first) / hours;
}
