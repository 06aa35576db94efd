import { ChargebackError, type IsoDate } from '@chargeback/plugin-api';

const PLACEHOLDER = /\{([^{}]*)\}/g;
const KNOWN = new Set(['tenant_id', 'date']);

/** What the placeholders of a file name stand for. */
export interface FileNameValues {
  readonly tenantId: string;
  /** The day, or the first day of the month. */
  readonly date: IsoDate;
}

/** Placeholders of a template that mean nothing. */
export function unknownPlaceholders(template: string): string[] {
  return Array.from(template.matchAll(PLACEHOLDER), ([, name]) => name!).filter((name) => !KNOWN.has(name));
}

/**
 * Fills `{tenant_id}` and `{date}` into a template. The result is the name of a file, never a path.
 * @throws {ChargebackError} `CB_EMIT_PATH` for a name with a separator, `.`, `..` or a NUL,
 *   `CB_EMIT_SETTINGS` for an unknown placeholder.
 */
export function fileNameOf(template: string, values: FileNameValues): string {
  const [unknown] = unknownPlaceholders(template);
  if (unknown !== undefined) {
    throw new ChargebackError(
      'CB_EMIT_SETTINGS',
      `filename_template has an unknown placeholder {${unknown}}`,
      {
        fix: 'Use {tenant_id} and {date}.',
      },
    );
  }
  const name = template.replace(PLACEHOLDER, (_placeholder, key: string) =>
    key === 'date' ? values.date : values.tenantId,
  );
  if (name === '' || name === '.' || name === '..' || /[/\\\0]/.test(name)) {
    throw new ChargebackError(
      'CB_EMIT_PATH',
      `filename_template ${JSON.stringify(template)} gives ${JSON.stringify(name)}, which would lie outside output_dir`,
      {
        fix: 'Remove path separators and .. from filename_template; where the tenant id has them, leave {tenant_id} out.',
      },
    );
  }
  return name;
}
