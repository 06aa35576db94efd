export { readFile, writeFile } from './copy.ts';
export { inspectSqlite } from './inspect.ts';
export { openSqlite } from './open.ts';
export { SqliteStore } from './sqlite-store.ts';
