export { describeLocation, parseConnectionString, type StoreLocation } from './connection-string.ts';
export { openStore } from './open-store.ts';
export { type CopyReport, copyTenant, type CopyTenantOptions } from './copy/copy-tenant.ts';
export { storageStatus, type StoragePlace, type StorageStatus, storeExists } from './storage-status.ts';
export type { Owner } from './migrations.ts';
export * from './records.ts';
export * from './store.ts';
