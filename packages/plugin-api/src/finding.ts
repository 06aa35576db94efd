/** What a plugin found out about the world that a tenant is to be billed from. */
export interface Finding {
  readonly severity: 'ok' | 'warning' | 'error';
  /** What was looked at, in a few words. */
  readonly what: string;
  /** What was seen. Never a secret. */
  readonly evidence: string;
  /** What to do about it; empty when nothing needs doing. */
  readonly advice: string;
  /** Configuration to write, ready to be pasted under `plugin_settings`. */
  readonly yaml?: string;
}
