export { builtInEmitters, findEmitter } from './built-in-emitters.ts';
export {
  createCsvEmitter,
  csvEmitter,
  type CsvEmitterOptions,
  type CsvParams,
  csvParamsSchema,
} from './csv-emitter.ts';
export { CSV_COLUMNS } from './csv-text.ts';
