import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ConfigError } from '@chargeback/config';
import { load, problemsOf, tenant } from './support.ts';

const CANARY = 'canary-7f3a9c';

describe('the value of a variable', () => {
  it('never appears in a problem, whichever value is wrong', () => {
    const text = [
      'logging: {level: "${S}", per_module_levels: {a: "${S}"}}',
      'features: {enable_periodic_refresh: "${S}", refresh_interval: "${S}"}',
      'api: {port: "${S}", cors_origins: "${S}"}',
      'plugins: "x${S}"',
      tenant('lookback_days: ${S}', 'storage: ${S}', 'plugin_settings: ${S}', 'unknown: ${S}'),
    ].join('\n');
    const problems = problemsOf(text, { S: CANARY });
    expect(problems.length).toBeGreaterThan(9);
    expect(JSON.stringify(problems)).not.toContain(CANARY);
    expect(new ConfigError(problems).message).not.toContain(CANARY);
  });

  it('never appears when a number that was put in is out of bounds', () => {
    expect(JSON.stringify(problemsOf('api: {port: "${S}"}', { S: '987654' }))).not.toContain('987654');
  });

  it('never appears in a problem of a plugin’s schema, even when a check echoes its input', () => {
    const schema = z.strictObject({
      url: z.url(),
      kind: z.enum(['a', 'b']),
      key: z.string().refine(() => false, { error: ({ input }) => `bad key ${String(input)}` }),
      union: z.union([z.number(), z.strictObject({ a: z.number() })]),
      thrown: z.string().refine((input) => {
        throw new Error(`cannot use ${input}`);
      }),
    });
    const names = ['url', 'kind', 'key', 'union', 'thrown'];
    for (const only of [names.slice(0, 4), names]) {
      const text = tenant('plugin_settings:', ...only.map((name) => `  ${name}: Bearer \${S}`));
      const shape = only.includes('thrown') ? schema : schema.omit({ thrown: true });
      const result = load(text, { S: CANARY }).checkSection(['tenants', 'prod', 'plugin_settings'], shape);
      expect('problems' in result && result.problems.length).toBeGreaterThan(0);
      expect(JSON.stringify(result)).not.toContain(CANARY);
    }
  });

  it('never appears in a problem that others make', () => {
    const loaded = load(tenant('plugin_settings: {key: "${S}"}'), { S: CANARY });
    const problem = loaded.problemAt(['tenants'], 'CB_PLUGIN_CREATE', `refused ${CANARY}`, {
      fix: `not ${CANARY}`,
    });
    expect(problem).toMatchObject({ message: 'refused ***', fix: 'not ***' });
  });
});
