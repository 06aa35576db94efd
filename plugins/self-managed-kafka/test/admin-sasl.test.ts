import { describeCause } from '@chargeback/plugin-api';
import { afterEach, describe, expect, it } from 'vitest';
import { type BrokerScript, type ScriptedBroker, startScriptedBroker } from './admin-scripted-broker.ts';
import { failure, list } from './admin-support.ts';

const running: ScriptedBroker[] = [];
const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
const USER = 'billing=reader,eu';
const PASSWORD = 'canary-pässword,=1';

async function start(script: BrokerScript): Promise<string> {
  const broker = await startScriptedBroker(script);
  running.push(broker);
  return `127.0.0.1:${broker.port}`;
}

/** As it goes over the wire; RFC 5802 escapes the user name of SCRAM. */
function spelled(mechanism: string): string {
  return mechanism === 'PLAIN' ? USER : USER.replaceAll('=', '=3D').replaceAll(',', '=2C');
}

afterEach(async () => {
  await Promise.all(running.splice(0).map((broker) => broker.stop()));
});

describe.each(MECHANISMS)('%s, the exchange of a broker scripted at the socket', (mechanism) => {
  const credentials = {
    security_protocol: 'SASL_PLAINTEXT',
    sasl_mechanism: mechanism,
    sasl_username: USER,
    sasl_password: PASSWORD,
  } as const;
  const sasl = { mechanisms: [mechanism], user: spelled(mechanism), password: PASSWORD };

  it('lists with the right password', async () => {
    const servers = await start({ sasl, topics: [{ name: 'orders', partitions: [{ replicas: [1] }] }] });
    const { batch, error } = await list({ bootstrap_servers: servers, ...credentials });
    expect(error).toBeNull();
    expect(batch!.resources.map(({ resourceId }) => resourceId)).toContain('kafka-1:topic:orders');
  });

  it('is a coded failure with the wrong password, at once, with the broker’s words and without the password', async () => {
    const refusal = `no entry for ${USER} with ${PASSWORD}`;
    const servers = await start({ sasl: { ...sasl, password: 'another' }, refusal });
    const { error, waits } = await failure({ bootstrap_servers: servers, ...credentials });
    expect(error.code).toBe('CB_ADMIN_AUTH');
    expect(error.message).toContain(`no entry for ${USER} with …`);
    expect(error.fix).toContain('sasl_password');
    expect(waits).toEqual([]);
    expect(`${describeCause(error)} ${error.fix} ${JSON.stringify(error)} ${error.stack}`).not.toContain(
      PASSWORD,
    );
  });

  it('survives a broker that resets the connection after the refusal', async () => {
    const servers = await start({ sasl: { ...sasl, password: 'another' }, behaviour: 'reset' });
    const {
      error: { code },
    } = await failure({ bootstrap_servers: servers, ...credentials });
    expect(['CB_ADMIN_AUTH', 'CB_ADMIN_UNREACHABLE']).toContain(code);
  });

  it('names the mechanisms that the broker offers instead', async () => {
    const others = MECHANISMS.filter((one) => one !== mechanism);
    const servers = await start({ sasl: { ...sasl, mechanisms: others } });
    const {
      error: { code, fix, path },
    } = await failure({ bootstrap_servers: servers, ...credentials });
    expect(code).toBe('CB_ADMIN_AUTH');
    expect(fix).toContain(others.join(', '));
    expect(path).toBe('resource_source.sasl_mechanism');
  });

  it('says so when the listener knows no SASL', async () => {
    const servers = await start({});
    const {
      error: { code, path },
    } = await failure({ bootstrap_servers: servers, ...credentials });
    expect(code).toBe('CB_ADMIN_AUTH');
    expect(path).toBe('resource_source.security_protocol');
  });

  it('times out on a broker that never answers the handshake', async () => {
    const servers = await start({ sasl, ignores: 17 });
    const {
      error: { code },
    } = await failure({ bootstrap_servers: servers, ...credentials, timeout_seconds: 0.2 });
    expect(code).toBe('CB_ADMIN_TIMEOUT');
  });
});

describe.each(['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const)('%s against a scripted impostor', (mechanism) => {
  it.each([['nonsense'], ['r=,s=,i='], [''], ['r=x,s=c2FsdA==,i=4096'], ['e=other-error']])(
    'fails as an authentication and not as a crash when the first answer is %j',
    async (saslAnswer) => {
      const sasl = { mechanisms: [mechanism], user: 'u', password: 'p' };
      const servers = await start({ sasl, saslAnswer });
      const {
        error: { code },
      } = await failure({
        bootstrap_servers: servers,
        security_protocol: 'SASL_PLAINTEXT',
        sasl_mechanism: mechanism,
        sasl_username: 'u',
        sasl_password: 'pass-phrase',
        timeout_seconds: 2,
      });
      expect(code).toBe('CB_ADMIN_AUTH');
    },
  );
});
