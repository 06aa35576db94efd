/** The labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** Characters of text, which with their labels take about 10 MB: those of 50,000 users, for example. */
const MOST_CHARACTERS = 2_000_000;

/**
 * Labels by their JSON text. The series of one answer come again with the next, so each text is parsed once, and what
 * is looked up by a name later finds the same string again.
 */
export class KnownLabels {
  readonly #labels = new Map<string, Labels>();
  #characters = 0;

  /** Null for what is not an object of texts. */
  read(text: string): Labels | null {
    const known = this.#labels.get(text);
    if (known) return known;
    const labels = parse(text);
    if (!isLabels(labels)) return null;
    this.#characters += text.length;
    if (this.#characters > MOST_CHARACTERS) {
      this.#labels.clear();
      this.#characters = text.length;
    }
    this.#labels.set(text, labels);
    return labels;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function isLabels(value: unknown): value is Labels {
  if (typeof value !== 'object' || value === null) return false;
  for (const label of Object.values(value)) if (typeof label !== 'string') return false;
  return true;
}
