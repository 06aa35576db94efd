import { IDENTITY_TYPES } from '../inventory/names.ts';

/** Who can bear a cost of the whole organization: those who can own resources and are listed. */
export const ORG_WIDE_TYPES: readonly string[] = [
  IDENTITY_TYPES.serviceAccount,
  IDENTITY_TYPES.user,
  IDENTITY_TYPES.identityPool,
  IDENTITY_TYPES.certificatePool,
];

/** Who can bear a cost of a resource that nobody in particular was active on. Keys, providers and sentinels cannot. */
export const OWNER_TYPES: readonly string[] = [...ORG_WIDE_TYPES, IDENTITY_TYPES.principal];
