import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

function start(file: string, job: unknown): ChildProcess {
  const script = fileURLToPath(new URL(file, import.meta.url));
  // The options of this process, those on memory among them, are the child's too.
  return fork(script, [JSON.stringify(job)], { stdio: 'inherit' });
}

async function firstMessage(child: ChildProcess, file: string): Promise<unknown> {
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`${file} ended with code ${String(code)} and no result`);
  });
  const [message] = (await Promise.race([once(child, 'message'), failed])) as [unknown];
  return message;
}

/** Runs a job in a process of its own and returns what it answers. */
export async function runJob<Result>(file: string, job: unknown): Promise<Result> {
  const child = start(file, job);
  const ended = once(child, 'exit');
  const result = (await firstMessage(child, file)) as Result;
  await ended;
  return result;
}

/** A process that goes on until it is let go of. */
export interface Service<Ready> extends AsyncDisposable {
  readonly ready: Ready;
}

export async function startService<Ready>(file: string, job: unknown): Promise<Service<Ready>> {
  const child = start(file, job);
  const ended = once(child, 'exit');
  const ready = (await firstMessage(child, file)) as Ready;
  return {
    ready,
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}
