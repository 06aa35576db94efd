import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ConfigError, type ConfigProblem, parseConfig } from '@chargeback/config';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'chargeback-config-'));
  mkdirSync(path.join(folder, 'data'));
  writeFileSync(path.join(folder, 'data', 'there.db'), '');
  symlinkSync(path.join(folder, 'data', 'there.db'), path.join(folder, 'link.db'));
  symlinkSync('data', path.join(folder, 'linked'));
  symlinkSync(path.join('data', 'not-yet.db'), path.join(folder, 'dangling.db'));
  linkSync(path.join(folder, 'data', 'there.db'), path.join(folder, 'hard.db'));
});

afterAll(() => rmSync(folder, { recursive: true }));

function sharedBy(...connections: (string | null)[]): readonly ConfigProblem[] {
  const tenants = connections.map((connection, index) => {
    const storage =
      connection === null ? '' : `\n    storage: {connection_string: ${JSON.stringify(connection)}}`;
    return `  team-${index}:\n    ecosystem: demo\n    tenant_id: t${index}${storage}`;
  });
  try {
    const text = `tenants:\n${tenants.join('\n')}\n`;
    parseConfig(text, { file: 'config.yaml', environment: { FOLDER: folder }, workingDirectory: folder });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

describe('two tenants on one database', () => {
  it.each([
    ['sqlite:///data/a.db', 'sqlite:///data/a.db'],
    ['sqlite:///data/a.db', 'sqlite:///./data/a.db'],
    ['sqlite:///data/a.db', 'sqlite:///data/../data/a.db'],
    ['sqlite:///data/a.db', 'sqlite:///data//a.db'],
    ['sqlite:///data/a.db', 'sqlite:///${FOLDER}/data/a.db'],
    ['sqlite:///data/a.db', 'sqlite:///data/a.db?timeout=5'],
    ['sqlite:///data/a.db', ' sqlite+pysqlite:///data/a.db '],
    ['sqlite:///data/a.db', 'sqlite:///linked/a.db'],
    ['sqlite:///data/there.db', 'sqlite:///link.db'],
    ['sqlite:///data/there.db', 'sqlite:///hard.db'],
    ['sqlite:///data/not-yet.db', 'sqlite:///dangling.db'],
    ['sqlite:///:memory:', 'sqlite://'],
    ['postgresql://u:p@db.example.com/costs', 'postgresql://u:p@db.example.com/costs'],
    [
      'postgresql://u:p@db.example.com/costs',
      'postgres://other:q@DB.Example.com.:5432/costs?sslmode=require',
    ],
    ['postgresql://u@localhost/costs', 'postgresql+psycopg2://v@127.0.0.1:5432/costs'],
    ['postgresql://u@[::1]:5433/costs', 'postgresql:///costs?host=localhost&port=5433'],
    ['postgresql://u:p%40x@db/a%62c', 'postgresql://db/abc'],
    ['mysql://h/db', 'mysql://h/db'],
    [null, 'sqlite:///data/chargeback.db'],
    [null, null],
  ])('%s and %s are rejected, naming both tenants', (first, second) => {
    const problems = sharedBy(first, second);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatchObject({
      code: 'CB_CONFIG_SHARED_DATABASE',
      path: 'tenants.team-1.storage.connection_string',
      line: (first === null ? 4 : 5) + (second === null ? 1 : 4),
    });
    expect(problems[0]?.message).toContain('team-0 and team-1');
  });

  it('are told without showing the connection string', () => {
    const secret = 'postgresql://u:canary-password@h/db';
    expect(JSON.stringify(sharedBy(secret, secret))).not.toContain('canary-password');
  });

  it('are each named when there are more than two', () => {
    const messages = sharedBy(null, 'sqlite:///b.db', null, 'sqlite:///./b.db', null).map(
      ({ message }) => message,
    );
    expect(messages).toEqual([
      expect.stringContaining('team-0 and team-2'),
      expect.stringContaining('team-1 and team-3'),
      expect.stringContaining('team-0 and team-4'),
    ]);
  });

  it.each([
    ['sqlite:///data/a.db', 'sqlite:////data/a.db'],
    ['sqlite:///data/a.db', 'sqlite:///data/b.db'],
    ['postgresql://u@h/a', 'postgresql://u@h/b'],
    ['postgresql://u@h/a', 'postgresql://u@h/A'],
    ['postgresql://u@h/a', 'postgresql://u@h:5433/a'],
    ['postgresql://u@h/a', 'postgresql://u@g/a'],
    ['postgresql://u@h/a', 'sqlite:///h/a'],
  ])('%s and %s are different', (first, second) => {
    expect(sharedBy(first, second)).toEqual([]);
  });
});
