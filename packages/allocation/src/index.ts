export {
  type AllocationModel,
  allocationModel,
  describeModel,
  type ModelDescription,
  modelOf,
  type ModelPart,
} from './allocation-model.ts';
export { ALLOCATION_MODELS, type AllocationModelName } from './allocation-models.ts';
export {
  directOwnerAllocator,
  evenSplitAllocator,
  terminalAllocator,
  usageRatioAllocator,
} from './built-in-allocators.ts';
export { chain } from './chain.ts';
export { composite, type CompositeComponent } from './composite.ts';
export { checkCompositeParams } from './composite-ratios.ts';
export { directOwner, type DirectOwnerOptions } from './direct-owner.ts';
export { evenSplit, type EvenSplitOptions } from './even-split.ts';
export { terminal, type TerminalOptions, type TerminalTarget } from './terminal.ts';
export { usageRatio, type UsageRatioOptions } from './usage-ratio.ts';
