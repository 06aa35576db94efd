import { ERROR_CODES, type ErrorCodeEntry } from './error-codes.ts';

/** Areas of the table in the order of the page, by the beginning of their codes. */
const AREAS: readonly (readonly [title: string, prefixes: readonly string[]])[] = [
  ['Money', ['CB_MONEY_']],
  ['Configuration', ['CB_CONFIG_']],
  ['Plugins', ['CB_PLUGIN_', 'CB_OVERRIDE_']],
  ['Metrics', ['CB_METRICS_', 'CB_USAGE_']],
  ["A vendor's API", ['CB_SOURCE_']],
  [
    'Billing and allocation',
    ['CB_BILLING_', 'CB_INVENTORY_', 'CB_LINE_', 'CB_ALLOCATION_', 'CB_GRANULARITY_'],
  ],
  ['Runs and conservation', ['CB_RUN_', 'CB_UNCONSERVED', 'CB_RECONCILE_']],
  ['Storage', ['CB_STORAGE_']],
  ['Emitters', ['CB_EMIT_']],
  ['Serving', ['CB_SERVE_']],
];

const INTRODUCTION = `# Errors

Every error and every recorded problem carries one of these codes. The message says what happened, the fix what to
do about it; both are also in the output of the command that failed.

Exit codes: 0 done, 1 some dates or tenants failed and are tried again, 2 the configuration must be mended,
3 costs do not add up.

This page is generated from the table in \`packages/plugin-api\`; see its README.
`;

/** `docs/errors.md`: one Markdown table per area with code, meaning, how to solve it and exit code. */
export function renderErrorDocs(codes: Readonly<Record<string, ErrorCodeEntry>> = ERROR_CODES): string {
  const left = new Map(Object.entries(codes));
  const sections = AREAS.map(([title, prefixes]) => {
    const rows = [...left].filter(([code]) => prefixes.some((prefix) => code.startsWith(prefix)));
    for (const [code] of rows) left.delete(code);
    return sectionOf(title, rows);
  });
  return [INTRODUCTION, ...sections, sectionOf('Other', [...left])].filter((text) => text !== '').join('\n');
}

function sectionOf(title: string, rows: readonly (readonly [code: string, entry: ErrorCodeEntry])[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map(
    ([code, { meaning, fix, exitCode }]) => `| \`${code}\` | ${cell(meaning)} | ${cell(fix)} | ${exitCode} |`,
  );
  return `## ${title}\n\n| Code | Meaning | How to solve | Exit code |\n|---|---|---|---|\n${lines.join('\n')}\n`;
}

/** Text that cannot end a table cell or be taken for an HTML tag. */
function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
