import { ChargebackError, makeProblem, type Problem } from '@chargeback/plugin-api';
import { type CcloudClient, listAll } from '../http/ccloud-client.ts';
import type { CcloudRequest } from '../http/ccloud-request.ts';
import type { JsonValue } from '../http/parse-json.ts';

/** What came of listing one type. */
export interface Listing<Item> {
  readonly type: string;
  readonly items: readonly Item[];
  /** True when every part of it succeeded: only then is what it does not name gone. */
  readonly complete: boolean;
  readonly problems: readonly Problem[];
}

/** A part of a listing: one request, such as the clusters of one environment. */
export interface ListingPart<Item> {
  /** Where, in a few words, such as `environment env-1`; empty for a listing without parts. */
  readonly where: string;
  readonly list: () => Promise<readonly (Item | null)[]>;
}

/**
 * Lists one type part by part, side by side. A part that fails costs the listing its completeness and is
 * told; the other parts count. An item that cannot be read (null) costs it too.
 */
export async function runListing<Item>(
  type: string,
  parts: readonly ListingPart<Item>[],
  { signal, wholeBefore = true }: { signal: AbortSignal; wholeBefore?: boolean },
): Promise<Listing<Item>> {
  const failures: { where: string; error: ChargebackError }[] = [];
  const items: Item[] = [];
  let unreadable = 0;
  await Promise.all(
    parts.map(async ({ where, list }) => {
      try {
        for (const item of await list()) {
          if (item === null) unreadable += 1;
          else items.push(item);
        }
      } catch (cause) {
        signal.throwIfAborted();
        if (!ChargebackError.isInstance(cause)) throw cause;
        failures.push({ where, error: cause });
      }
    }),
  );
  const problems: Problem[] = [];
  if (failures.length > 0) problems.push(failureOf(type, failures, parts.length));
  if (unreadable > 0) {
    const message = `${type}: ${unreadable} of the listed things have no id and are left out`;
    problems.push(makeProblem('CB_INVENTORY_GATHER', message, { path: type }));
  }
  return { type, items, complete: wholeBefore && problems.length === 0, problems };
}

function failureOf(
  type: string,
  failures: readonly { where: string; error: ChargebackError }[],
  parts: number,
): Problem {
  const { where, error } = failures.toSorted((left, right) => (left.where < right.where ? -1 : 1))[0]!;
  const scope =
    where === '' ? '' : ` in ${where}${failures.length > 1 ? ` and ${failures.length - 1} more` : ''}`;
  const share = failures.length < parts ? ` (${failures.length} of ${parts} requests failed)` : '';
  const message = `${type} could not be listed${scope}${share}, what was known of it stays: ${error.message}`;
  return makeProblem('CB_INVENTORY_GATHER', message, {
    severity: 'error',
    path: type,
    fix: `${error.fix} To do without, add ${type} to plugin_settings.skip_listings.`,
  });
}

/** A listing that an organisation may not have at all: the vendor answers 404 then. */
export async function listOptional(
  client: CcloudClient,
  request: CcloudRequest,
  signal: AbortSignal,
): Promise<JsonValue[]> {
  try {
    return await listAll(client, request, signal);
  } catch (cause) {
    if (ChargebackError.isInstance(cause) && cause.code === 'CB_SOURCE_NOT_FOUND') return [];
    throw cause;
  }
}
