import type { Lived } from './organization.ts';

/** What an item of an answer is made of. */
export type Item = Readonly<Record<string, unknown>>;

/** What every item begins with. `crn`: its resource name. */
export function itemBase(kind: string, version: string, one: Lived & { readonly crn: string }): Item {
  const createdAt = one.createdAt.toISOString();
  return {
    api_version: version,
    kind,
    id: one.id,
    metadata: {
      self: `https://api.confluent.cloud/${version}/${one.id}`,
      resource_name: one.crn,
      created_at: createdAt,
      updated_at: createdAt,
    },
  };
}

/** The beginning of every resource name of an organisation. */
export function crnRoot(organizationId: string): string {
  return `crn://confluent.cloud/organization=${organizationId}`;
}
