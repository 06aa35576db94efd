export { builtInEmitters, findEmitter } from './built-in-emitters.ts';
export {
  createCsvEmitter,
  csvEmitter,
  type CsvEmitterOptions,
  type CsvParams,
  csvParamsSchema,
} from './csv-emitter.ts';
export { CSV_COLUMNS } from './csv-text.ts';
export {
  createPrometheusEmitter,
  prometheusEmitter,
  type PrometheusParams,
  prometheusParamsSchema,
} from './prometheus-emitter.ts';
export { PROMETHEUS_LABELS } from './prometheus-text.ts';
