// What speaks to one kind of database, loaded when it is first used: each costs time and memory at every start.

export function postgresDriver() {
  return import('./postgres/driver.ts');
}

export function sqliteDriver() {
  return import('./sqlite/driver.ts');
}
