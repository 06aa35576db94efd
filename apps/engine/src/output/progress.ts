import type { ProgressEvent, ProgressListener, TenantRun } from '@chargeback/engine';
import type { ListrTaskWrapper } from 'listr2';

const BAR_WIDTH = 24;
const STAGES: Readonly<Record<ProgressEvent['stage'], string>> = {
  inventory: 'listing',
  gather: 'gathering',
  calculate: 'calculating',
  emit: 'emitting',
};

/** Shows one line per tenant while work goes on. */
export interface ProgressDisplay {
  readonly onProgress: ProgressListener;
  /** Runs the work with the display around it. */
  readonly around: <Result extends readonly TenantRun[]>(work: () => Promise<Result>) => Promise<Result>;
}

/** `shown` only on a terminal: the lines are drawn on standard output, over and over. */
export function createProgress(tenants: readonly string[], shown: boolean): ProgressDisplay {
  if (!shown) return { onProgress: () => {}, around: (work) => work() };
  const tasks = new Map<string, ListrTaskWrapper<object, never, never>>();
  return {
    onProgress: (event) => {
      const task = tasks.get(event.tenant);
      if (task) task.title = `${event.tenant}  ${lineOf(event)}`;
    },
    around: async (work) => {
      const { Listr } = await import('listr2');
      const running = work();
      const listr = new Listr<object>(
        tenants.map((tenant) => ({
          title: tenant,
          task: async (_context, task): Promise<void> => {
            tasks.set(tenant, task as unknown as ListrTaskWrapper<object, never, never>);
            const run = (await running).find((candidate) => candidate.tenant === tenant);
            task.title = `${tenant}  ${run?.status ?? ''}`;
            if (run && run.status !== 'completed') throw new Error(`${tenant}  ${run.status}`);
          },
        })),
        { concurrent: true, exitOnError: false, registerSignalListeners: false },
      );
      await listr.run();
      return running;
    },
  };
}

function lineOf({ stage, done, total, date }: ProgressEvent): string {
  const filled = total === 0 ? BAR_WIDTH : Math.floor((done * BAR_WIDTH) / total);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  return `${bar} ${STAGES[stage]} ${done}/${total}${date === null ? '' : `  ${date}`}`;
}
