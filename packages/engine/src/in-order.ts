/**
 * Works on up to `atOnce` items at a time and yields what comes of them in their order. Whatever ends it, nothing is
 * left running.
 */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  atOnce: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<Result>[] = [];
  try {
    for (const item of items) {
      const begun = work(item);
      // Met when it is its turn.
      begun.catch(() => {});
      running.push(begun);
      if (running.length >= atOnce) yield await running.shift()!;
    }
    while (running.length > 0) yield await running.shift()!;
  } finally {
    await Promise.allSettled(running);
  }
}
