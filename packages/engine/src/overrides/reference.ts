import { ChargebackError } from '@chargeback/plugin-api';

/** Where an override is written to be: a file beside the configuration, or a module as `import` names it. */
export type Reference =
  | { readonly form: 'dotted'; readonly segments: readonly string[]; readonly exportName: string }
  | { readonly form: 'module'; readonly specifier: string; readonly exportName: string };

const SEGMENT = /^[\p{ID_Start}_$][\p{ID_Continue}$-]*$/u;
const EXPORT = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u;
const SPECIFIER = /^(?:\.{0,2}\/.+|@[\w.-]+\/[\w.-]+(?:\/[^#]+)?|[\w-][\w.-]*(?:\/[^#]+)?)$/u;

/** True for what can only be a path of an override, and no name of something built in. */
export function looksLikeReference(text: string): boolean {
  return /[.#/]/u.test(text);
}

/**
 * Reads the path of an override: `dir.module.export` for a file beside the configuration, whose last segment is
 * the export, or `package#export`, `@scope/package/sub#export` and `./file.mjs#export`.
 * @throws {ChargebackError} `CB_OVERRIDE_SYNTAX`.
 */
export function parseReference(text: string): Reference {
  const [specifier = '', exportName, ...more] = text.split('#');
  if (exportName !== undefined) {
    if (more.length > 0) throw syntaxError(text, 'it has more than one #');
    if (!EXPORT.test(exportName)) throw syntaxError(text, 'what follows the # is no name of an export');
    if (!SPECIFIER.test(specifier))
      throw syntaxError(text, 'what precedes the # is neither package nor file');
    return { form: 'module', specifier, exportName };
  }
  const segments = text.split('.');
  const last = segments.pop();
  if (segments.length === 0) throw syntaxError(text, 'a module and its export are needed');
  const bad = [...segments, last!].find((segment) => !SEGMENT.test(segment));
  if (bad !== undefined) throw syntaxError(text, `${JSON.stringify(bad)} is no name`);
  return { form: 'dotted', segments, exportName: last! };
}

function syntaxError(text: string, why: string): ChargebackError {
  return new ChargebackError(
    'CB_OVERRIDE_SYNTAX',
    `${JSON.stringify(text)} is not the path of an export: ${why}`,
  );
}
