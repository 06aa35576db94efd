/** An abort that Ctrl-C or a termination request sets off; the second one ends the process at once. */
export interface StopSignal extends Disposable {
  readonly signal: AbortSignal;
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
/** What a shell reports for a process that Ctrl-C ended. */
const EXIT_INTERRUPTED = 130;

export function abortOnSignals(context: NodeJS.Process): StopSignal {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) context.exit(EXIT_INTERRUPTED);
    // Where nobody watches, the log and the result tell.
    if (context.stderr.isTTY) {
      context.stderr.write(`\n${name}: stopping after the current step; again to stop at once.\n`);
    }
    controller.abort(new Error(`stopped by ${name}`));
  };
  for (const name of SIGNALS) context.on(name, onSignal);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of SIGNALS) context.off(name, onSignal);
    },
  };
}
