/** What a process took, from its start. */
export interface Figures {
  readonly wallSeconds: number;
  /** Of all its threads, user and system. */
  readonly cpuSeconds: number;
  readonly peakMegabytes: number;
}

/** The figures of this process so far: loading the program is in them. */
export function figuresOfProcess(): Figures {
  const { user, system } = process.cpuUsage();
  return {
    wallSeconds: performance.now() / 1000,
    cpuSeconds: (user + system) / 1e6,
    // Kibibytes on every platform.
    peakMegabytes: process.resourceUsage().maxRSS / 1024,
  };
}
