import { describe, expect, test } from 'vitest';
import { options } from './options.ts';

/** What is said of the options, as `path: message`. */
function complaints(given: unknown): string[] {
  const { error } = options.safeParse(given);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

test('none are needed', () => {
  expect(complaints({})).toEqual([]);
  expect(options.parse({})).toMatchObject({ source: 'management', host: 'auto', stuckAfter: 60_000, maxQueues: 2000 });
});

describe('urls', () => {
  test.each([
    'http://user:pass@broker1:15672',
    'http://broker1:15672?columns=name',
    'http://broker1:15672/#/queues',
    'broker1:15672',
    'ftp://broker1',
    'http://',
    'http://broker 1',
  ])('%s is refused, and the message says what is expected', (url) => {
    expect(complaints({ urls: [url] })).toEqual([
      'urls.0: expected a URL as http://broker.example:15672, without user or query',
    ]);
  });

  test('a user or password in it is not repeated in the complaint', () => {
    expect(complaints({ urls: ['http://user:s3cret@broker1'] }).join()).not.toContain('s3cret');
  });

  test('a path of a proxy is kept, and slashes at its end are not', () => {
    const urls = ['https://broker1:15671/', 'http://proxy.example/rabbit//', 'http://[2001:db8::1]:15672'];
    expect(options.parse({ urls }).urls).toEqual([
      ...['https://broker1:15671', 'http://proxy.example/rabbit', 'http://[2001:db8::1]:15672'],
    ]);
  });

  test('at least one', () => {
    expect(complaints({ urls: [] })).toEqual([expect.stringMatching(/^urls: /)]);
  });
});

test('one password, and whose it is', () => {
  const [user, password, passwordFile] = ['edgestatd', 'x', '/etc/edgestatd/rabbitmq'];
  expect(complaints({ user, password })).toEqual([]);
  expect(complaints({ user, passwordFile })).toEqual([]);
  expect(complaints({ user, password, passwordFile })).toEqual([
    'passwordFile: give password or passwordFile, not both',
  ]);
  expect(complaints({ password })).toEqual(['password: a password needs its user: give user too']);
  expect(complaints({ passwordFile })).toEqual(['passwordFile: a password needs its user: give user too']);
});

describe('what would do nothing is refused, with what to do', () => {
  const http = {
    urls: ['http://broker1'],
    user: 'u',
    passwordFile: '/p',
    caFile: '/ca',
    certFile: '/c',
    keyFile: '/k',
  };

  test.each(Object.keys(http))('%s for rabbitmqctl', (name) => {
    expect(complaints({ source: 'rabbitmqctl', ...http })).toContain(
      `${name}: does nothing with source: rabbitmqctl; leave it out, or use source: management or prometheus`,
    );
    for (const source of ['management', 'prometheus']) expect(complaints({ source, ...http })).toEqual([]);
  });

  test.each([
    [{ unresponsive: true }, 'rabbitmqctl', ['management', 'prometheus']],
    [{ command: ['sudo', '-n', 'rabbitmqctl'] }, 'rabbitmqctl', ['management', 'prometheus']],
    [{ exchanges: ['nova'] }, 'management', ['prometheus', 'rabbitmqctl']],
  ])('%j is for %s', (given, right, wrong) => {
    expect(complaints({ source: right, ...given })).toEqual([]);
    for (const source of wrong)
      expect(complaints({ source, ...given })).toEqual([
        `${Object.keys(given)[0]}: does nothing with source: ${source}; leave it out, or use source: ${right}`,
      ]);
  });

  test('what is the default anyway may be given', () => {
    expect(complaints({ command: ['rabbitmqctl'], unresponsive: false, exchanges: [] })).toEqual([]);
  });

  test('globs of vhosts for own', () => {
    expect(complaints({ host: 'own', vhosts: ['/', 'nov*'] })).toEqual([expect.stringMatching(/^vhosts: .*host: all/)]);
    expect(complaints({ host: 'own', vhosts: ['/', 'nova'] })).toEqual([]);
    expect(complaints({ host: 'all', vhosts: ['nov*'] })).toEqual([]);
  });
});

test('a certificate and its key', () => {
  const [certFile, keyFile] = ['/etc/edgestatd/cert.pem', '/etc/edgestatd/key.pem'];
  expect(complaints({ certFile, keyFile })).toEqual([]);
  expect(complaints({ keyFile })).toEqual(['keyFile: a key needs its certificate: give certFile too']);
  expect(complaints({ certFile })).toEqual(['certFile: a certificate needs its key: give keyFile too']);
});

test.each(['passwordFile', 'caFile'])('%s is a whole path', (name) => {
  expect(complaints({ user: 'u', [name]: 'rabbitmq.pem' })).toEqual([
    expect.stringMatching(new RegExp(`^${name}: .*"/"`)),
  ]);
});

test.each([
  ['a word that is no option', { urlz: [] }, /urlz/],
  ['a source that is none', { source: 'http' }, /^source: .*management.*prometheus.*rabbitmqctl/],
  ['a host that is none', { host: 'mine' }, /^host: .*auto.*own.*all/],
  ['a group without a match', { groups: [{ name: 'a', match: [] }] }, /^groups\.0\.match: /],
  ['a group without a name', { groups: [{ match: ['a'] }] }, /^groups\.0\.name: /],
  ['no queue at all', { maxQueues: 0 }, /^maxQueues: .*1/],
  ['half a queue', { maxQueues: 1.5 }, /^maxQueues: .*int/],
  ['too few requests for one run', { maxRequests: 9 }, /^maxRequests: .*10/],
  ['a span of less than a second', { stuckAfter: '10ms' }, /^stuckAfter: expected a duration from 1000ms/],
  ['a span without a unit', { stuckAfter: 60 }, /^stuckAfter: expected/],
  ['queues of a machine that do not name it', { hostQueues: ['compute'] }, /^hostQueues\.0: .*\{host\}/],
  ['an empty glob', { keep: [''] }, /^keep\.0: /],
  ['an empty command', { command: [] }, /^command: /],
])('%s is refused', (_, given, message) => {
  expect(complaints(given)).toEqual([expect.stringMatching(message)]);
});
