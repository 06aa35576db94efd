/** Imports a plugin that package.json names. A module of its own: bundled, it is a list of these plugins. */
export function importBuiltIn(name: string): Promise<unknown> {
  return import(name);
}
