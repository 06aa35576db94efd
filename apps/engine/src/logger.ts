import type { Config } from '@chargeback/config';
import type { Logger } from '@chargeback/plugin-api';
import pino, { type DestinationStream, type LevelWithSilent } from 'pino';

const LEVELS: Readonly<Record<string, LevelWithSilent>> = {
  CRITICAL: 'fatal',
  ERROR: 'error',
  WARNING: 'warn',
  INFO: 'info',
  DEBUG: 'debug',
};

export interface LoggerOptions {
  readonly logging: Config['logging'];
  /** Where lines go: standard error, so that standard output stays for results. */
  readonly stream: NodeJS.WriteStream;
}

/** Pretty on a terminal, JSON lines otherwise. */
export async function createLogger({ logging, stream }: LoggerOptions): Promise<Logger> {
  const destination: DestinationStream = stream.isTTY
    ? (await import('pino-pretty')).default({
        destination: stream,
        colorize: stream.hasColors(),
        translateTime: 'SYS:HH:MM:ss',
        ignore: 'pid,hostname',
        sync: true,
      })
    : stream;
  // On a terminal the progress and the summary say what the line of each stage would say.
  const level = stream.isTTY && logging.level === 'INFO' ? 'warn' : levelOf(logging.level);
  const logger = pino(
    {
      level,
      base: null,
      serializers: { error: pino.stdSerializers.errWithCause },
      redact: ['*.password', '*.bearer_token', '*.secret'],
    },
    destination,
  );
  return withModuleLevels(logger, logging.per_module_levels);
}

function levelOf(name: string): LevelWithSilent {
  return LEVELS[name.toUpperCase()] ?? 'info';
}

/** A child bound to a `module` gets the level that the configuration gives that module. */
function withModuleLevels(logger: pino.Logger, levels: Readonly<Record<string, string>>): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child(bindings) {
      const module = 'module' in bindings ? String(bindings.module) : undefined;
      const level = module === undefined ? undefined : levels[module];
      const child = logger.child(bindings, level === undefined ? {} : { level: levelOf(level) });
      return withModuleLevels(child, levels);
    },
  };
}
