// One process of a benchmark: the simulator of a shape, until the parent lets go of it.
import type { ServeJob, Served } from './jobs.ts';
import { SHAPES } from './shapes.ts';

const { shape, size, hourly } = JSON.parse(process.argv[2]!) as ServeJob;
const world = SHAPES[shape].make(size);
const { origin, settings } = await world.serve();
const metrics = { ...settings.metrics, daily_subqueries: hourly ? 'off' : 'auto' };
const served: Served = {
  origin,
  settings: { ...settings, metrics },
  start: world.window.start.toISOString(),
  end: world.window.end.toISOString(),
  now: world.now.toISOString(),
};
process.on('disconnect', () => process.exit());
process.send!(served);
