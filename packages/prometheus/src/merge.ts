/**
 * Yields from several generators as their items arrive, at most `limit` of them at work. One item of each is
 * looked ahead, no more. When one throws, the others are closed.
 */
export async function* mergeInOrderOfArrival<Item>(
  generators: readonly AsyncGenerator<Item>[],
  limit: number,
): AsyncGenerator<Item> {
  const waiting = [...generators];
  const atWork = new Map<AsyncGenerator<Item>, Promise<Arrival<Item>>>();
  const advance = (generator: AsyncGenerator<Item>): void => {
    const arrival = generator.next().then((result) => ({ generator, result }));
    // A rejection is met by the race, or no longer matters.
    arrival.catch(() => {});
    atWork.set(generator, arrival);
  };
  const begin = (): void => {
    const next = waiting.shift();
    if (next) advance(next);
  };
  for (let count = 0; count < limit; count += 1) begin();
  try {
    while (atWork.size > 0) {
      const { generator, result } = await Promise.race(atWork.values());
      if (result.done) {
        atWork.delete(generator);
        begin();
      } else {
        yield result.value;
        advance(generator);
      }
    }
  } finally {
    // A generator in the middle of a request ends with that request; nobody waits for it here.
    for (const generator of atWork.keys()) generator.return(undefined).catch(() => {});
  }
}

interface Arrival<Item> {
  readonly generator: AsyncGenerator<Item>;
  readonly result: IteratorResult<Item>;
}
