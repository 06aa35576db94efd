import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, places, problemsOf, tenant, type Variables } from './support.ts';

/** What a value in plugin_settings, which are kept as they are, becomes. */
function settingOf(value: string, environment: Variables = {}): unknown {
  return load(tenant('plugin_settings:', `  key: ${value}`), environment).config.tenants.prod?.plugin_settings
    .key;
}

describe('placeholders', () => {
  it.each([
    ['${A}', { A: 'x' }, 'x'],
    ['"${A}"', { A: 'x' }, 'x'],
    ['${A}-${B}/${A}', { A: 'x', B: 'y' }, 'x-y/x'],
    ['${A:-fallback}', {}, 'fallback'],
    ['${A:-fallback}', { A: '' }, 'fallback'],
    ['${A:-fallback}', { A: 'x' }, 'x'],
    ['"${A:-}"', {}, ''],
    ['"[${A:-}]"', {}, '[]'],
    ['${A:-http://h:1/$x}', {}, 'http://h:1/$x'],
    ['"${A}"', { A: '' }, ''],
    ['"$${A}"', {}, '${A}'],
    ['"a$${A}b${B}"', { B: 'y' }, 'a${A}by'],
    ['$A', { A: 'x' }, '$A'],
    ['"${A}"', { A: '${B}', B: 'never' }, '${B}'],
    ['"${A}"', { A: '$&$1' }, '$&$1'],
  ])('%s with %j becomes %j', (value, environment: Variables, expected) => {
    expect(settingOf(value, environment)).toBe(expected);
  });

  it('are replaced in lists and deep below, not in keys and not in comments', () => {
    const text = tenant(
      'plugin_settings:  # ${NEVER}',
      '  "${KEY}": [a, "${A}"]',
      '  block: |',
      '    line ${A}',
    );
    expect(load(text, { A: 'x' }).config.tenants.prod?.plugin_settings).toEqual({
      '${KEY}': ['a', 'x'],
      block: 'line x\n',
    });
  });

  it('leave every text without ${ as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        fc.pre(!text.includes('${'));
        expect(settingOf(JSON.stringify(text), { A: 'x' })).toBe(text);
      }),
    );
  });

  it('leave the text around them as it is, and what they put in is not read again', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (before, value, after) => {
        fc.pre(!before.includes('${') && !before.endsWith('$') && !after.includes('${'));
        expect(settingOf(JSON.stringify(`${before}\${A}${after}`), { A: value })).toBe(
          before + value + after,
        );
      }),
    );
  });
});

describe('a missing variable', () => {
  it('is reported by name and place, all of them at once', () => {
    const problems = problemsOf(
      tenant('plugin_settings:', '  a: ${ONE}', '  b: "x ${TWO} ${THREE}"', '  c: ${ONE}'),
    );
    expect(places(problems)).toEqual([
      '6:10 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.a',
      '7:10 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.b',
      '7:10 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.b',
      '8:10 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.c',
    ]);
    expect(problems.map(({ message }) => /variable (\w+)/u.exec(message)?.[1])).toEqual([
      'ONE',
      'TWO',
      'THREE',
      'ONE',
    ]);
  });

  it('is the only problem of its value, whatever the schema wants there', () => {
    const text = `logging: {level: "\${A}"}\napi: {port: "\${B}"}\n${tenant('storage: {connection_string: "${C}"}')}`;
    expect(problemsOf(text).map(({ code }) => code)).toEqual(Array(3).fill('CB_CONFIG_VARIABLE'));
  });

  it('behind an alias is reported once', () => {
    const text = tenant('plugin_settings:', '  a: &a {x: "${ONE}"}', '  b: *a', '  c: *a');
    expect(places(problemsOf(text))).toEqual(['6:17 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.a.x']);
  });

  it('is not found among what every object has', () => {
    expect(problemsOf(tenant('plugin_settings: {a: "${constructor}"}'))).toHaveLength(1);
  });

  it.each(['${', '${}', '${A:x}', '${A:?x}', '${1A}', '${A', '${A:-${B}}', '${A B}'])(
    'a ${ that is no placeholder (%s) is an error that shows the way out',
    (value) => {
      const problems = problemsOf(tenant('plugin_settings:', `  key: '${value}'`), { A: 'a', B: 'b' });
      expect(places(problems)).toEqual(['6:12 CB_CONFIG_VARIABLE tenants.prod.plugin_settings.key']);
      expect(problems[0]?.fix).toContain('$${');
    },
  );
});

describe('the type of a value that is one placeholder', () => {
  it.each(['3', ' 3\n', '+3', '0x3', '3.0'])('is a number where a number is wanted (%j)', (value) => {
    const text = `features:\n  max_parallel_tenants: \${N}\n${tenant()}`;
    expect(load(text, { N: value }).config.features.max_parallel_tenants).toBe(3);
  });

  it.each([
    ['true', true],
    ['FALSE', false],
    ['yes', true],
  ])('is a boolean where a boolean is wanted (%s)', (value, expected) => {
    expect(load(`api:\n  enable_cors: "\${B}"\n${tenant()}`, { B: value }).config.api.enable_cors).toBe(
      expected,
    );
  });

  it('comes from a default too', () => {
    expect(load(`api:\n  port: \${PORT:-81}\n${tenant()}`).config.api.port).toBe(81);
  });

  it.each(['007', '12345', 'true', 'null', '1e3', '~'])(
    'stays a text where a text is wanted (%s)',
    (value) => {
      const text = 'tenants:\n  a:\n    ecosystem: demo\n    tenant_id: ${ID}\n';
      expect(load(text, { ID: value }).config.tenants.a?.tenant_id).toBe(value);
    },
  );

  it('is not guessed for a text with a placeholder inside, nor for a quoted number', () => {
    expect(places(problemsOf('api:\n  port: "8${N}"\n', { N: '0' }))).toEqual([
      '2:3 CB_CONFIG_VALUE api.port',
    ]);
    expect(places(problemsOf('api:\n  port: "80"\n'))).toEqual(['2:3 CB_CONFIG_VALUE api.port']);
    expect(places(problemsOf('api:\n  enable_cors: "yes"\n'))).toEqual([
      '2:3 CB_CONFIG_VALUE api.enable_cors',
    ]);
  });

  it('is judged by the bounds after it became a number', () => {
    const [problem] = problemsOf('api:\n  port: ${PORT}\n', { PORT: '70000' });
    expect(problem?.message).toBe('must be at most 65535');
  });

  it('is called a text when it cannot be read as what is wanted', () => {
    for (const value of ['', 'abc', '1 2', '{a: 1}', '[1]', '---', '1'.repeat(100), '!!int 3']) {
      expect(problemsOf('api:\n  port: ${PORT}\n', { PORT: value })).toHaveLength(1);
    }
  });
});
