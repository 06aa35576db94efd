import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createOwnership } from '../src/ownership.ts';
import { ownershipSchema } from '../src/ownership-schema.ts';
import { connect } from './support.ts';

const own = (entries: readonly object[]) => createOwnership(ownershipSchema.parse(entries));
const DAY = '2026-02-10';

describe('who owns what', () => {
  it.each([
    ['orders.*', 'orders.created', true],
    ['orders.*', 'orders', false],
    ['orders*', 'orders', true],
    ['*', '__consumer_offsets', true],
    ['*', '.hidden', true],
    ['__*', '__consumer_offsets', true],
    ['{orders,payments}.*', 'payments.v1', true],
    ['orders.?', 'orders.1', true],
    ['User:CN=*', 'User:CN=alice,OU=a/b', true],
    ['!orders', 'payments', false],
  ])('the glob %s on %s: %s', (topic, name, fits) => {
    expect(own([{ topic, team: 'shop' }]).teamOfTopic(name, DAY)).toBe(fits ? 'shop' : null);
  });

  it.each([
    ['orders\\..+', 'orders.created', true],
    ['orders', 'orders.created', false],
    ['a|b', 'ab', false],
    ['a|b', 'b', true],
  ])('the expression %s covers the whole of %s: %s', (topic_regex, name, fits) => {
    expect(own([{ topic_regex, team: 'shop' }]).teamOfTopic(name, DAY)).toBe(fits ? 'shop' : null);
  });

  it('keeps topics and principals of one name apart', () => {
    const owners = own([
      { topic: 'orders', team: 'shop' },
      { principal_regex: 'orders', team: 'finance' },
    ]);
    expect(owners.teamOfTopic('orders', DAY)).toBe('shop');
    expect(owners.teamOfPrincipal('orders', DAY)).toBe('finance');
  });

  it('takes the first entry that fits', () => {
    const owners = own([
      { topic: 'orders.eu', team: 'europe' },
      { topic: 'orders.*', team: 'shop' },
      { topic: '*', team: 'platform' },
    ]);
    expect(['orders.eu', 'orders.us', 'audit'].map((topic) => owners.teamOfTopic(topic, DAY))).toEqual([
      'europe',
      'shop',
      'platform',
    ]);
  });

  it('holds from valid_from on, up to and not including valid_to', () => {
    const owners = own([
      { topic: 'orders', team: 'old', valid_to: '2026-02-10' },
      { topic: 'orders', team: 'new', valid_from: '2026-02-10', valid_to: '2026-02-12' },
      { topic: 'orders', team: 'later', valid_from: '2026-02-13' },
    ]);
    const teams = ['2026-02-09', '2026-02-10', '2026-02-11', '2026-02-12', '2026-02-13', '2030-01-01'];
    expect(teams.map((date) => owners.teamOfTopic('orders', date))).toEqual([
      'old',
      'new',
      'new',
      null,
      'later',
      'later',
    ]);
  });

  it('gives every day exactly one owner when one entry ends where the next begins', () => {
    const days = fc.date({
      min: new Date('2020-01-01T00:00:00Z'),
      max: new Date('2030-01-01T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(days.map(isoDay), { minLength: 1, maxLength: 6 }),
        days.map(isoDay),
        (ends, day) => {
          const cuts = ends.toSorted();
          const entries = [null, ...cuts].map((from, index) => ({
            topic: 'orders',
            team: `team-${index}`,
            valid_from: from,
            valid_to: cuts[index] ?? null,
          }));
          const expected = cuts.filter((cut) => cut <= day).length;
          expect(own(entries).teamOfTopic('orders', day)).toBe(`team-${expected}`);
          // The order of entries that do not overlap does not matter.
          expect(own(entries.toReversed()).teamOfTopic('orders', day)).toBe(`team-${expected}`);
        },
      ),
    );
  });
});

describe('what is told of a principal', () => {
  const identity_source = { principal_to_team: { bob: 'bank' }, default_team: 'rest' };
  const moved = [
    { principal: 'ann', team: 'old', valid_to: '2026-02-10' },
    { principal: 'ann', team: 'new', valid_from: '2026-02-10' },
    { principal: 'bob', team: 'shop', valid_from: '2026-03-01' },
  ];

  it('stays the same when a day passes on which its team changes: settled days are not calculated again', async () => {
    const told = async (now: string): Promise<unknown> => {
      await using kafka = await connect({ identity_source, ownership: moved }, { now: new Date(now) });
      return ['ann', 'bob', 'eve'].map((name) => kafka.identityFromUsage!(name).metadata);
    };
    const before = await told('2026-02-09T12:00:00Z');
    expect(before).toEqual([
      { teams: ['old', 'new'], raw_principal: 'ann' },
      { teams: ['bank', 'shop'], raw_principal: 'bob' },
      { team: 'rest', raw_principal: 'eve' },
    ]);
    expect(await told('2026-02-10T12:00:00Z')).toEqual(before);
    expect(await told('2027-01-01T12:00:00Z')).toEqual(before);
  });
});

function isoDay(date: Date): string {
  return date.toISOString().slice(0, 10);
}
