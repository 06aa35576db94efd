import { MILLISECONDS_PER_DAY, MILLISECONDS_PER_HOUR } from '@chargeback/plugin-api';
import { noise, seedOf } from '../simulator/random.ts';
import { draftsOf } from './cost-drafts.ts';
import type { ConfluentOrganization } from './organization.ts';
import { type SimulatedCost, writeRow } from './simulated-cost.ts';

/** When a row usually shows: some hours after its day has ended. */
const USUAL_DELAY_HOURS = 8;
const LATE_HOURS = 60;
const REVISED_AFTER_HOURS = 72;
const LATE_SHARE = 0.05;
const REVISED_SHARE = 0.03;
const WITHDRAWN_SHARE = 0.005;
/** What a corrected row bills at first, in percent of what it ends with. */
const FIRST_VERSION_PERCENT = 130;

/**
 * Every version of every row of a day: some come late, some are corrected downwards after three days, a few are
 * withdrawn then. The same organisation and day always give the same rows.
 */
export function costsOfDay(organization: ConfluentOrganization, dayStart: Date): SimulatedCost[] {
  const { seed, window } = organization;
  if (dayStart < window.start || dayStart >= window.end) return [];
  const day = dayOf(dayStart);
  const nextDay = dayOf(new Date(dayStart.getTime() + MILLISECONDS_PER_DAY));
  const afterDay = (hours: number): Date =>
    new Date(dayStart.getTime() + MILLISECONDS_PER_DAY + hours * MILLISECONDS_PER_HOUR);
  const versions: SimulatedCost[] = [];
  const own = seedOf(seed, day);
  for (const [index, draft] of draftsOf(organization, dayStart).entries()) {
    const id = `dlz-${day}-${String(index).padStart(5, '0')}`;
    const fate = noise(own, index);
    const { product, lineType, resource } = draft;
    const version = (part: number, visibleFrom: Date, visibleUntil: Date | null): SimulatedCost => ({
      id,
      day,
      product,
      lineType,
      resourceId: resource?.id ?? null,
      environmentId: resource?.environmentId ?? null,
      ...writeRow(draft, { id, day, nextDay, part }),
      visibleFrom,
      visibleUntil,
    });
    const [usual, late, corrected] = [USUAL_DELAY_HOURS, LATE_HOURS, REVISED_AFTER_HOURS].map(afterDay) as [
      Date,
      Date,
      Date,
    ];
    if (fate < WITHDRAWN_SHARE) versions.push(version(100, usual, corrected));
    else if (fate < WITHDRAWN_SHARE + REVISED_SHARE) {
      versions.push(version(FIRST_VERSION_PERCENT, usual, corrected), version(100, corrected, null));
    } else {
      const isLate = fate < WITHDRAWN_SHARE + REVISED_SHARE + LATE_SHARE;
      versions.push(version(100, isLate ? late : usual, null));
    }
  }
  return versions;
}

/** The rows of a half-open window of days as the API shows them at an instant, ascending by day. */
export function costsVisibleAt(
  organization: ConfluentOrganization,
  { start, end }: { start: Date; end: Date },
  now: Date,
): SimulatedCost[] {
  const rows: SimulatedCost[] = [];
  for (let time = start.getTime(); time < end.getTime(); time += MILLISECONDS_PER_DAY) {
    for (const row of costsOfDay(organization, new Date(time))) {
      if (row.visibleFrom <= now && (row.visibleUntil === null || row.visibleUntil > now)) rows.push(row);
    }
  }
  return rows;
}

function dayOf(instant: Date): string {
  return instant.toISOString().slice(0, 10);
}
