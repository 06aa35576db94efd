export * from './config-json-schema.ts';
export {
  ConfigError,
  type ConfigPath,
  type ConfigProblem,
  formatConfigProblem,
  formatPath,
  sortProblems,
  type UnjudgedSection,
} from './config-problem.ts';
export { type Config, LOG_LEVELS, type LogLevel, type TenantConfig } from './config-schema.ts';
export { databaseIdentity } from './database-identity.ts';
export { loadConfig, type LoadConfigOptions } from './load-config.ts';
export { nearestName } from './nearest-name.ts';
export {
  type Environment,
  type LoadedConfig,
  parseConfig,
  type ParseConfigOptions,
  type ProblemDetails,
  type SectionResult,
} from './parse-config.ts';
