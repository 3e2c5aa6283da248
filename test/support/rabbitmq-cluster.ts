/** Two private nodes that are one broker, for what happens when one of them leaves or they lose each other. */
import { type Broker, type BrokerOptions, makeSite, startNode } from './rabbitmq-broker.ts';

/** Each node can be stopped, killed, started and closed alone. */
export async function startCluster(options: BrokerOptions = {}): Promise<readonly [a: Broker, b: Broker]> {
  const site = await makeSite();
  const nodes = new Map<string, Broker>();
  const open = new Set(['a', 'b']);
  const close = async (name: string): Promise<void> => {
    open.delete(name);
    await nodes.get(name)?.kill();
    if (open.size === 0) await site.keeper.close();
  };
  const start = async (name: string): Promise<Broker> => {
    const broker = await startNode(site, name, options, () => close(name));
    nodes.set(name, broker);
    return broker;
  };
  try {
    const [a, b] = await Promise.all([start('a'), start('b')]);
    await b.stopApp();
    await b.ctl('join_cluster', a.node);
    await b.startApp();
    return [a, b];
  } catch (error) {
    await site.keeper.close();
    throw error;
  }
}

/**
 * Cuts the link between two nodes, without a firewall: one refuses the other's cookie. Resolves with what heals it.
 * After that each node shows the other among its `partitions`, until one of them had `stopApp()` and `startApp()`.
 */
export async function partition(one: Broker, other: Broker): Promise<() => Promise<void>> {
  await one.ctl('eval', `erlang:set_cookie('${other.node}', refused), erlang:disconnect_node('${other.node}').`);
  return async () => {
    // The node's own cookie, that of everybody else.
    await one.ctl('eval', `erlang:set_cookie('${other.node}', erlang:get_cookie()), net_adm:ping('${other.node}').`);
  };
}
