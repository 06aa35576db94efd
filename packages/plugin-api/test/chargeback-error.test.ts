import { describe, expect, it, vi } from 'vitest';
import { ChargebackError, describeCause, ERROR_CODES, makeProblem, problemOf } from '../src/index.ts';

describe('ChargebackError', () => {
  it('carries code, message, the fix of the table, path and cause', () => {
    const cause = new Error('inner');
    const error = new ChargebackError('CB_STORAGE_BUSY', 'locked', { path: 'tenants.acme', cause });
    expect(error).toMatchObject({
      name: 'ChargebackError',
      code: 'CB_STORAGE_BUSY',
      message: 'locked',
      fix: ERROR_CODES.CB_STORAGE_BUSY.fix,
      path: 'tenants.acme',
      cause,
    });
    expect(error).toBeInstanceOf(Error);
  });

  it('takes a more specific fix, and has no path or cause unless given', () => {
    const error = new ChargebackError('CB_STORAGE_BUSY', 'locked', { fix: 'Stop process 7.' });
    expect(error.fix).toBe('Stop process 7.');
    expect(error.path).toBeNull();
    expect('cause' in error).toBe(false);
  });

  it('is recognised when another copy of the package made it', async () => {
    vi.resetModules();
    const copy = await import('../src/index.ts');
    expect(copy.ChargebackError).not.toBe(ChargebackError);
    const foreign = new copy.ChargebackError('CB_LINE_INVALID', 'from a plugin');
    expect(foreign).not.toBeInstanceOf(ChargebackError);
    expect(ChargebackError.isInstance(foreign)).toBe(true);
    expect(copy.ChargebackError.isInstance(new ChargebackError('CB_LINE_INVALID', 'ours'))).toBe(true);
  });

  it.each([
    null,
    undefined,
    'CB_LINE_INVALID',
    7,
    {},
    new Error('CB_LINE_INVALID'),
    { code: 'CB_LINE_INVALID' },
  ])('is not %o', (value) => {
    expect(ChargebackError.isInstance(value)).toBe(false);
  });
});

describe('problems', () => {
  it('are errors as data', () => {
    const error = new ChargebackError('CB_LINE_INVALID', 'no resource', { path: 'line-1' });
    expect(problemOf(error, '2026-02-01')).toEqual({
      code: 'CB_LINE_INVALID',
      severity: 'error',
      message: 'no resource',
      fix: ERROR_CODES.CB_LINE_INVALID.fix,
      path: 'line-1',
      date: '2026-02-01',
    });
  });

  it('are warnings without place or day unless more is said', () => {
    expect(makeProblem('CB_METRICS_PARTIAL', 'half')).toEqual({
      code: 'CB_METRICS_PARTIAL',
      severity: 'warning',
      message: 'half',
      fix: ERROR_CODES.CB_METRICS_PARTIAL.fix,
      path: null,
      date: null,
    });
    const full = { severity: 'error', fix: 'Do.', path: 'p', date: '2026-02-01' } as const;
    expect(makeProblem('CB_METRICS_PARTIAL', 'half', full)).toMatchObject(full);
  });
});

describe('describeCause', () => {
  it('tells the chain of causes, outermost first, without repeating one', () => {
    const error = new Error('outer', {
      cause: new Error('outer', { cause: new Error('inner', { cause: 'root' }) }),
    });
    expect(describeCause(error)).toBe('outer: inner: root');
    expect(describeCause('text')).toBe('text');
    expect(describeCause(undefined)).toBe('');
  });

  it('tells each of the errors of one that says nothing itself, once', () => {
    const refused = ['connect ECONNREFUSED ::1:9', 'connect ECONNREFUSED 127.0.0.1:9'];
    const errors = [...refused, refused[0]].map((message) => new Error(message));
    const error = new Error('outer', { cause: new AggregateError([...errors, 'text']) });
    expect(describeCause(error)).toBe(`outer: ${refused.join(', ')}, text`);
    expect(describeCause(new AggregateError(errors, 'all failed'))).toBe('all failed');
  });

  it('ends when causes go round in a circle', () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    expect(describeCause(first).startsWith('first: second: first')).toBe(true);
  });
});
