import type { Problem } from '@chargeback/plugin-api';
import type { Paint } from './paint.ts';

const MOST_SHOWN = 8;

/** Problems for people: grouped by code, the first few with their fix. */
export function renderProblems(problems: readonly Problem[], paint: Paint): string {
  const byCode = new Map<string, Problem[]>();
  for (const problem of problems) byCode.set(problem.code, [...(byCode.get(problem.code) ?? []), problem]);
  const blocks = [...byCode].map(([code, group]) => renderGroup(code, group, paint));
  return blocks.join('');
}

function renderGroup(code: string, group: readonly Problem[], paint: Paint): string {
  const error = group.some(({ severity }) => severity === 'error');
  const mark = error ? paint.bad('✗') : paint.warn('!');
  const shown = group.slice(0, group.length > MOST_SHOWN ? 3 : MOST_SHOWN);
  const lines = shown.map(({ date, message }) => `    ${date === null ? '' : `${date}  `}${message}\n`);
  const more = group.length > shown.length ? `    … and ${group.length - shown.length} more\n` : '';
  return `  ${mark} ${paint.bold(code)}\n${lines.join('')}${more}    ${paint.dim(group[0]!.fix)}\n`;
}
