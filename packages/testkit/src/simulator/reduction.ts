import type { RangeOperator } from './query-syntax.ts';

/** Adds up samples, as precisely as Prometheus does (Neumaier's compensated sum), for one of the `*_over_time` functions. */
export interface Reduction {
  readonly count: number;
  /** The same value `times` times. */
  add(value: number, times: number): void;
  result(operator: RangeOperator): number;
}

export function createReduction(): Reduction {
  let count = 0;
  let rough = 0;
  let compensation = 0;
  let smallest = Infinity;
  let largest = -Infinity;
  let last = Number.NaN;
  return {
    get count() {
      return count;
    },
    add(value, times) {
      count += times;
      const part = value * times;
      const next = rough + part;
      if (Number.isFinite(next)) {
        compensation += Math.abs(rough) >= Math.abs(part) ? rough - next + part : part - next + rough;
      }
      rough = next;
      if (value < smallest) smallest = value;
      if (value > largest) largest = value;
      last = value;
    },
    result(operator) {
      const sum = rough + compensation;
      switch (operator) {
        case 'sum':
          return sum;
        case 'avg':
          return sum / count;
        case 'min':
          return smallest;
        case 'max':
          return largest;
        case 'count':
          return count;
        case 'last':
          return last;
        case 'present':
          return 1;
      }
    },
  };
}
