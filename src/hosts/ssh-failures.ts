/** What goes wrong over SSH, as Failures that say what to do. Pure. */
import { type Code, Failure, systemCode } from '../errors.ts';
import { quoted } from '../text.ts';
import type { SshSettings } from './ssh-options.ts';

/** How far a connection has come. `ready`: it is open, or was. */
export type Stage = 'connect' | 'greeting' | 'handshake' | 'login' | 'ready';

/** What is known when something fails. */
export interface Scene {
  readonly settings: SshSettings;
  readonly stage: Stage;
  /** The keys that it was tried with, in words. */
  readonly identity?: string | undefined;
  /** The ways to log in that the server has left. */
  readonly methods?: readonly string[] | undefined;
  /** It took the key and wants more. */
  readonly isPartial?: boolean | undefined;
  /** What the server said to who logs in. */
  readonly banner?: string | undefined;
  /** How long a server may be silent. */
  readonly silenceMs?: number | undefined;
}

/** `ssh USER@HOST:PORT`, with the way there. */
export function placeOf({ user, host, port, through }: SshSettings): string {
  const way = through === undefined ? '' : ` through ${through.host}:${through.port}`;
  return `ssh ${user}@${host}:${port}${way}`;
}

/** `thrown`: an error of the socket or of ssh2, which names where it comes from as `level`. */
export function wireFailure(thrown: unknown, scene: Scene): Failure {
  if (thrown instanceof Failure) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const code = systemCode(thrown);
  if (code !== undefined) return socketFailure(code, scene, thrown);
  const { level, reason } = detailsOf(thrown);
  const failure = (kind: Code, text: string): Failure =>
    new Failure(kind, `${placeOf(scene.settings)} ${text}`, { cause: thrown });
  if (level === 'client-authentication') return loginFailure(scene);
  if (level === 'agent') {
    const path = scene.settings.agent ?? '';
    return new Failure('E_AUTH', `${placeOf(scene.settings)}: the agent ${quoted(path)} gave no key or no signature`, {
      path,
      cause: thrown,
    });
  }
  if (message === 'Keepalive timeout') {
    const seconds = Math.round((scene.silenceMs ?? 0) / 1000);
    return failure('E_CONNECT', `has not answered for ${seconds} s; the machine or the way to it is down`);
  }
  if (message.includes('no matching host key format')) {
    const advice = `its keys have changed, or are only good for SHA-1; see HostKey there, and ${quoted(scene.settings.knownHostsFile)}`;
    return failure('E_AUTH', `offers no host key of a type that is known for it; ${advice}`);
  }
  if (message.includes('signature verification failed')) {
    return failure('E_AUTH', 'could not prove that it has the host key that it offers; somebody may stand in between');
  }
  const [, kind] = /no matching (.*)$/.exec(message) ?? [];
  if (kind !== undefined) {
    return failure('E_CONNECT', `has no ${kind} in common with this side; see ssh -Q and sshd_config(5) there`);
  }
  // SSH_MSG_DISCONNECT: RFC 4253, section 11.1. 2 is what sshd says of MaxAuthTries, 14 that there is no method left.
  if (reason === 14 || (scene.stage === 'login' && /too many auth/i.test(message))) {
    const text = `ended the login: ${quoted(message)}; ${scene.identity ?? 'the keys'} may be more than its MaxAuthTries`;
    return failure('E_AUTH', text);
  }
  if (reason !== undefined) return failure('E_CONNECT', `ended the connection: ${quoted(message)}`);
  if (scene.stage === 'ready') return failure('E_CONNECT', `broke the protocol: ${quoted(message)}`);
  return failure('E_CONNECT', `does not speak SSH as it should (${scene.stage}): ${quoted(message)}`);
}

function detailsOf(thrown: unknown): { level: unknown; reason: number | undefined } {
  if (typeof thrown !== 'object' || thrown === null) return { level: undefined, reason: undefined };
  const { level, code } = thrown as { level?: unknown; code?: unknown };
  return { level, reason: typeof code === 'number' ? code : undefined };
}

function socketFailure(code: string, { settings, stage }: Scene, cause: unknown): Failure {
  const failure = (kind: Code, text: string): Failure =>
    new Failure(kind, `${placeOf(settings)} ${text} (${code})`, { cause });
  switch (code) {
    case 'ECONNREFUSED':
      return failure('E_CONNECT', 'refuses the connection; is sshd running there, on that port?');
    case 'ENOTFOUND':
    case 'EAI_NONAME':
      return failure('E_CONNECT', 'has a name that no name server knows; expected an address or a host name');
    case 'EAI_AGAIN':
      return failure('E_CONNECT', 'has a name, and the name server does not answer');
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return failure('E_CONNECT', 'cannot be reached; check its address, its network and the route');
    case 'ETIMEDOUT':
      return failure('E_TIMEOUT', 'does not answer; is it up, or does a firewall drop packets?');
    default:
      return failure('E_CONNECT', stage === 'ready' ? 'broke the connection' : `broke off (${stage})`);
  }
}

function loginFailure({ settings, methods = [], identity = 'the key', isPartial, banner }: Scene): Failure {
  const said = banner === undefined || banner.trim() === '' ? '' : `; it says ${quoted(banner.trim(), 200)}`;
  const failure = (text: string): Failure => new Failure('E_AUTH', `${placeOf(settings)} ${text}${said}`);
  const left = quoted(methods.join(', '));
  if (isPartial === true) {
    return failure(`accepts ${identity}, but wants ${left} too; see AuthenticationMethods there`);
  }
  if (methods.length > 0 && !methods.includes('publickey')) {
    return failure(`lets nobody log in by key, only by ${left}; see PubkeyAuthentication there`);
  }
  const advice = 'add it to ~/.ssh/authorized_keys there, and see that the account is neither locked nor expired';
  return failure(`does not accept ${identity}; ${advice}`);
}

/** The other side ended the connection without a word. */
export function closedFailure({ settings, stage }: Scene): Failure {
  const text = {
    connect: 'closed the connection at once',
    greeting: 'closed the connection before it said a word; is it full (MaxStartups), or does it refuse this address?',
    handshake: 'closed the connection during the handshake',
    login: 'closed the connection during the login; its log tells why (MaxAuthTries, LoginGraceTime)',
    ready: 'closed the connection; was its sshd restarted?',
  }[stage];
  return new Failure('E_CONNECT', `${placeOf(settings)} ${text}`);
}

/** The attempt's time is over. */
export function lateFailure({ settings, stage }: Scene): Failure {
  const agent = settings.agent === undefined ? '' : ', or the agent did not';
  const text = {
    connect: 'does not answer; is it up, or does a firewall drop packets?',
    greeting: 'takes the connection and does not greet in time; its sshd hangs, or something else listens there',
    handshake: 'greets, and did not finish the handshake in time',
    login: `did not answer the login in time${agent}`,
    ready: 'did not answer in time',
  }[stage];
  return new Failure('E_TIMEOUT', `${placeOf(settings)} ${text}`);
}

/** What a channel is for. */
export type Purpose =
  | { readonly kind: 'exec' }
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly to: string };

/** The server opened no channel, and said why by a number: RFC 4254, section 5.1. */
export function channelFailure(thrown: unknown, purpose: Purpose, settings: SshSettings): Failure {
  const { reason, message = '' } = (thrown ?? {}) as { reason?: unknown; message?: string };
  const failure = (code: Code, text: string): Failure =>
    new Failure(code, `${placeOf(settings)} ${text}`, {
      cause: thrown,
      ...(purpose.kind === 'unix' ? { path: purpose.path } : {}),
    });
  const isForbidden = reason === 1;
  switch (purpose.kind) {
    case 'exec':
      if (isForbidden) return failure('E_DENIED', 'lets this user run no program');
      if (typeof reason === 'number') {
        return failure(
          'E_CONNECT',
          'opens no more sessions; set maxSessions below its MaxSessions, and see what still runs there',
        );
      }
      return failure('E_CONNECT', `does not start a program: ${quoted(message)}`);
    case 'unix': {
      const path = quoted(purpose.path);
      const option = 'AllowStreamLocalForwarding (sshd_config)';
      if (isForbidden) return failure('E_DENIED', `forbids the use of socket ${path}; set ${option} to yes or local`);
      if (reason === 3) return failure('E_CONNECT', `knows no forwarding of sockets; OpenSSH has it since 6.7`);
      const others = `its server does not run, this user may not use it, or ${option} forbids it`;
      return failure('E_CONNECT', `does not connect to socket ${path}: ${others}`);
    }
    case 'tcp':
      if (isForbidden) {
        const advice = 'set AllowTcpForwarding (sshd_config) to yes or local, and see PermitOpen and authorized_keys';
        return failure('E_DENIED', `forbids a connection to ${purpose.to}; ${advice}`);
      }
      return failure('E_CONNECT', `does not reach ${purpose.to}: ${quoted(message.replace(/^.*failure: /, ''))}`);
  }
}
