import type { Place, SourceNode } from './source-tree.ts';

/** Something that is wrong with the YAML itself. */
export interface YamlFinding {
  readonly place: Place | null;
  readonly message: string;
  readonly fix?: string;
}

export interface ParsedSource {
  /** Undefined when the file is empty or could not be read as a map. */
  readonly root: SourceNode | undefined;
  readonly findings: readonly YamlFinding[];
}
