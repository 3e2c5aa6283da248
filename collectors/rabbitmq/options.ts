import { z } from 'zod';
import { duration, secret } from '../../src/collector.ts';
import { optionFaults } from './options-together.ts';

const globs = z.array(z.string().min(1));

const httpUrl = z
  .string()
  .regex(
    /^https?:\/\/[^\s/?#@]+(?:\/[^\s?#@]*)?$/,
    'expected a URL as http://broker.example:15672, without user or query',
  )
  .transform((url) => url.replace(/\/+$/, ''));

const group = z.strictObject({
  name: z.string().min(1).describe('What stands for its queues in the series.'),
  match: globs.min(1).describe('Globs of queue names.'),
});

export const options = z
  .strictObject({
    source: z
      .enum(['management', 'prometheus', 'rabbitmqctl'])
      .default('management')
      .describe('Who is asked: the management plugin, the prometheus plugin, or the program rabbitmqctl.'),
    urls: z
      .array(httpUrl)
      .min(1)
      .optional()
      .describe(
        'Where the plugin listens; by default port 15672 (management) or 15692 (prometheus) of the machine itself. Of several, management asks the first that answers; prometheus asks each, since each knows its own queues.',
      ),
    command: z
      .array(z.string().min(1))
      .min(1)
      .default(['rabbitmqctl'])
      .describe('rabbitmqctl and what stands before it, for example [sudo, -n, rabbitmqctl].'),
    user: z
      .string()
      .min(1)
      .optional()
      .describe('With the tag monitoring, and a permission in each vhost; one that allows nothing is enough.'),
    password: secret().optional().describe('By reference only: an environment variable, or a credential of systemd.'),
    passwordFile: z.string().startsWith('/').optional().describe('A file with the password, instead.'),
    caFile: z
      .string()
      .startsWith('/')
      .optional()
      .describe('PEM file of the authorities to trust, instead of the system’s.'),
    certFile: z
      .string()
      .startsWith('/')
      .optional()
      .describe('PEM file of our certificate, where the broker asks for one.'),
    keyFile: z.string().startsWith('/').optional().describe('PEM file of its key.'),
    cluster: z
      .string()
      .min(1)
      .optional()
      .describe('Stands first in the series; for a target whose jobs watch several clusters.'),
    host: z
      .enum(['auto', 'own', 'all'])
      .default('auto')
      .describe(
        'own: the queues of this machine alone, one cheap request each. all: the whole broker. auto: own on a hypervisor that asks another machine.',
      ),
    hostName: z
      .string()
      .min(1)
      .optional()
      .describe('What OpenStack calls this machine, where that is not its host name.'),
    hostQueues: z
      .array(z.string().includes('{host}'))
      .min(1)
      .default(['compute.{host}'])
      .describe('The queues of a machine, for own.'),
    vhosts: globs
      .min(1)
      .optional()
      .describe('Vhosts to ask: names for own (by default / and nova), globs for all (by default every one).'),
    keep: globs
      .default([
        'compute.*',
        'conductor',
        'conductor.*',
        'scheduler',
        'scheduler.*',
        'cells',
        'cells.*',
        'notifications.*',
      ])
      .describe('Globs of queues that keep their name, whatever groups say.'),
    groups: z
      .array(group)
      .default([
        { name: 'reply', match: ['reply_*'] },
        { name: 'fanout', match: ['*_fanout_*'] },
        { name: 'generated', match: ['amq.gen-*', 'amq.gen_*'] },
      ])
      .describe('Queues that are many and short-lived: the sum of each group is sent, and not its queues.'),
    include: globs.default(['*']).describe('Globs of other queues to send by name.'),
    exclude: globs.default([]).describe('Globs of queues to leave out, whatever keeps or groups them.'),
    exchanges: globs.default([]).describe('Globs of exchanges to send what is published into and out of (management).'),
    maxQueues: z
      .int()
      .min(1)
      .max(100_000)
      .default(2000)
      .describe('At most so many queues by name: the stuck and the largest; queues_left_out counts the rest.'),
    maxRequests: z
      .int()
      .min(10)
      .max(10_000)
      .default(300)
      .describe('At most so many requests in one run; where more would be needed, queues are asked for in pages.'),
    stuckAfter: duration(1000)
      .prefault('60s')
      .describe('A queue is stuck that has messages ready, and no consumer or nothing acknowledged, for so long.'),
    unresponsive: z
      .boolean()
      .default(false)
      .describe('Ask rabbitmqctl for queues that do not answer, too (rabbitmqctl; slow).'),
  })
  .superRefine((given, context) => {
    for (const [path, message] of optionFaults(given)) context.addIssue({ code: 'custom', path: [path], message });
  });

export type RabbitmqOptions = z.infer<typeof options>;
