/** Variables of an Ansible inventory → options of an SSH target. Pure. */
import { sshShape } from '../hosts/ssh-options.ts';
import { nearest, quoted } from '../text.ts';

type Option = keyof typeof sshShape;

export type Variables = Readonly<Record<string, unknown>>;

/** Of ansible.builtin.ssh; a later one wins over those before it, as `ansible_host` over its name of Ansible 1. */
const ANSIBLE: readonly (readonly [variable: string, option: Option])[] = [
  ['ansible_ssh_host', 'host'],
  ['ansible_host', 'host'],
  ['ansible_ssh_port', 'port'],
  ['ansible_port', 'port'],
  ['ansible_ssh_user', 'user'],
  ['ansible_user', 'user'],
  ['ansible_private_key_file', 'keyFile'],
  ['ansible_ssh_private_key_file', 'keyFile'],
];
const CONNECTIONS = ['ssh', 'smart', 'paramiko', 'paramiko_ssh', 'ansible.builtin.ssh', 'ansible.builtin.paramiko_ssh'];
/** They change the way to a host, which `jump` does here. */
const WAYS = ['ansible_ssh_common_args', 'ansible_ssh_extra_args', 'ansible_ssh_args'];

/** `edgestatd_key_file` → `keyFile`: what an inventory says to us alone. */
const PREFIX = 'edgestatd_';
const OWN: ReadonlyMap<string, Option> = new Map(
  Object.keys(sshShape)
    // A secret is given by reference, and an inventory may be a stranger's program: it has none to resolve.
    .filter((option) => option !== 'passphrase')
    .map((option) => [PREFIX + option.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`), option as Option]),
);
const NUMBERS: ReadonlySet<string> = new Set<Option>(['port', 'maxSessions']);
const LISTS: ReadonlySet<string> = new Set<Option>(['sudo', 'groups']);

export interface FromVariables {
  readonly options: Readonly<Record<string, unknown>>;
  /** Why this is no target that is reached by SSH. */
  readonly refusal?: string;
  /** What is not used. One message may be said of many hosts. */
  readonly notes: readonly string[];
}

export function optionsOf(variables: Variables): FromVariables {
  const { ansible_connection: connection } = variables;
  if (connection !== undefined && !CONNECTIONS.includes(String(connection))) {
    const here = connection === 'local' ? ' (the target "local" is this machine)' : '';
    const refusal = `ansible_connection is ${quoted(String(connection))}, which is not SSH${here}`;
    return { options: {}, refusal, notes: [] };
  }
  const options: Record<string, unknown> = {};
  for (const [variable, option] of ANSIBLE) {
    const value = variables[variable];
    if (value !== undefined && value !== null && value !== '') options[option] = fitted(option, value);
  }
  const notes: string[] = [];
  for (const [variable, value] of Object.entries(variables)) {
    if (!variable.startsWith(PREFIX)) continue;
    const option = OWN.get(variable);
    if (option !== undefined) options[option] = fitted(option, value);
    else notes.push(`the variable ${quoted(variable)} is none of ours${advice(variable)}`);
  }
  const way = WAYS.find((variable) => variables[variable] !== undefined && variables[variable] !== '');
  if (way !== undefined && options.jump === undefined)
    notes.push(`${way} is not used; name the SSH target to go through as edgestatd_jump, or "jump" of the inventory`);
  return { options, notes };
}

function advice(variable: string): string {
  if (variable === `${PREFIX}passphrase`) return '; give passphraseFile, or "passphrase" of the inventory by reference';
  const meant = nearest(variable, OWN.keys());
  return meant === undefined ? `; expected one of ${[...OWN.keys()].join(', ')}` : `; did you mean "${meant}"?`;
}

/** In INI files and templates all is text. */
function fitted(option: Option, value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (NUMBERS.has(option) && /^[0-9]{1,15}$/.test(value)) return Number(value);
  if (LISTS.has(option)) return value.split(',').map((one) => one.trim());
  return value;
}
