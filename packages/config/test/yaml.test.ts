import { ConfigError } from '@chargeback/config';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { load, places, problemsOf, tenant } from './support.ts';

describe('malformed YAML', () => {
  it.each([
    ['a: "open', '1:9'],
    ['a: [1, 2', '1:9'],
    ['a: 1\n\tb: 2', '2:1'],
    ['a: b: c', '1:4'],
    ['a: 1\n b: 2', '1:4'],
    ['tenants: [${A}, ${B}]', '1:12'],
  ])('%j is reported with its place', (text, place) => {
    const [problem] = problemsOf(text, { A: 'a', B: 'b' });
    expect(problem).toMatchObject({ code: 'CB_CONFIG_YAML', severity: 'error' });
    expect(`${problem?.line}:${problem?.column}`).toBe(place);
  });

  it('is told without quoting the file, which may hold secrets', () => {
    const text = 'password: "s3cr3t-canary\nother: [s3cr3t-canary2 }\n!s3cr3t-canary3 x: *s3cr3t';
    expect(JSON.stringify(problemsOf(text))).not.toContain('s3cr3t');
  });

  it.each([
    ['- a\n- b', '1:1', 'map'],
    ['just text', '1:1', 'map'],
    ['tenants: {}\n---\ntenants: {}', '2:1', 'second document'],
    ['api: !include other.yaml', '1:6', 'tag'],
    ['api: !!binary aGVsbG8=', '1:6', 'tag'],
    ['api: *nowhere', '1:6', 'no anchor'],
    ['? {a: 1}\n: 2', '1:3', 'key'],
    ['__proto__: {a: 1}', '1:1', 'key'],
    ['api: &x {host: *x}', '1:16', 'contains itself'],
  ])('%j is rejected', (text, place, word) => {
    const problem = problemsOf(text).find(({ code }) => code === 'CB_CONFIG_YAML');
    expect(problem?.message).toContain(word);
    expect(`${problem?.line}:${problem?.column}`).toBe(place);
  });
});

describe('a key written twice', () => {
  it('is rejected with both lines, together with everything else that is wrong', () => {
    const problems = problemsOf(`api:\n  port: 1\n  port: 2\n${tenant('lookback_days: 0')}`);
    expect(places(problems)).toEqual([
      '3:3 CB_CONFIG_YAML null',
      '8:5 CB_CONFIG_VALUE tenants.prod.lookback_days',
    ]);
    expect(problems[0]?.message).toBe('the key port is written twice, first on line 2');
  });

  it('is noticed when one of the two is quoted or a number', () => {
    expect(problemsOf(tenant('plugin_settings: {1: a, "1": b}'))[0]?.message).toContain('twice');
  });
});

describe('anchors and merge keys', () => {
  const text = [
    'tenants:',
    '  one: &one',
    '    ecosystem: demo',
    '    tenant_id: one',
    '    cutoff_days: 3',
    '    storage: {connection_string: "sqlite:///one.db"}',
    '    plugin_settings: &settings {a: 1, b: {c: 2}}',
    '  two:',
    '    <<: *one',
    '    tenant_id: two',
    '    storage: {connection_string: "sqlite:///two.db"}',
    '    plugin_settings:',
    '      <<: [{b: 5}, *settings]',
    '      d: *settings',
  ];

  it('work: own keys win, then earlier merges', () => {
    expect(load(text.join('\n')).config.tenants.two).toMatchObject({
      tenant_id: 'two',
      cutoff_days: 3,
      storage: { connection_string: 'sqlite:///two.db' },
      plugin_settings: { a: 1, b: 5, d: { a: 1, b: { c: 2 } } },
    });
  });

  it('point at the place where a wrong value is written', () => {
    const wrong = text.with(4, '    cutoff_days: 99');
    expect(places(problemsOf(wrong.join('\n')))).toEqual([
      '5:5 CB_CONFIG_VALUE tenants.one.cutoff_days',
      '5:5 CB_CONFIG_VALUE tenants.two.cutoff_days',
    ]);
  });

  it('may be shared by hundreds of tenants', () => {
    const many = Array.from({ length: 300 }, (_, index) => [
      `  t${index}: {<<: *one, tenant_id: "t${index}", storage: {connection_string: "sqlite:///t${index}.db"}}`,
    ]);
    expect(Object.keys(load([...text.slice(0, 7), ...many].join('\n')).config.tenants)).toHaveLength(301);
  });

  it('merge maps only', () => {
    expect(problemsOf('api:\n  <<: 5\n')[0]).toMatchObject({ code: 'CB_CONFIG_YAML', line: 2 });
  });
});

describe('hostile files', () => {
  const doubling = Array.from({ length: 40 }, (_, index) =>
    index === 0 ? 'a0: &a0 [x, x]' : `a${index}: &a${index} [*a${index - 1}, *a${index - 1}]`,
  ).join('\n');
  const merging = Array.from({ length: 40 }, (_, index) =>
    index === 0 ? 'a0: &a0 {x: 1}' : `a${index}: &a${index} {l: *a${index - 1}, r: {<<: *a${index - 1}}}`,
  ).join('\n');

  it.each([
    ['aliases that double 40 times', doubling, 'values once its aliases are written out'],
    ['merges that double 40 times', merging, 'values once its aliases are written out'],
    ['very deep lists', `${'['.repeat(50_000)}`, 'too deep'],
    ['deep lists that are well-formed', `a: ${'['.repeat(100)}${']'.repeat(100)}`, 'deeper than 64'],
    ['more than 5 MB', '#'.repeat(5_000_001), 'larger than 5 MB'],
  ])('with %s are rejected', (_, text, word) => {
    const problems = problemsOf(text);
    expect(problems.map(({ message }) => message)).toEqual(
      expect.arrayContaining([expect.stringContaining(word)]),
    );
    expect(problems.every(({ code }) => code === 'CB_CONFIG_YAML')).toBe(true);
  });

  it('with hundreds of thousands of open placeholders are rejected', () => {
    expect(problemsOf(`api: "${'${A:-'.repeat(200_000)}"`)[0]?.code).toBe('CB_CONFIG_VARIABLE');
  });
});

describe('any text whatever', () => {
  const fragments = [
    'tenants',
    'api',
    ':',
    ' ',
    '\n',
    '  ',
    '- ',
    '[',
    ']',
    '{',
    '}',
    '"',
    '&a',
    '*a',
    '<<',
    '${A}',
    '#',
    '1',
    '|',
    '!x',
    '---',
  ];

  it('loads or is rejected with places, and nothing else is thrown', () => {
    const text = fc.oneof(
      fc.string(),
      fc.array(fc.constantFrom(...fragments), { maxLength: 30 }).map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(text, (source) => {
        expect(outcomeOf(source)).toMatch(/^(loaded|rejected)$/u);
      }),
      { numRuns: 2000 },
    );
  });
});

function outcomeOf(text: string): string {
  try {
    load(text, { A: '1' });
    return 'loaded';
  } catch (error) {
    return error instanceof ConfigError && error.problems.length > 0 ? 'rejected' : String(error);
  }
}
