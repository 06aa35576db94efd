/**
 * The condition for lifetimes to prune: those that ended before an instant, but not the one right before a
 * lifetime that stays. It is what tells where that one began: without it a listing, which only knows when the
 * thing itself was created, would stretch it back over what the thing was before, or over a time in which it
 * did not exist.
 * @param before the instant's place in the statement.
 */
export function prunableLifetimes(kind: 'resource' | 'identity', before: string): string {
  const table = kind === 'resource' ? 'resources' : 'identities';
  const [id, key] = [`${kind}_id`, `${kind}_key`];
  return `deleted_at < ${before} and not exists (
    select 1 from ${table} following
    where following.${key} = (
        select min(later.${key}) from ${table} later
        where later.${id} = ${table}.${id} and later.${key} > ${table}.${key})
      and (following.deleted_at is null or following.deleted_at >= ${before}))`;
}
