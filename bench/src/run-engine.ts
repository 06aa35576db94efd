// One process of a benchmark: the engine bills a whole window. It starts as the application does.
import { keepCompiledCode } from '@chargeback/engine-app/keep-compiled-code';

keepCompiledCode(process);
// What the application loads for a run is in the figures, whether this process uses it or not.
const application = await import('@chargeback/engine-app/run');
if (typeof application.run !== 'function') throw new Error('the application has no command named run');
const { billOnce } = await import('./bill-once.ts');
await billOnce(process.argv[2]!);
