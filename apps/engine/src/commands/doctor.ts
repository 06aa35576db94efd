import { describeCause, type Finding, type PluginHost } from '@chargeback/plugin-api';
import { createHost } from '../host.ts';
import { type Paint, paintFor } from '../output/paint.ts';
import { type ConfigOptions, openSession, type ProcessContext, type Session } from '../session.ts';
import { configureTenants, type ConfiguredTenant } from '../tenants.ts';

export interface DoctorOptions extends ConfigOptions {
  readonly tenant?: string;
  readonly json?: boolean;
}

interface Examination {
  readonly tenant: string;
  readonly ecosystem: string;
  readonly findings: readonly Finding[];
}

/** `chargeback doctor`: asks each tenant's plugin what it sees and what to write. Nothing is billed or stored. */
export async function doctor(
  options: DoctorOptions,
  context: ProcessContext,
  signal: AbortSignal,
): Promise<number> {
  const session = await openSession(options, context);
  const { definitions, unavailable } = await configureTenants(session, { only: options.tenant });
  const examinations: Examination[] = unavailable.map(({ name, problem }) => ({
    tenant: name,
    ecosystem: '',
    findings: [{ severity: 'error', what: 'ecosystem', evidence: problem.message, advice: problem.fix }],
  }));
  for (const tenant of definitions) examinations.push(await examine(session, tenant, signal));
  context.stdout.write(
    options.json
      ? `${JSON.stringify({ tenants: examinations }, undefined, 2)}\n`
      : examinations.map((examination) => render(examination, paintFor(context.stdout))).join('\n'),
  );
  const sick = examinations.some(({ findings }) => findings.some(({ severity }) => severity === 'error'));
  return sick ? 1 : 0;
}

async function examine(
  session: Session,
  tenant: ConfiguredTenant,
  signal: AbortSignal,
): Promise<Examination> {
  const { ecosystem } = tenant.plugin;
  const host: PluginHost = {
    ...createHost({ configDirectory: session.loaded.directory }),
    logger: session.logger.child({ tenant: tenant.name }),
    signal,
    tenantId: tenant.tenantId,
    concurrency: tenant.config.metrics_prefetch_workers,
  };
  try {
    await using live = await tenant.plugin.create(tenant.settings, host);
    const findings = live.doctor ? await live.doctor(signal) : [noDoctor(ecosystem)];
    return { tenant: tenant.name, ecosystem, findings };
  } catch (cause) {
    signal.throwIfAborted();
    const finding: Finding = {
      severity: 'error',
      what: 'examination',
      evidence: describeCause(cause),
      advice: 'Mend the cause shown and ask again.',
    };
    return { tenant: tenant.name, ecosystem, findings: [finding] };
  }
}

function noDoctor(ecosystem: string): Finding {
  return {
    severity: 'ok',
    what: 'examination',
    evidence: `the ecosystem ${ecosystem} has nothing to examine`,
    advice: '',
  };
}

function render({ tenant, ecosystem, findings }: Examination, paint: Paint): string {
  const marks = { ok: paint.good('✓'), warning: paint.warn('!'), error: paint.bad('✗') };
  const blocks = findings.map(({ severity, what, evidence, advice, yaml }) => {
    const lines = [`  ${marks[severity]} ${paint.bold(what)}: ${evidence}`];
    if (advice !== '') lines.push(`    ${paint.dim(advice)}`);
    if (yaml !== undefined)
      lines.push(
        '',
        ...yaml
          .trimEnd()
          .split('\n')
          .map((text) => `      ${text}`),
        '',
      );
    return lines.join('\n');
  });
  return `${paint.bold(tenant)}${ecosystem === '' ? '' : ` (${ecosystem})`}\n${blocks.join('\n')}\n`;
}
