import type { CostAllocator } from '@chargeback/plugin-api';

/** An allocator that says what it is, so that chains can be checked and wiring printed. */
export interface AllocationModel extends CostAllocator {
  readonly model: ModelDescription;
}

export interface ModelDescription {
  readonly name: string;
  /** Never steps aside. */
  readonly terminal: boolean;
  /** False when a chain may not replace the detail by the reason of the tier before. */
  readonly fixedDetail: boolean;
}

export function describeModel(allocate: CostAllocator, model: ModelDescription): AllocationModel {
  return Object.assign((context: Parameters<CostAllocator>[0]) => allocate(context), { model });
}
