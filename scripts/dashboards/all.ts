/** Every dashboard, in the order in which they link to each other. */
import type { Catalogue } from './catalogue.ts';
import { deploys } from './deploys.ts';
import type { Dashboard } from './model.ts';
import { openVswitch } from './ovs.ts';
import { own } from './own.ts';
import { brokers } from './rabbitmq.ts';
import { uplinks } from './uplinks.ts';
import { vms } from './vms.ts';

export const dashboardsOf = (catalogue: Catalogue): Dashboard[] =>
  [vms, uplinks, openVswitch, brokers, own, deploys].map((make) => make(catalogue));
