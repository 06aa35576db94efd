export { readSchema, writeSchema } from './copy.ts';
export { inspectPostgres } from './inspect.ts';
export { openPostgres } from './open.ts';
export { PostgresStore } from './postgres-store.ts';
