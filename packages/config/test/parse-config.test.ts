import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ChargebackError } from '@chargeback/plugin-api';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@chargeback/config';
import { load, places, problemsOf, tenant } from './support.ts';

const EXISTING_STYLE = readFileSync(path.join(import.meta.dirname, 'existing-style.yaml'), 'utf8');

describe('a file of the existing product', () => {
  const variables = { PROM_URL: 'https://p.example.com', PROM_USER: 'reader', PROM_PASS: '12345' };

  it('loads unchanged', () => {
    const { config } = load(EXISTING_STYLE, variables);
    expect(config.logging).toEqual({ level: 'DEBUG', per_module_levels: { 'core.engine': 'WARNING' } });
    expect(config.features).toEqual({
      enable_periodic_refresh: false,
      refresh_interval: 900,
      refresh_schedule: null,
      max_parallel_tenants: 8,
    });
    expect(config.api).toEqual({
      host: '127.0.0.1',
      port: 9090,
      enable_cors: true,
      cors_origins: ['https://dashboard.example.com'],
      request_timeout_seconds: 60,
    });
    expect(config.plugins_path).toBe('./plugins');
    expect(config.tenants['team-alpha']).toEqual({
      ecosystem: 'generic_metrics_only',
      tenant_id: 'alpha',
      lookback_days: 364,
      cutoff_days: 30,
      retention_days: 730,
      allocation_retry_limit: 10,
      topic_attribution_retry_limit: 9,
      zero_gather_deletion_threshold: 3,
      gather_failure_threshold: 7,
      resume_after_seconds: null,
      tenant_execution_timeout_seconds: 0,
      metrics_prefetch_workers: 20,
      storage: { connection_string: 'sqlite:///data/alpha.db' },
      plugin_settings: {
        cluster_id: 'demo-cluster',
        metrics: { url: 'https://p.example.com', auth_type: 'basic', username: 'reader', password: '12345' },
        granularity_durations: { weekly: 168 },
        emitters: [{ type: 'csv', aggregation: 'monthly', params: { output_dir: './monthly-output' } }],
      },
    });
  });

  it('gets a warning for settings of an ecosystem that mean nothing here, whatever they hold', () => {
    const text = tenant('plugin_settings: {topic_attribution: {enabled: true, any: [thing]}, kept: 1}');
    const { config, warnings } = load(text);
    expect(Object.values(config.tenants)[0]?.plugin_settings).toEqual({ kept: 1 });
    expect(warnings.map(({ code }) => code)).toEqual(['CB_CONFIG_IGNORED_KEY']);
  });

  it('gets a warning for each key that means nothing here', () => {
    const { warnings } = load(EXISTING_STYLE, variables);
    expect(places(warnings)).toEqual([
      '4:3 CB_CONFIG_IGNORED_KEY logging.format',
      '18:1 CB_CONFIG_IGNORED_KEY preview',
      '36:7 CB_CONFIG_IGNORED_KEY tenants.team-alpha.storage.backend',
      '52:5 CB_CONFIG_IGNORED_KEY tenants.team-alpha.focus_preview',
    ]);
    expect(new Set(warnings.map(({ severity }) => severity))).toEqual(new Set(['warning']));
  });
});

describe('defaults', () => {
  it('fill in everything but the ecosystem and the tenant id', () => {
    const { config, warnings } = load(tenant());
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      logging: { level: 'INFO', per_module_levels: {} },
      features: {
        enable_periodic_refresh: true,
        refresh_interval: 1800,
        refresh_schedule: null,
        max_parallel_tenants: 4,
      },
      api: { host: '0.0.0.0', port: 8080, enable_cors: false, cors_origins: [], request_timeout_seconds: 30 },
      monitoring: { host: '127.0.0.1', port: null },
      plugins_path: null,
      plugins: [],
      tenants: {
        prod: {
          ecosystem: 'demo',
          tenant_id: 't-1',
          lookback_days: 200,
          cutoff_days: 5,
          retention_days: 250,
          allocation_retry_limit: 3,
          topic_attribution_retry_limit: 3,
          zero_gather_deletion_threshold: -1,
          gather_failure_threshold: 5,
          resume_after_seconds: null,
          tenant_execution_timeout_seconds: 3600,
          metrics_prefetch_workers: 4,
          storage: { connection_string: 'sqlite:///data/chargeback.db' },
          plugin_settings: {},
        },
      },
    });
  });

  it.each(['', '# only a comment\n', '---\n', 'tenants:\n', 'tenants: {}\n'])(
    'an empty configuration (%j) loads with a warning that no tenants are configured',
    (text) => {
      const { config, warnings } = load(text);
      expect(config.tenants).toEqual({});
      expect(warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/no tenants/)]);
    },
  );

  it('a section whose keys are all commented out counts as empty', () => {
    const { config } = load(
      `features:\n  # refresh_interval: 5\napi:\n  cors_origins:\n${tenant('storage:')}`,
    );
    expect(config.features.refresh_interval).toBe(1800);
    expect(config.api.cors_origins).toEqual([]);
    expect(config.tenants.prod?.storage.connection_string).toBe('sqlite:///data/chargeback.db');
  });

  it('yes and off are booleans where a boolean is wanted, and texts elsewhere', () => {
    const { config } = load(`api:\n  enable_cors: yes\n  host: no\n${tenant()}`);
    expect(config.api).toMatchObject({ enable_cors: true, host: 'no' });
  });
});

describe('bounds', () => {
  const bounds: readonly (readonly [string, readonly number[], readonly number[]])[] = [
    ['lookback_days', [6, 364], [0, 365]],
    ['cutoff_days', [1, 30], [0, 31]],
    ['retention_days', [1, 730], [0, 731]],
    ['allocation_retry_limit', [1, 10], [0, 11]],
    ['topic_attribution_retry_limit', [1, 10], [0, 11]],
    ['zero_gather_deletion_threshold', [-1, 1000], [-2]],
    ['gather_failure_threshold', [1, 1000], [0]],
    ['tenant_execution_timeout_seconds', [0, 1_000_000], [-1]],
    ['metrics_prefetch_workers', [1, 20], [0, 21]],
  ];
  const globals: readonly (readonly [string, string, readonly number[], readonly number[]])[] = [
    ['features', 'refresh_interval', [1, 100_000], [0]],
    ['features', 'max_parallel_tenants', [1, 64], [0, 65]],
    ['api', 'port', [1, 65_535], [0, 65_536]],
    ['api', 'request_timeout_seconds', [1, 300], [0, 301]],
  ];

  it.each(bounds)('of %s hold at both ends', (key, good, bad) => {
    for (const value of good) {
      expect(load(tenant(`${key}: ${value}`)).config.tenants.prod).toMatchObject({ [key]: value });
    }
    for (const value of [...bad, 1.5, '[1]', 'many']) {
      expect(places(problemsOf(tenant(`${key}: ${value}`)))).toContain(
        `5:5 CB_CONFIG_VALUE tenants.prod.${key}`,
      );
    }
  });

  it.each(globals)('of %s.%s hold at both ends', (section, key, good, bad) => {
    for (const value of good) {
      expect(load(`${section}:\n  ${key}: ${value}\n`).config).toMatchObject({ [section]: { [key]: value } });
    }
    for (const value of bad) {
      expect(places(problemsOf(`${section}:\n  ${key}: ${value}\n`))).toEqual([
        `2:3 CB_CONFIG_VALUE ${section}.${key}`,
      ]);
    }
  });

  it('lookback_days must be > cutoff_days, whether written or by default', () => {
    for (const lines of [['lookback_days: 5'], ['lookback_days: 9', 'cutoff_days: 9']]) {
      const [problem, ...others] = problemsOf(tenant(...lines));
      expect(others).toEqual([]);
      expect(problem).toMatchObject({ line: 5, column: 5, path: 'tenants.prod.lookback_days' });
      expect(problem?.message).toContain('lookback_days must be > cutoff_days');
    }
    expect(
      load(tenant('lookback_days: ${L}', 'cutoff_days: 9'), { L: '10' }).config.tenants.prod,
    ).toMatchObject({
      lookback_days: 10,
    });
  });
});

describe('unknown keys', () => {
  it('are errors with the place and the nearest name', () => {
    const problems = problemsOf(`featurs: {}\n${tenant('lookback_dyas: 3', 'zzz: 1')}`);
    expect(places(problems)).toEqual([
      '1:1 CB_CONFIG_UNKNOWN_KEY featurs',
      '6:5 CB_CONFIG_UNKNOWN_KEY tenants.prod.lookback_dyas',
      '7:5 CB_CONFIG_UNKNOWN_KEY tenants.prod.zzz',
    ]);
    expect(problems.map(({ fix }) => fix)).toEqual([
      'Did you mean features?',
      'Did you mean lookback_days?',
      expect.not.stringContaining('Did you mean'),
    ]);
    expect(problems[2]?.fix).toContain('lookback_days, cutoff_days');
  });

  it('are found by another spelling of the same words', () => {
    expect(problemsOf('features:\n  Refresh-Interval: 5\n')[0]?.fix).toBe('Did you mean refresh_interval?');
  });

  it('of the existing product are not forgiven in other places', () => {
    expect(places(problemsOf(tenant('backend: sqlmodel')))).toEqual([
      '5:5 CB_CONFIG_UNKNOWN_KEY tenants.prod.backend',
    ]);
  });
});

describe('problems', () => {
  const text = [
    'logging:',
    '  level: verbose',
    'api:',
    '  prot: 80',
    'tenants:',
    '  prod:',
    '    tenant_id: 42',
    '    lookback_days: 400',
    '    storage: {backend: sqlmodel}',
    '  "team a":',
    '    ecosystem: ${MISSING}',
    '    tenant_id: b',
  ].join('\n');

  it('are all reported at once, in the order of the file', () => {
    expect(places(problemsOf(text))).toEqual([
      '2:3 CB_CONFIG_VALUE logging.level',
      '4:3 CB_CONFIG_UNKNOWN_KEY api.prot',
      '6:3 CB_CONFIG_VALUE tenants.prod.ecosystem',
      '7:5 CB_CONFIG_VALUE tenants.prod.tenant_id',
      '8:5 CB_CONFIG_VALUE tenants.prod.lookback_days',
      '9:15 CB_CONFIG_IGNORED_KEY tenants.prod.storage.backend',
      '10:3 CB_CONFIG_SHARED_DATABASE tenants["team a"].storage.connection_string',
      '11:16 CB_CONFIG_VARIABLE tenants["team a"].ecosystem',
    ]);
  });

  it('stand in the message of the error, one line each, with place, path and fix', () => {
    const error = captured(() => load(text));
    expect(error).toBeInstanceOf(ConfigError);
    expect(ChargebackError.isInstance(error)).toBe(true);
    expect(error).toMatchObject({ code: 'CB_CONFIG_INVALID' });
    const lines = error.message.split('\n');
    expect(lines[0]).toBe('The configuration has 7 problems:');
    expect(lines).toContain(
      'config.yaml:8:5 tenants.prod.lookback_days: must be at most 364 (fix: Write a value of at most 364.)',
    );
    expect(lines).toContain('config.yaml:4:3 api.prot: this key is not known (fix: Did you mean port?)');
  });

  it('say that a number in a text’s place needs quotes', () => {
    expect(problemsOf(text).find(({ line }) => line === 7)).toMatchObject({
      message: 'must be text; YAML reads a number',
      fix: 'Put the value in quotes.',
    });
  });

  it('can be made at a place of the file by others, absent keys at their nearest parent', () => {
    const loaded = load(tenant('plugin_settings:', '  emitters:', '    - type: csv'));
    expect(
      loaded.problemAt(['tenants', 'prod', 'ecosystem'], 'CB_PLUGIN_UNKNOWN_ECOSYSTEM', 'no plugin'),
    ).toEqual({
      code: 'CB_PLUGIN_UNKNOWN_ECOSYSTEM',
      severity: 'error',
      message: 'no plugin',
      fix: expect.stringContaining('ecosystems listed'),
      path: 'tenants.prod.ecosystem',
      date: null,
      file: 'config.yaml',
      line: 3,
      column: 5,
    });
    const at = ['tenants', 'prod', 'plugin_settings', 'emitters', 0, 'name'];
    expect(loaded.problemAt(at, 'CB_EMIT_SETTINGS', 'x', { fix: 'y', severity: 'warning' })).toMatchObject({
      path: 'tenants.prod.plugin_settings.emitters[0].name',
      fix: 'y',
      severity: 'warning',
      line: 7,
      column: 11,
    });
    expect(loaded.problemAt([], 'CB_INTERNAL', 'x')).toMatchObject({ path: null, line: null, column: null });
  });
});

function captured(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error('nothing was thrown');
}
