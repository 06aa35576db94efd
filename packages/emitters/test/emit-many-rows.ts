// Run by disk-full.test.ts in a process of its own, whose files may not grow beyond a limit.
import { createCsvEmitter } from '../src/index.ts';
import { batch, never, row } from './support.ts';

const rows = Array.from({ length: 20_000 }, (_, index) => row({ identityId: `id-${index}` }));
const emitter = createCsvEmitter({
  output_dir: process.argv[2]!,
  filename_template: '{tenant_id}_{date}.csv',
});
try {
  await emitter.emit(batch([rows]), never);
  console.log('emitted');
} catch (error) {
  const { code, cause } = error as { code: string; cause: { code: string } };
  console.log(`${code} ${cause.code}`);
}
