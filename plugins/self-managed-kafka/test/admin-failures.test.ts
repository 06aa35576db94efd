import { spawn } from 'node:child_process';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerScript, type ScriptedBroker, startScriptedBroker } from './admin-scripted-broker.ts';
import { failure, list } from './admin-support.ts';

const running: ScriptedBroker[] = [];
const METADATA = 3;

async function start(script: BrokerScript): Promise<ScriptedBroker & { address: string }> {
  const broker = await startScriptedBroker(script);
  running.push(broker);
  return { ...broker, address: `127.0.0.1:${broker.port}` };
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.stop()));
});

describe('a scripted listener in a broker’s place, without TLS and SASL', () => {
  it('tells partitions, replication factor and rack, internal topics and those without a leader too', async () => {
    const broker = await start({
      topics: [
        { name: 'plain', partitions: [{ replicas: [1, 2] }, { replicas: [2, 1] }] },
        { name: '__consumer_offsets', internal: true, partitions: [{ replicas: [1] }] },
        { name: 'leaderless', partitions: [{ replicas: [1, 2] }, { replicas: [2, 1], errorCode: 5 }] },
        { name: 'being-moved', partitions: [{ replicas: [1, 2, 3] }, { replicas: [1, 2] }] },
        { name: 'just-created', errorCode: 5, partitions: [] },
      ],
    });
    const { batch, error } = await list({ bootstrap_servers: broker.address });
    expect(error).toBeNull();
    const told = batch!.resources.map(({ displayName, metadata }) => {
      const { cluster_id: clusterId = 'kafka-1', ...rest } = metadata;
      expect(clusterId).toBe('kafka-1');
      return [displayName, rest];
    });
    expect(told).toEqual([
      ['kafka-1', { broker_count: 2, reported_cluster_id: null }],
      [broker.address, { broker_id: 1, rack: 'rack-a' }],
      ['broker-2.test:9092', { broker_id: 2 }],
      ['__consumer_offsets', { partitions: 1, replication_factor: 1, internal: true }],
      ['being-moved', { partitions: 2, replication_factor: 2 }],
      ['just-created', { partitions: null, replication_factor: null }],
      ['leaderless', { partitions: 2, replication_factor: 2 }],
      ['plain', { partitions: 2, replication_factor: 2 }],
    ]);
  });

  it('names the address of an unreachable broker, after three tries', async () => {
    const broker = await start({});
    await running.pop()!.stop();
    const {
      error: { code, message, fix },
      waits,
    } = await failure({ bootstrap_servers: broker.address });
    expect(code).toBe('CB_ADMIN_UNREACHABLE');
    expect(message).toContain('ECONNREFUSED');
    expect(message).toContain(broker.address);
    expect(message).toContain('after 3 tries');
    expect(fix).toContain('bootstrap_servers');
    expect(waits).toEqual([500, 1000]);
  });

  it('is a time-out when nothing answers, bounded by the tries', async () => {
    const broker = await start({ behaviour: 'silent' });
    const {
      error: { code, fix },
    } = await failure({ bootstrap_servers: broker.address, timeout_seconds: 0.2 });
    expect(code).toBe('CB_ADMIN_TIMEOUT');
    expect(fix).toContain('timeout_seconds (0.2)');
    expect(broker.requests).toHaveLength(3);
  });

  it('asks another bootstrap server first after one that hangs', async () => {
    const hanging = await start({ ignores: METADATA });
    const healthy = await start({ topics: [{ name: 'orders', partitions: [{ replicas: [1] }] }] });
    const { batch, waits } = await list({
      bootstrap_servers: `${hanging.address},${healthy.address}`,
      timeout_seconds: 0.3,
    });
    expect(batch!.resources).toHaveLength(4);
    expect(waits).toEqual([500]);
  });

  it('blames the protocol when the listener hangs up', async () => {
    const broker = await start({ behaviour: 'hang_up' });
    const {
      error: { code, fix },
    } = await failure({ bootstrap_servers: broker.address });
    expect(code).toBe('CB_ADMIN_UNREACHABLE');
    expect(fix).toContain('security_protocol PLAINTEXT');
  });

  it('asks for TLS when the listener answers with a TLS alert', async () => {
    const broker = await start({ behaviour: 'tls_alert' });
    const { error } = await failure({ bootstrap_servers: broker.address });
    expect([error.code, error.path]).toEqual(['CB_ADMIN_TLS', 'resource_source.security_protocol']);
    expect(error.fix).toContain('SSL or SASL_SSL');
  });

  it('blames the protocol when a listener wants SASL and gets none', async () => {
    const broker = await start({ sasl: { mechanisms: ['PLAIN'], user: 'u', password: 'p' } });
    const {
      error: { code, fix },
    } = await failure({ bootstrap_servers: broker.address });
    expect(code).toBe('CB_ADMIN_UNREACHABLE');
    expect(fix).toContain('security_protocol');
  });
});

describe('an abort, a scripted silent listener in a broker’s place', () => {
  it('rejects with the reason of the signal at once and closes the socket', async () => {
    const broker = await start({ ignores: METADATA });
    const controller = new AbortController();
    const reason = new Error('enough');
    const listing = list({ bootstrap_servers: broker.address, timeout_seconds: 60 }, controller.signal);
    await broker.arrival(METADATA);
    controller.abort(reason);
    expect((await listing).error).toBe(reason);
  });

  it('opens nothing when the signal has already aborted', async () => {
    const broker = await start({});
    const { error } = await list(
      { bootstrap_servers: broker.address },
      AbortSignal.abort(new Error('before')),
    );
    expect(error).toMatchObject({ message: 'before' });
    expect(broker.requests).toEqual([]);
  });

  it.each([['PLAINTEXT'], ['SSL'], ['SASL_PLAINTEXT']])(
    'leaves no timer that keeps the process alive (%s)',
    async (protocol) => {
      const broker = await start({ behaviour: 'silent' });
      const module = new URL('../src/admin/list-kafka-resources.ts', import.meta.url);
      const settings = {
        bootstrap_servers: broker.address,
        security_protocol: protocol,
        sasl_username: 'u',
        sasl_password: 'p',
        timeout_seconds: 120,
      };
      const script = `
        const { listKafkaResources } = await import(${JSON.stringify(module.href)});
        const signal = AbortSignal.timeout(300);
        await listKafkaResources(${JSON.stringify(settings)}, { clusterId: 'c' }, signal).catch(({ name }) => console.log(name));
      `;
      const child = spawn(
        process.execPath,
        ['--conditions=@chargeback/source', '--input-type=module', '--eval', script],
        { stdio: ['ignore', 'pipe', 'inherit'], timeout: 25_000 },
      );
      let output = '';
      child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
      const status = await new Promise((resolve) => child.once('close', resolve));
      expect({ status, output }).toEqual({ status: 0, output: 'TimeoutError\n' });
    },
  );
});
