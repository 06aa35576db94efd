import { IDENTITY_TYPES } from '../inventory/names.ts';

/**
 * Who can bear a cost that nobody in particular caused: identities that act, and that a listing knows to exist
 * in the window. API keys and providers do not act; sentinels, and names that are only mentioned or seen in the
 * metrics, may be long gone.
 */
export const OWNER_TYPES: readonly string[] = [
  IDENTITY_TYPES.serviceAccount,
  IDENTITY_TYPES.user,
  IDENTITY_TYPES.identityPool,
  IDENTITY_TYPES.certificatePool,
];
