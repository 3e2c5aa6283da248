/** What kind of thing an interface is, by what the kernel says of it in sysfs. Pure. */
import { flagsOf, naturalOf, parseUevent } from './parse.ts';

export type Kind = (typeof KINDS)[number];
const KINDS = [
  ...([
    'physical',
    'bond',
    'vlan',
    'bridge',
    'ovs_internal',
    'veth',
    'tap',
    'tun',
    'vif',
    'macvlan',
    'tunnel',
  ] as const),
  ...(['loopback', 'virtual'] as const),
] as const;

/** Read once for each interface: what it is does not change while it lives. */
export const KIND_ATTRIBUTES = ['type', 'iflink', 'tun_flags', 'device/uevent', 'bridge/bridge_id', 'address'] as const;

export interface Marks {
  readonly name: string;
  readonly ifindex: number | undefined;
  /** `DEVTYPE` of its uevent: bridge and bond since 2.6.33, vlan, vxlan, geneve, wlan and others. */
  readonly devtype: string | undefined;
  readonly flags: number | undefined;
  readonly isBond: boolean;
  readonly isVlan: boolean;
  /** The kernel's datapath of Open vSwitch is in use: there is `ovs-system`. */
  readonly hasOvs: boolean;
  /** It stands on another interface (`lower_NAME`, since kernel 3.9). Undefined: nobody has looked. */
  readonly hasLower?: boolean | undefined;
  /** A speed can be read: it is on, and its driver tells one. */
  readonly hasSpeed: boolean;
  readonly attributes: Readonly<Partial<Record<(typeof KIND_ATTRIBUTES)[number], string>>>;
}

const OF_DEVTYPE: Readonly<Record<string, Kind>> = {
  ...{ bond: 'bond', bridge: 'bridge', vlan: 'vlan', macvlan: 'macvlan', macvtap: 'macvlan', ipvlan: 'macvlan' },
  ...{ vxlan: 'tunnel', geneve: 'tunnel', wireguard: 'tunnel', ppp: 'tunnel', wlan: 'physical', wwan: 'physical' },
};
/** if_arp.h */
const [ETHERNET, LOOPBACK] = [1, 772];
/** if_tun.h: of these two bits one is set. */
const [IFF_TUN, IFF_TAP] = [1, 2];
const IFF_NOARP = 0x80;

/** `virtual`: nothing in sysfs tells it apart (dummy, ifb, team). */
export function kindOf(marks: Marks): Kind {
  const { attributes, devtype = '', isBond, isVlan } = marks;
  if (naturalOf(attributes.type ?? '') === LOOPBACK) return 'loopback';
  const told = Object.hasOwn(OF_DEVTYPE, devtype) ? OF_DEVTYPE[devtype] : undefined;
  if (told !== undefined) return told;
  if (isBond) return 'bond';
  if (isVlan) return 'vlan';
  if (attributes['bridge/bridge_id'] !== undefined) return 'bridge';
  const tun = flagsOf(attributes.tun_flags ?? '') ?? 0;
  if (tun & IFF_TAP) return 'tap';
  if (tun & IFF_TUN) return 'tun';
  const device = attributes['device/uevent'];
  if (device !== undefined) {
    // The end of a Xen guest's interface that lies in dom0 is a device on xenbus; the guest's own end is its hardware.
    return (parseUevent(device).MODALIAS ?? '').startsWith('xen-backend:') ? 'vif' : 'physical';
  }
  return devtype === '' ? kindOfUnmarked(marks) : 'virtual';
}

/** A veth and a macvlan look alike but for what the latter stands on, which takes a look into their directories. */
export function isAmbiguous(marks: Marks): boolean {
  return kindOf(marks) === 'veth' && marks.hasLower === undefined;
}

function kindOfUnmarked({ name, ifindex, flags, hasOvs, hasLower, hasSpeed, attributes }: Marks): Kind {
  if (name === 'ovs-system') return 'ovs_internal';
  const type = naturalOf(attributes.type ?? '');
  const below = naturalOf(attributes.iflink ?? '');
  if (type !== ETHERNET || below === undefined || ifindex === undefined) return 'virtual';
  // A veth's is its peer. A tunnel without an interface below has 0.
  if (below !== ifindex) return below === 0 ? 'tunnel' : hasLower === true ? 'macvlan' : 'veth';
  // A veth whose peer in another namespace has the same number by chance; team has a speed too, and stands on something.
  if (hasSpeed) return hasLower === true ? 'virtual' : 'veth';
  const isAddressed = /[1-9a-f]/i.test(attributes.address ?? '');
  const speaksArp = flags !== undefined && (flags & IFF_NOARP) === 0;
  return hasOvs && isAddressed && speaksArp ? 'ovs_internal' : 'virtual';
}

/** Their speed is a number that the driver made up (a tap has 10 Mbit/s or 10 Gbit/s), or that of another's port. */
const WITHOUT_SPEED: ReadonlySet<Kind> = new Set<Kind>([
  ...(['bridge', 'ovs_internal', 'veth', 'tap', 'tun', 'vif', 'tunnel', 'loopback'] as const),
]);

export function hasSpeed(kind: Kind | undefined): boolean {
  return kind === undefined || !WITHOUT_SPEED.has(kind);
}
