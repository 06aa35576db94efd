export { describeLocation, parseConnectionString, type StoreLocation } from './connection-string.ts';
export { openStore } from './open-store.ts';
export { storeExists } from './store-exists.ts';
export * from './records.ts';
export * from './store.ts';
