import { describe, expect, it } from 'vitest';
import { eachWithinTimeLimit } from '../src/within-time-limit.ts';

const NEVER = new AbortController().signal;

function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

describe('lines that are worked on under one watch', () => {
  it('are each cut off by themselves, whoever came within the same turn', async () => {
    const done: string[] = [];
    const overtime: string[] = [];
    const job = (name: string, endless: number) =>
      eachWithinTimeLimit([0, 1, 2], {
        work(item) {
          if (item === endless) for (;;);
          done.push(`${name}${item}`);
        },
        onOvertime: (item) => overtime.push(`${name}${item}`),
        signal: NEVER,
      });
    await Promise.all([job('a', 1), job('b', -1), job('c', 2)]);
    expect(done.toSorted()).toEqual(['a0', 'a2', 'b0', 'b1', 'b2', 'c0', 'c1']);
    expect(overtime.toSorted()).toEqual(['a1', 'c2']);
  });

  it('are ended by what one throws, and nobody else’s are', async () => {
    const cause = new Error('thrown');
    const done: number[] = [];
    const failing = eachWithinTimeLimit([0, 1, 2], {
      work(item) {
        if (item === 1) throw cause;
      },
      onOvertime: () => {},
      signal: NEVER,
    });
    const other = eachWithinTimeLimit([0, 1, 2], {
      work: (item) => done.push(item),
      onOvertime: () => {},
      signal: NEVER,
    });
    await expect(failing).rejects.toBe(cause);
    await other;
    expect(done).toEqual([0, 1, 2]);
  });

  it('are not worked on any more once their signal aborts, and others are', async () => {
    const control = new AbortController();
    const reason = new Error('stop');
    let isToAbort = false;
    let after = 0;
    const aborted = eachWithinTimeLimit(Array.from({ length: 100_000 }), {
      work() {
        // In the turn behind this slice.
        if (!isToAbort) setImmediate(() => control.abort(reason));
        isToAbort = true;
        if (control.signal.aborted) after += 1;
        busy(1);
      },
      onOvertime: () => {},
      signal: control.signal,
    });
    aborted.catch(() => {});
    let others = 0;
    const other = eachWithinTimeLimit(Array.from({ length: 200 }), {
      work() {
        others += 1;
        busy(1);
      },
      onOvertime: () => {},
      signal: NEVER,
    });
    await expect(aborted).rejects.toBe(reason);
    await other;
    expect([after, others]).toEqual([0, 200]);
  });

  it('wait for no other’s: one that needs many slices lets the next have some', async () => {
    const order: string[] = [];
    const job = async (name: string, items: number, each: number) => {
      const work = () => busy(each);
      await eachWithinTimeLimit(Array.from({ length: items }), { work, onOvertime: () => {}, signal: NEVER });
      order.push(name);
    };
    await Promise.all([job('long', 20, 30), job('short', 2, 1)]);
    expect(order).toEqual(['short', 'long']);
  });
});
