interface Family {
  help: string;
  type: string;
  readonly samples: string[];
}

/**
 * One text in the Prometheus format out of several: each metric's lines stand together, with one HELP and one TYPE, as
 * the format wants it, also where several texts have the metric. Other comments are left out.
 */
export function mergeExpositions(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    for (const section of text.split(/^(?=# )/mu)) addSection(families, section);
  }
  let merged = '';
  for (const { help, type, samples } of families.values()) merged += help + type + samples.join('');
  return merged;
}

/** A section begins with one comment line; what follows are the samples of the metric that it names. */
function addSection(families: Map<string, Family>, section: string): void {
  const [, kind, name] = /^# (HELP|TYPE) (\S+)/u.exec(section) ?? [];
  const newline = section.indexOf('\n');
  const end = newline === -1 ? section.length : newline + 1;
  const comment = section.startsWith('#') ? withNewline(section.slice(0, end)) : '';
  const samples = withNewline(section.slice(comment === '' ? 0 : end));
  const family = familyOf(families, name ?? '');
  if (kind === 'HELP') family.help ||= comment;
  if (kind === 'TYPE') family.type ||= comment;
  if (samples.trim() !== '') family.samples.push(samples);
}

function familyOf(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (!family) families.set(name, (family = { help: '', type: '', samples: [] }));
  return family;
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
