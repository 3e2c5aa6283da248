/** The options of a target that is reached by SSH. */
import { z } from 'zod';
import { secret } from '../collector.ts';

const path = z.string().regex(/^\/[^\0]*$/, 'expected an absolute path');
/** OpenSSH takes no more of the former, and the latter would be an option or several words. */
const host = z.string().regex(/^[A-Za-z0-9_.:%[\]-]{1,255}$/, 'expected an address or a host name');
const user = z.string().regex(/^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}\$?$/, 'expected a user name');
const program = z.string().regex(/^[A-Za-z0-9_.+-]{1,64}$/, 'expected the name of a program, without its path');

export const sshShape = {
  host: host.optional().describe('Address or host name; default: the name of the target.'),
  port: z.int().min(1).max(65535).default(22).describe('The port of its sshd.'),
  user: user.default('edgestatd').describe('The user to log in as.'),
  keyFile: path.optional().describe('The private key (OpenSSH or PEM), read at each connection.'),
  passphrase: secret().optional().describe('What the private key is encrypted with, by reference.'),
  passphraseFile: path.optional().describe('The file that holds it.'),
  agent: path.optional().describe('The socket of an agent that holds the key (SSH_AUTH_SOCK).'),
  knownHostsFile: path
    .default('/etc/edgestatd/known_hosts')
    .describe('The host keys that are accepted, as OpenSSH keeps them.'),
  hostKeys: z
    .enum(['strict', 'acceptNew'])
    .default('strict')
    .describe('acceptNew writes the key of a host that is not known yet into that file; a changed key is refused.'),
  jump: z.string().optional().describe('The SSH target through which this one is reached.'),
  sudo: z.array(program).default([]).describe('Programs to run as root, by sudo -n; each needs a NOPASSWD rule there.'),
  commands: z
    .enum(['shell', 'exec'])
    .default('shell')
    .describe(
      'shell keeps /bin/sh running there, which is fast; exec starts each program for itself, for forced commands.',
    ),
  maxSessions: z
    .int()
    .min(2)
    .max(64)
    .default(8)
    .describe('Session channels at once; below MaxSessions of the server (10).'),
  groups: z.array(z.string()).default([]).describe('Names that jobs may use in targets for several targets.'),
};

export const sshTargetOptions = z.strictObject({
  type: z.literal('ssh'),
  name: z.string().min(1).optional().describe('The series segment; default: the name of the target.'),
  ...sshShape,
});

export type SshOptions = z.infer<typeof sshTargetOptions>;

/** What a connection needs, the way to it included. */
export type SshSettings = Omit<SshOptions, 'type' | 'name' | 'groups' | 'jump' | 'host'> & {
  readonly host: string;
  /** The machine through which this one is reached. */
  readonly through?: SshSettings | undefined;
};
