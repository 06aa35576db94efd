/** The labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** About 10 MB; an answer with more is read a little slower. */
const MOST_KNOWN = 50_000;

/**
 * Labels by their JSON text. The series of one answer come again with the next, so each text is parsed once, and what
 * is looked up by a name later finds the same string again.
 */
export class KnownLabels {
  readonly #labels = new Map<string, Labels>();

  /** Null for what is not an object of texts. */
  read(text: string): Labels | null {
    const known = this.#labels.get(text);
    if (known) return known;
    const labels = parse(text);
    if (!isLabels(labels)) return null;
    if (this.#labels.size >= MOST_KNOWN) this.#labels.clear();
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
