export { describeLocation, parseConnectionString, type StoreLocation } from './connection-string.ts';
export { openStore } from './open-store.ts';
export * from './store.ts';
