const MOST_TEXTS = 1000;

/** A pure function of texts that recur: a bill names few days, each of them thousands of times. */
export function remembered<Result>(make: (text: string) => Result): (text: string) => Result {
  const known = new Map<string, { readonly result: Result }>();
  return (text) => {
    const before = known.get(text);
    if (before) return before.result;
    const made = { result: make(text) };
    // What is not a day may be anything.
    if (known.size >= MOST_TEXTS) known.clear();
    known.set(text, made);
    return made.result;
  };
}
