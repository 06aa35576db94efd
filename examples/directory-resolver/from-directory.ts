import { defineIdentityResolver, type Identity } from '@chargeback/plugin-api';
import { z } from 'zod';

const params = z.strictObject({
  file: z.string().min(1).describe('CSV file: principal,person. Relative to the configuration file.'),
  query: z.string().min(1).describe('Key of the usage query whose names are looked up.'),
});

/**
 * Charges people instead of service accounts: an export of the company's directory says who answers for whom. A name
 * that the directory lacks stays as it is.
 */
export const fromDirectory = defineIdentityResolver({
  params,
  create: ({ file, query }, host) => {
    // Read once, and a part of this override: when the file changes, its days are calculated again.
    const people = readPeople(host.readText(file));
    return ({ usage }) => {
      const names = [...usage(query).totals.keys()];
      const listed = names.filter((name) => people.has(name));
      return {
        resourceActive: [],
        metricsDerived: names.map((name) => person(people.get(name) ?? name, people.has(name))),
        usageOwners: new Map(listed.map((name) => [name, people.get(name)!])),
      };
    };
  },
});

function readPeople(text: string): Map<string, string> {
  const [, ...lines] = text.trim().split(/\r?\n/);
  return new Map(
    lines.map((line) => {
      const [principal, name] = line.split(',');
      if (!principal || !name) throw new Error(`a row of the directory is not understood: ${line}`);
      return [principal, name];
    }),
  );
}

function person(identityId: string, listed: boolean): Identity {
  return {
    identityId,
    identityType: listed ? 'person' : 'principal',
    displayName: null,
    createdAt: null,
    deletedAt: null,
    metadata: {},
  };
}
