/** The catalogue, continued: bonds, their slaves and LACP. */
import { counter, gauge } from '../../src/metric.ts';

const bond = { labels: ['interface'], tags: ['kind', 'master'] } as const;
const slave = { labels: ['interface', 'slave'] } as const;

const source = (what: string): string => `/proc/net/bonding: ${what}`;
const ofBond = (name: string, unit: string, what: string, help: string) =>
  gauge(name, { ...bond, unit, source: source(what), help });
const ofSlave = (name: string, what: string, help: string) =>
  gauge(name, { ...slave, unit: 'boolean', source: source(what), help });
const churns = (name: string, what: string, help: string) => ofSlave(name, what, `${help} (kernel 4.2)`);

export const bondMetrics = {
  bondMode: ofBond(
    'bond_mode',
    'code',
    'Bonding Mode',
    '0 balance-rr, 1 active-backup, 2 balance-xor, 3 broadcast, 4 802.3ad, 5 balance-tlb, 6 balance-alb.',
  ),
  bondUp: ofBond('bond_up', 'boolean', 'MII Status', '1: the bond carries traffic.'),
  bondDegraded: ofBond(
    'bond_degraded',
    'boolean',
    'all of it',
    '1: the bond is not what it should be: a slave is not up, none is active, or (802.3ad) a slave is not in the active aggregator, or no partner answers.',
  ),
  slaves: ofBond('bond_slaves', 'interfaces', 'Slave Interface', 'Interfaces that belong to the bond.'),
  slavesUp: ofBond('bond_slaves_up', 'interfaces', 'MII Status', 'Those of them whose link is up.'),
  hasActive: ofBond(
    'bond_has_active_slave',
    'boolean',
    'Currently Active Slave',
    '0: no slave is the active one (active-backup, balance-tlb, balance-alb).',
  ),
  aggregator: ofBond('lacp_aggregator', 'number', 'Aggregator ID', 'The active aggregator (802.3ad).'),
  ports: ofBond('lacp_ports', 'interfaces', 'Number of ports', 'Slaves in the active aggregator (802.3ad).'),
  partnerKnown: ofBond(
    'lacp_partner_known',
    'boolean',
    'Partner Mac Address',
    '0: the other end of the active aggregator does not speak LACP (802.3ad).',
  ),
  slaveUp: ofSlave('slave_up', 'MII Status', '1: the slave’s link is up, and neither going down nor coming back.'),
  slaveActive: ofSlave('slave_active', 'Currently Active Slave', '1: it is the active one (as bond_has_active_slave).'),
  slaveFailures: counter('slave_link_failures', {
    ...{ ...slave, unit: 'events', source: source('Link Failure Count'), bits: 32 },
    help: 'How often the bond saw the slave’s link fail.',
  }),
  slaveAggregator: gauge('slave_lacp_aggregator', {
    ...{ ...slave, unit: 'number', source: source('Aggregator ID') },
    help: 'The aggregator that the slave is in: all of one bond should have the same (802.3ad).',
  }),
  slaveAggregated: ofSlave('slave_lacp_aggregated', 'Aggregator ID', '1: that is the active one: it carries traffic.'),
  lacpCurrent: ofSlave('slave_lacp_current', 'actor port state', '1: LACP frames of the partner arrive in time.'),
  lacpSynchronized: ofSlave('slave_lacp_synchronized', 'actor port state', '1: this end agrees to use the slave.'),
  lacpCollecting: ofSlave('slave_lacp_collecting', 'actor port state', '1: this end receives by it.'),
  lacpDistributing: ofSlave('slave_lacp_distributing', 'actor port state', '1: this end sends by it.'),
  lacpPartnerSynchronized: ofSlave(
    'slave_lacp_partner_synchronized',
    'partner port state',
    '1: the partner agrees to use it.',
  ),
  lacpPartnerCollecting: ofSlave('slave_lacp_partner_collecting', 'partner port state', '1: the partner receives.'),
  lacpPartnerDistributing: ofSlave('slave_lacp_partner_distributing', 'partner port state', '1: the partner sends.'),
  churned: churns('slave_lacp_churned', 'Actor Churn State', '1: this end does not come to synchronize.'),
  partnerChurned: churns('slave_lacp_partner_churned', 'Partner Churn State', '1: the partner does not come to it.'),
  partner: gauge('lacp_partner', {
    ...{ labels: ['interface', 'slave', 'partner'], unit: 'boolean', source: source('partner system mac address') },
    help: '1 for the MAC address of the system at the other end of a slave.',
  }),
};
