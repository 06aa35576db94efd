import { LineCounter, parseDocument, type YAMLError } from 'yaml';
import { expandDocument, SourceProblem } from './expand-document.ts';
import type { ParsedSource, YamlFinding } from './yaml-finding.ts';

/** Largest file that is read, in bytes. */
export const MAX_FILE_BYTES = 5_000_000;

// Own words per kind of syntax error: the library's may quote the file, and the file may hold secrets.
const SYNTAX: Partial<Record<YAMLError['code'], string>> = {
  BAD_INDENT: 'the indentation is wrong',
  BLOCK_AS_IMPLICIT_KEY: 'a second ": " on the line, or a wrong indentation below it',
  BLOCK_IN_FLOW: 'an indented block inside [ ] or { }',
  MISSING_CHAR: 'a closing quote, a comma, a colon or a bracket is missing',
  MULTILINE_IMPLICIT_KEY: 'a key is not on one line, or a ":" is missing',
  MULTIPLE_DOCS: 'a second document begins here; a configuration is one document',
  RESOURCE_EXHAUSTION: 'the nesting is too deep',
  TAB_AS_INDENT: 'a tab is used as indentation',
  TAG_RESOLVE_FAILED: 'a tag (!…) is not supported',
  UNEXPECTED_TOKEN: 'something unexpected is here',
  BAD_DQ_ESCAPE: 'an escape in a double-quoted text is not known',
};

const FIXES: Partial<Record<YAMLError['code'], string>> = {
  MULTIPLE_DOCS: 'Keep one document; remove the --- and what follows it.',
  TAB_AS_INDENT: 'Indent with spaces.',
  TAG_RESOLVE_FAILED: 'Remove the tag.',
  BAD_DQ_ESCAPE: 'Use single quotes, or write \\\\ for a backslash.',
  MISSING_CHAR: 'Complete the line; inside [ ] and { } put values with ${…} in quotes.',
};

/** Reads YAML 1.2 (core schema) into a tree with places. Never throws; work is bounded whatever the text says. */
export function parseSource(text: string): ParsedSource {
  if (Buffer.byteLength(text) > MAX_FILE_BYTES) {
    const message = `the file is larger than ${MAX_FILE_BYTES / 1_000_000} MB`;
    return {
      root: undefined,
      findings: [{ place: null, message, fix: 'Split the tenants over several files.' }],
    };
  }
  const lineCounter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter,
      schema: 'core',
      resolveKnownTags: false,
      // Comparing each key with each other is quadratic; expandDocument looks for duplicates in linear time.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'error',
    });
    const tags = document.warnings.filter(({ code }) => code === 'TAG_RESOLVE_FAILED');
    const broken = [...document.errors, ...tags];
    if (broken.length > 0) {
      return {
        root: undefined,
        findings: broken.slice(0, 20).map((error) => syntaxFinding(error, lineCounter)),
      };
    }
    return expandDocument(document, lineCounter);
  } catch (error) {
    if (error instanceof SourceProblem) return { root: undefined, findings: [error.finding] };
    // Stack overflow on nesting that the library did not catch itself.
    if (error instanceof RangeError) {
      return { root: undefined, findings: [{ place: null, message: SYNTAX.RESOURCE_EXHAUSTION! }] };
    }
    throw error;
  }
}

function syntaxFinding(error: YAMLError, lineCounter: LineCounter): YamlFinding {
  const { line, col } = lineCounter.linePos(error.pos[0]);
  const fix = FIXES[error.code];
  return {
    place: { line, column: col },
    message: `not valid YAML: ${SYNTAX[error.code] ?? error.code.toLowerCase().replaceAll('_', ' ')}`,
    ...(fix === undefined ? {} : { fix }),
  };
}
