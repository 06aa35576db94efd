/** Shorter values are common words and digits: hiding them would garble messages and protect nothing. */
const SHORTEST = 4;

/** Replaces every value that came from an environment variable, so that a message cannot carry a secret. */
export function makeRedact(values: Iterable<string>): (text: string) => string {
  const secrets = [...values]
    .filter((value) => value.length >= SHORTEST && !/^(?:true|false|null)$/iu.test(value))
    .toSorted((left, right) => right.length - left.length);
  return (text) => {
    let safe = text;
    for (const secret of secrets) safe = safe.replaceAll(secret, () => '***');
    return safe;
  };
}
