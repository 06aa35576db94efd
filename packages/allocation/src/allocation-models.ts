/** The models of this package by the word that `allocation_method` and printed wiring use. */
export const ALLOCATION_MODELS = {
  even_split: 'The same share for every identity of a set; SHARED.',
  usage_ratio: 'In proportion to the totals of usage queries; USAGE.',
  direct_owner: 'Everything to one owner; USAGE.',
  terminal: 'Everything to the resource or to UNALLOCATED; never steps aside; SHARED.',
  chain: 'Tiers: the first model that does not step aside decides.',
  composite: 'Ratios: each part of the amount is split by a model of its own.',
} as const;

export type AllocationModelName = keyof typeof ALLOCATION_MODELS;
