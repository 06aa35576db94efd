import type { IsoDate } from '@chargeback/plugin-api';
import picomatch from 'picomatch';
import type { OwnershipEntry } from './ownership-schema.ts';

/** Which team a name belongs to on a UTC day; null when no entry fits. */
export interface Ownership {
  teamOfTopic(topic: string, date: IsoDate): string | null;
  teamOfPrincipal(principal: string, date: IsoDate): string | null;
  /** The first day of every stretch of time in which nobody's team changes, ascending; the first is before all. */
  readonly turns: readonly IsoDate[];
}

const BEFORE_ALL: IsoDate = '0000-00-00';

type Kind = 'topic' | 'principal';

/** Makes the lookup. Patterns cover the whole name; of several entries that fit, the first counts. */
export function createOwnership(entries: readonly OwnershipEntry[]): Ownership {
  const topics = lookup(entries, 'topic');
  const principals = lookup(entries, 'principal');
  const days = entries.flatMap(({ valid_from: from, valid_to: to }) =>
    [from, to].filter((day) => day != null),
  );
  return {
    teamOfTopic: topics,
    teamOfPrincipal: principals,
    turns: [BEFORE_ALL, ...new Set(days.toSorted())],
  };
}

function lookup(
  entries: readonly OwnershipEntry[],
  kind: Kind,
): (name: string, date: IsoDate) => string | null {
  const rules = entries.flatMap((entry) => {
    const matches = matcherOf(entry, kind);
    return matches ? [{ entry, matches }] : [];
  });
  // Patterns are tried once for each name; days only choose among those that fit.
  const fitting = new Map<string, readonly OwnershipEntry[]>();
  return (name, date) => {
    let found = fitting.get(name);
    if (!found) {
      found = rules.filter(({ matches }) => matches(name)).map(({ entry }) => entry);
      fitting.set(name, found);
    }
    return found.find((entry) => isValidOn(entry, date))?.team ?? null;
  };
}

function matcherOf(entry: OwnershipEntry, kind: Kind): ((name: string) => boolean) | null {
  const glob = kind === 'topic' ? entry.topic : entry.principal;
  // Names are no paths: a star crosses slashes, and a leading dot is a letter like any other.
  if (glob) return picomatch(glob, { bash: true, dot: true, nonegate: true, windows: false });
  const regex = kind === 'topic' ? entry.topic_regex : entry.principal_regex;
  if (!regex) return null;
  const pattern = new RegExp(`^(?:${regex})$`, 'u');
  return (name) => pattern.test(name);
}

function isValidOn({ valid_from: from, valid_to: to }: OwnershipEntry, date: IsoDate): boolean {
  return (!from || from <= date) && (!to || date < to);
}
